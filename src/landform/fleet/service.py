"""A process says that it lives, and reads its encryption keys anew when it is told to."""

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from landform import __version__
from landform.fleet.models import Kind, Presence
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, database_now, transaction
from landform.kit.errors import LandformError
from landform.kit.ids import new_id
from landform.kit.key_check import KeyCheck

log = structlog.get_logger()

_SILENCE_S: Final = 10.0
_MISSED: Final = 3  # looks that a busy process may miss
_KEPT: Final = timedelta(hours=1)


@dataclass
class Beat:
    """What this process says of itself.

    Attributes:
        sandbox, sandbox_reason: see `Presence`.
        every_s: seconds between two beats.
    """

    kind: Kind
    every_s: float
    sandbox: str = ""
    sandbox_reason: str = ""
    id: str = field(default_factory=lambda: new_id("proc"))
    generation: int = 0


async def keep_present(sessions: Sessions, keyring: Keyring, beat: Beat) -> None:
    """Say that this process lives, again and again, until cancelled."""
    try:
        while True:
            try:
                await say_present(sessions, keyring, beat)
            except LandformError as failure:
                log.warning("this process could not say that it lives", error=str(failure))
            except Exception:  # without it, a rotation of keys would not hear of us
                log.exception("this process could not say that it lives, for a reason of ours")
            await asyncio.sleep(beat.every_s)
    finally:
        with suppress(Exception):
            await _leave(sessions, beat)


async def say_present(sessions: Sessions, keyring: Keyring, beat: Beat) -> None:
    """Say once that this process lives, with the keys it holds after a look whether they changed.

    Raises:
        UnavailableError: the database does not answer.
    """
    async with transaction(sessions) as session:
        generation = await session.scalar(select(KeyCheck.generation)) or 0
    if generation != beat.generation:
        try:
            await asyncio.to_thread(keyring.refresh)
            beat.generation = generation
        except LandformError as failure:
            log.error("the encryption keys could not be read anew", error=str(failure))  # noqa: TRY400 - its text is all there is to it
    async with transaction(sessions) as session:
        moment = await database_now(session)
        silence = timedelta(seconds=_SILENCE_S + _MISSED * beat.every_s)
        known = {"key_ids": keyring.ids, "seen_at": moment, "expires_at": moment + silence}
        row = insert(Presence).values(
            id=beat.id,
            kind=beat.kind,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            sandbox=beat.sandbox,
            sandbox_reason=beat.sandbox_reason,
            started_at=moment,
            **known,
        )
        await session.execute(row.on_conflict_do_update(index_elements=["id"], set_=known))
        await session.execute(delete(Presence).where(Presence.expires_at < moment - _KEPT))


async def _leave(sessions: Sessions, beat: Beat) -> None:
    async with transaction(sessions) as session:
        await session.execute(delete(Presence).where(Presence.id == beat.id))
