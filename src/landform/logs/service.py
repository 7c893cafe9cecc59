"""Logs of phases: append by offset, read while they grow, seal.

What TFE clients read is framed: STX, the content, and ETX once nothing will follow; the frame's
two bytes count in the offset they ask for (tfe_api.md §1.7). The frame is not stored.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import LogStream
from landform.dispatch import service as dispatch
from landform.kit.db import Sessions, notify, transaction
from landform.kit.errors import ConflictError
from landform.kit.failpoints import FailPoint, reach
from landform.kit.storage import Store
from landform.logs.models import Log, LogBlock

CHANNEL: Final = "landform_logs"
_GROW: Final = text(
    """
    WITH held AS (
        SELECT phase_id FROM leases
        WHERE phase_id = :phase_id AND epoch = :epoch AND state = 'leased'
        FOR UPDATE
    ), grown AS (
        UPDATE logs SET size_bytes = logs.size_bytes + :size
        FROM held
        WHERE logs.phase_id = held.phase_id AND logs.stream = :stream
            AND logs.base_epoch = :epoch AND logs.base_bytes + :offset = logs.size_bytes
        RETURNING logs.phase_id, logs.stream, logs.size_bytes - :size AS offset_bytes
    ), added AS (
        INSERT INTO log_blocks (phase_id, stream, offset_bytes, size_bytes, path)
        SELECT phase_id, stream, offset_bytes, :size, :path FROM grown
    )
    SELECT pg_notify(:channel, phase_id) FROM grown
    """
)
_CHUNK_BYTES: Final = 1 << 20
STX: Final = b"\x02"
ETX: Final = b"\x03"


async def append(
    sessions: Sessions,
    store: Store,
    *,
    phase_id: str,
    epoch: int,
    stream: LogStream,
    offset: int,
    data: bytes,
) -> None:
    """Add `data` at `offset` bytes from the attempt's first; a repeat is a no-op.

    Raises:
        LostLeaseError: the attempt is over.
        ConflictError: `offset` would leave a gap, or tells part of what was told otherwise.
    """
    # By its content too: what was accepted is never written over by what will be refused.
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = f"logs/{phase_id}/{stream}/{epoch}-{offset:012d}-{digest}"
    await store.put(path, data)
    reach(FailPoint.LOG_STORED)
    async with transaction(sessions) as session:
        if await _grow(session, phase_id, epoch, stream, offset, len(data), path):
            return
        await dispatch.guard(session, phase_id=phase_id, epoch=epoch)
        log = await _locked(session, phase_id, stream)
        if log.base_epoch != epoch:
            log.base_bytes, log.base_epoch = log.size_bytes, epoch
        at = log.base_bytes + offset
        if at + len(data) <= log.size_bytes:
            return
        if at != log.size_bytes:
            message = f"The log has {log.size_bytes - log.base_bytes} bytes, not {offset}."
            raise ConflictError(message)
        _add(session, log, size=len(data), path=path, inline=None)
        await notify(session, CHANNEL, phase_id)
    reach(FailPoint.LOG_APPENDED)


async def _grow(
    session: AsyncSession,
    phase_id: str,
    epoch: int,
    stream: LogStream,
    offset: int,
    size: int,
    path: str,
) -> bool:
    """Add a block in one statement when all is as it should be; False when it is not.

    Most of what a short run costs the database is this. It asks what `append` asks, in the same
    order of locks: the attempt's lease, then the log.
    """
    grown = await session.execute(
        _GROW,
        {
            "phase_id": phase_id,
            "epoch": epoch,
            "stream": stream.value,
            "offset": offset,
            "size": size,
            "path": path,
            "channel": CHANNEL,
        },
    )
    return grown.first() is not None


async def say(session: AsyncSession, phase_id: str, line: str) -> None:
    """Add a line of the platform's own to both logs of the phase, unless they are sealed."""
    data = f"{line}\n".encode()
    for stream in LogStream:
        log = await _locked(session, phase_id, stream)
        if not log.is_sealed:
            _add(session, log, size=len(data), path=None, inline=data)
    await notify(session, CHANNEL, phase_id)


async def seal(session: AsyncSession, phase_id: str) -> None:
    """Say that nothing will follow, in the transaction that ends the phase."""
    both = [{"phase_id": phase_id, "stream": stream, "is_sealed": True} for stream in LogStream]
    sealed = insert(Log).values(both)
    await session.execute(
        sealed.on_conflict_do_update(
            index_elements=[Log.phase_id, Log.stream], set_={"is_sealed": True}
        ),
        execution_options={"synchronize_session": False},
    )
    await notify(session, CHANNEL, phase_id)


@dataclass(frozen=True)
class Stretch:
    """A part of a framed log.

    Attributes:
        data: empty when there is no more yet.
        is_over: whoever had all before it has all there will be.
    """

    data: bytes
    is_over: bool = False


async def read_framed(
    sessions: Sessions, store: Store, *, phase_id: str, stream: LogStream, offset: int, limit: int
) -> bytes:
    """Return up to `limit` bytes from `offset` of the framed log; empty: no more yet."""
    stretch = await read_stretch(
        sessions, store, phase_id=phase_id, stream=stream, offset=offset, limit=limit
    )
    return stretch.data


async def read_stretch(
    sessions: Sessions, store: Store, *, phase_id: str, stream: LogStream, offset: int, limit: int
) -> Stretch:
    """Return up to `limit` bytes from `offset` of the framed log, and whether that was its end."""
    async with transaction(sessions) as session:
        log = await session.get(Log, (phase_id, stream))
        size = log.size_bytes if log else 0
        is_sealed = log is not None and log.is_sealed
        begin, end = max(offset - 1, 0), min(offset - 1 + limit, size)
        blocks = await _blocks(session, phase_id, stream, begin, end) if begin < end else []
    is_over = is_sealed and offset >= size + 2
    if log is None or limit <= 0:
        return Stretch(b"", is_over)
    reach(FailPoint.LOG_READING)
    found = [block.path for block in blocks if block.path is not None]
    contents = dict(zip(found, await store.get_many(found), strict=True))
    content = b"".join(
        _cut(contents[block.path] if block.path else block.inline or b"", block, begin, end)
        for block in blocks
    )
    framed = (STX if offset == 0 else b"") + content
    if is_sealed and offset <= 1 + size < offset + limit:
        framed += ETX
    return Stretch(framed, is_over)


async def read(sessions: Sessions, store: Store, *, phase_id: str, stream: LogStream) -> bytes:
    """Return the whole content so far, without the frame."""
    whole = await read_framed(
        sessions, store, phase_id=phase_id, stream=stream, offset=1, limit=2**40
    )
    return whole.removesuffix(ETX)


async def chunks(
    sessions: Sessions, store: Store, *, phase_id: str, stream: LogStream
) -> AsyncIterator[bytes]:
    """Yield the whole content so far, without the frame and a stretch at a time."""
    async with transaction(sessions) as session:
        end = await size(session, phase_id, stream)
    for at in range(0, end, _CHUNK_BYTES):
        yield await read_framed(
            sessions,
            store,
            phase_id=phase_id,
            stream=stream,
            offset=at + 1,
            limit=min(_CHUNK_BYTES, end - at),
        )


async def size(session: AsyncSession, phase_id: str, stream: LogStream) -> int:
    """Return how many bytes of content the log has so far."""
    query = select(Log.size_bytes).where(Log.phase_id == phase_id, Log.stream == stream)
    return await session.scalar(query) or 0


def _cut(data: bytes, block: LogBlock, begin: int, end: int) -> bytes:
    return data[max(begin - block.offset_bytes, 0) : max(end - block.offset_bytes, 0)]


def _add(
    session: AsyncSession, log: Log, *, size: int, path: str | None, inline: bytes | None
) -> None:
    session.add(
        LogBlock(
            phase_id=log.phase_id,
            stream=log.stream,
            offset_bytes=log.size_bytes,
            size_bytes=size,
            path=path,
            inline=inline,
        )
    )
    log.size_bytes += size


async def _locked(session: AsyncSession, phase_id: str, stream: LogStream) -> Log:
    query = (
        select(Log)
        .where(Log.phase_id == phase_id, Log.stream == stream)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    log = (await session.scalars(query)).one_or_none()
    if log is None:
        log = Log(phase_id=phase_id, stream=stream)
        session.add(log)
        await session.flush()
    return log


async def _blocks(
    session: AsyncSession, phase_id: str, stream: LogStream, begin: int, end: int
) -> list[LogBlock]:
    query = (
        select(LogBlock)
        .where(
            LogBlock.phase_id == phase_id,
            LogBlock.stream == stream,
            LogBlock.offset_bytes < end,
            LogBlock.offset_bytes + LogBlock.size_bytes > begin,
        )
        .order_by(LogBlock.offset_bytes)
    )
    return list((await session.scalars(query)).all())
