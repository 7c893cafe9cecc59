"""Stretches of logs, cut at line ends, and finding things in a whole log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from landform.contract import LogStream
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.logs import service as logs
from landform.runs.models import RunPhase
from landform.runs.status import PhaseStatus
from landform.web.present.ansi import Line, lines_of, plain

WINDOW_BYTES: Final = 128 * 1024
_CHUNK_BYTES: Final = 4 * 2**20
_LONGEST_LINE: Final = 64 * 1024  # bytes a window looks ahead for the end of a line
_MATCHES: Final = 300
_MATCH_LENGTH: Final = 300  # characters shown of a matching line


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of a log: bytes `begin` to `end` of `size`, in whole lines where there are any."""

    lines: Sequence[Line]
    begin: int
    end: int
    size: int


async def size_of(process: Process, phase_id: str) -> int:
    """Return how many bytes of text the phase has logged."""
    async with transaction(process.platform.sessions) as session:
        return await logs.size(session, phase_id, LogStream.TEXT)


async def window(process: Process, phase_id: str, *, begin: int, size: int) -> Window:
    """Return about `WINDOW_BYTES` of the log from the first line at or after `begin`."""
    begin = max(0, min(begin, size))
    content = await _read(process, phase_id, begin, WINDOW_BYTES + _LONGEST_LINE)
    if begin:
        before = await _read(process, phase_id, begin - 1, 1)
        cut = 0 if before == b"\n" else content.find(b"\n") + 1
        begin, content = begin + cut, content[cut:]
    if len(content) > WINDOW_BYTES:
        end = content.rfind(b"\n", 0, WINDOW_BYTES) + 1 or WINDOW_BYTES
        content = content[:end]
    return Window(lines=lines_of(content, begin), begin=begin, end=begin + len(content), size=size)


async def tail(process: Process, phase_id: str) -> Window:
    """Return the last of the log."""
    size = await size_of(process, phase_id)
    return await window(process, phase_id, begin=max(0, size - WINDOW_BYTES), size=size)


async def since(
    process: Process, phase_id: str, offset: int, *, is_over: bool
) -> tuple[bytes, int]:
    """Return what was added after `offset`, in whole lines unless the log is over; and its end."""
    content = await _read(process, phase_id, offset, WINDOW_BYTES)
    if not is_over:
        content = content[: content.rfind(b"\n") + 1]
    return content, offset + len(content)


async def find(process: Process, phase_id: str, text: str) -> tuple[list[tuple[int, str]], bool]:
    """Return offset and text of the lines that hold `text`, in any case; and whether more do."""
    found: list[tuple[int, str]] = []
    rest, at = b"", 0
    async for chunk in chunks(process, phase_id):
        *lines, rest = (rest + chunk).split(b"\n")
        found += await asyncio.to_thread(_matching, lines, at, text.lower())
        at += sum(len(line) + 1 for line in lines)
        if len(found) > _MATCHES:
            return found[:_MATCHES], True
    found += _matching([rest], at, text.lower())
    return found[:_MATCHES], len(found) > _MATCHES


async def chunks(process: Process, phase_id: str) -> AsyncIterator[bytes]:
    """Yield the whole log so far, a few mebibytes at a time."""
    at, size = 0, await size_of(process, phase_id)
    while at < size:
        content = await _read(process, phase_id, at, min(_CHUNK_BYTES, size - at))
        if not content:
            return
        at += len(content)
        yield content


def grows(phase: RunPhase) -> bool:
    """Tell whether more may be logged."""
    return phase.status in (PhaseStatus.PENDING, PhaseStatus.QUEUED, PhaseStatus.RUNNING)


def _matching(lines: Sequence[bytes], at: int, wanted: str) -> list[tuple[int, str]]:
    found = []
    for line in lines:
        text = plain(line)
        if wanted in text.lower():
            found.append((at, text[:_MATCH_LENGTH]))
        at += len(line) + 1
    return found


async def _read(process: Process, phase_id: str, offset: int, limit: int) -> bytes:
    content = await logs.read_framed(
        process.platform.sessions,
        process.platform.store,
        phase_id=phase_id,
        stream=LogStream.TEXT,
        offset=offset + 1,
        limit=limit,
    )
    return content.removesuffix(logs.ETX)
