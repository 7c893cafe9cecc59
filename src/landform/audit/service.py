"""What a server does about the trail all the time: extend the chain, forward it, forget by age."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.audit import chain
from landform.audit.documents import documents
from landform.audit.models import AuditSink
from landform.audit.sinks import Sink
from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, database_now, transaction
from landform.kit.errors import LandformError
from landform.kit.events import EventRow

log = structlog.get_logger()

_FORWARDED: Final = 200  # events of one message to a sink
_TAKEN: Final = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What an operator wants done.

    Attributes:
        retention_days: events older than that are deleted; 0 keeps all.
        every_s: seconds between two looks.
    """

    sinks: Sequence[Sink] = ()
    retention_days: int = 0
    every_s: float = 2.0


async def keep_forever(sessions: Sessions, keyring: Keyring, upkeep: Upkeep) -> None:
    """Keep the trail until cancelled; what does not answer now is tried at the next look."""
    while True:
        try:
            await keep(sessions, keyring, upkeep)
        except LandformError as failure:
            log.warning("the audit trail waits", error=str(failure))
        except Exception:  # without it, nothing would be sealed any more
            log.exception("the audit trail waits for a reason of ours")
        await asyncio.sleep(upkeep.every_s)


async def keep(sessions: Sessions, keyring: Keyring, upkeep: Upkeep) -> None:
    """Do once what there is to do."""
    while await chain.extend(sessions, keyring) == chain.BATCH:
        pass
    for sink in upkeep.sinks:
        await _forward_all(sessions, sink)
    if upkeep.retention_days:
        before = now() - timedelta(days=upkeep.retention_days)
        while await chain.forget_before(sessions, keyring, before) == chain.BATCH:
            pass


async def forward(sessions: Sessions, sink: Sink) -> int:
    """Send the sink the next events it does not have; return how many.

    Raises:
        UnavailableError: it does not take them; they are sent again later.
    """
    async with transaction(sessions) as session:
        sink_row = await _free(session, sink)
        if sink_row is None:
            return 0
        found = select(EventRow).where(EventRow.position > sink_row.position)
        rows = (await session.scalars(found.order_by(EventRow.position).limit(_FORWARDED))).all()
        if not rows:
            return 0
        sink_row.taken_until = await database_now(session) + _TAKEN
        told = await documents(session, rows)
    try:
        await sink.send(told)
    except LandformError:
        await _release(sessions, sink, None)
        raise
    await _release(sessions, sink, rows[-1].position)
    return len(rows)


async def _free(session: AsyncSession, sink: Sink) -> AuditSink | None:
    """Lock the sink's row, made if need be; None while another server forwards."""
    values = {"name": sink.name, "position": 0}
    await session.execute(insert(AuditSink).values(values).on_conflict_do_nothing())
    query = select(AuditSink).where(AuditSink.name == sink.name).with_for_update(skip_locked=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None or (row.taken_until and row.taken_until > await database_now(session)):
        return None
    return row


async def _forward_all(sessions: Sessions, sink: Sink) -> None:
    try:
        while await forward(sessions, sink) == _FORWARDED:
            pass
    except LandformError as failure:
        log.warning("the audit trail was not forwarded", sink=sink.name, error=str(failure))


async def _release(sessions: Sessions, sink: Sink, position: int | None) -> None:
    async with transaction(sessions) as session:
        row = await session.get_one(AuditSink, sink.name, with_for_update=True)
        row.taken_until = None
        if position is not None:
            row.position = max(row.position, position)
