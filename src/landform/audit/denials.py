"""Attempts at what an actor may not do, told once a minute however often they are made."""

import time
from typing import Final

from landform.access.errors import DeniedError, HiddenError
from landform.access.events import AccessDenied
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.db import Sessions, transaction

_QUIET_S: Final = 60.0
_REMEMBERED: Final = 10_000  # attempts a process keeps in mind, so that their count is bounded
_PATH_LIMIT: Final = 500  # characters


class Denials:
    """What one process has told lately. A stranger controls how often something is tried."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str], float] = {}

    async def tell(
        self,
        sessions: Sessions,
        actor: Actor,
        failure: DeniedError | HiddenError,
        *,
        method: str,
        path: str,
    ) -> None:
        """Record the attempt, in a transaction of its own: the attempt's was rolled back."""
        place = failure.place
        subject = place.workspace_id or place.project_id or place.organization_id
        if not self._is_news((actor.id, failure.permission, subject)):
            return
        async with transaction(sessions) as session:
            events.publish(
                session,
                AccessDenied(
                    actor_id=actor.id,
                    organization_id=place.organization_id,
                    subject_id=subject,
                    permission=failure.permission,
                    method=method,
                    path=path[:_PATH_LIMIT],
                ),
            )

    def _is_news(self, key: tuple[str, str, str]) -> bool:
        moment = time.monotonic()
        if moment - self._told.get(key, -_QUIET_S) < _QUIET_S:
            return False
        self._told.pop(key, None)
        if len(self._told) >= _REMEMBERED:
            self._told.pop(next(iter(self._told)))
        self._told[key] = moment
        return True
