"""What a worker does about repositories beside running phases: jobs, and looking after things."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from sqlalchemy import text

from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.kit.tasks import ALIVE, Task, defer
from landform.runs.uploads import refuse_configuration
from landform.triggers.delivering import process_delivery
from landform.triggers.desk import Desk
from landform.triggers.feedback import tell_due
from landform.triggers.fetching import fetch_commit
from landform.triggers.looking import look_at_due
from landform.triggers.starting import FETCH_COMMIT, QUEUE
from landform.triggers.upkeep import see_to_due
from landform.triggers.watching import enroll
from landform.vcs import deliveries, expiry
from landform.vcs.deliveries import PROCESS

log = structlog.get_logger()

_TELL_S: Final = 1.0
_WATCH_S: Final = 2.0
_EXPIRY_S: Final = 600.0
_RING_S: Final = 15.0

# Commits that somebody waits for and no job is about: its worker died.
_LOST: Final = text(
    f"""
    SELECT DISTINCT ingress.connection_id, ingress.repository_id, ingress.commit_sha
    FROM ingress_attributes AS ingress
    JOIN configuration_versions AS version ON version.id = ingress.configuration_version_id
    WHERE version.status = 'pending'
      AND version.created_at < clock_timestamp() - interval '15 seconds'
      AND version.created_at >= clock_timestamp() - interval '1 hour'
      AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS job
        WHERE job.queue_name = 'vcs' AND {ALIVE}
          AND job.args ->> 'commit' = ingress.commit_sha
      )
    LIMIT 100
    """  # noqa: S608 - a constant of ours
)


# And those that nobody will ever get: by then a provider that is away was given up on.
_HOPELESS: Final = text(
    """
    SELECT version.id
    FROM configuration_versions AS version
    JOIN ingress_attributes AS ingress ON ingress.configuration_version_id = version.id
    WHERE version.status = 'pending'
      AND version.created_at < clock_timestamp() - interval '1 hour'
    LIMIT 100
    """
)
_NEVER_CAME: Final = "Its commit could not be fetched within an hour."


class Background:
    """The jobs of the queue `vcs`, and the loops beside them; any number of workers have both.

    Args:
        look_s: seconds between two looks at a repository that no hook tells of.
    """

    def __init__(self, desk: Desk, *, look_s: float) -> None:
        self._desk = desk
        self._look_s = look_s

    @property
    def tasks(self) -> Mapping[str, Task]:
        """What to do about a job, by its name."""
        return {FETCH_COMMIT: self._fetch_commit, PROCESS: self._process_delivery}

    async def run(self) -> None:
        """Look after hooks, repositories and what providers are told, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_forever(self._tell, _TELL_S))
            group.create_task(_forever(self._watch, _WATCH_S))
            group.create_task(_forever(self.ring_again, _RING_S))
            group.create_task(_forever(self._warn, _EXPIRY_S))

    async def ring_again(self) -> None:
        """Have deliveries dealt with, and commits fetched, whose job was lost with its worker."""
        async with transaction(self._desk.sessions) as session:
            await deliveries.ring_again(session)
            for row in (await session.execute(_LOST)).all():
                await defer(
                    session,
                    FETCH_COMMIT,
                    queue=QUEUE,
                    connection_id=row[0],
                    repository_id=row[1],
                    commit=row[2],
                )
            hopeless = (await session.scalars(_HOPELESS)).all()
        for version_id in hopeless:
            await refuse_configuration(self._desk.sessions, version_id, _NEVER_CAME)

    async def _tell(self) -> None:
        await tell_due(self._desk)

    async def _warn(self) -> None:
        async with transaction(self._desk.sessions) as session:
            if told := await expiry.tell_due(session):
                log.warning("Secrets of VCS connections end soon", connections=told)

    async def _watch(self) -> None:
        await enroll(self._desk)
        await look_at_due(self._desk, every_s=self._look_s)
        await see_to_due(self._desk)

    async def _process_delivery(self, delivery_id: str) -> None:
        await process_delivery(self._desk, delivery_id=delivery_id)

    async def _fetch_commit(
        self, connection_id: str, repository_id: str, commit: str, attempt: int = 0
    ) -> None:
        await fetch_commit(
            self._desk,
            connection_id=connection_id,
            repository_id=repository_id,
            commit=commit,
            attempt=attempt,
        )


async def _forever(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await work()
        except LandformError as failure:
            log.warning("repositories were not looked after", error=str(failure))
        except Exception:  # without it, nothing is looked after any more
            log.exception("repositories were not looked after for a reason of ours")
        await asyncio.sleep(every_s)
