"""Stretches of logs, cut at line ends, and finding things in a whole log."""

import asyncio
from collections import OrderedDict
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
TAIL_BYTES: Final = 32 * 1024  # each line is an element: beside a large plan, more make a page slow
_CHUNK_BYTES: Final = 4 * 2**20
_LONGEST_LINE: Final = 64 * 1024  # bytes a window looks ahead for the end of a line
_MATCHES: Final = 300
_MATCH_LENGTH: Final = 300  # characters shown of a matching line
_SEARCHES: Final = 64  # whose matches are remembered


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
    """Return about the last `TAIL_BYTES` of the log."""
    size = await size_of(process, phase_id)
    return await window(process, phase_id, begin=max(0, size - TAIL_BYTES), size=size)


async def folded(process: Process, phase_id: str) -> Window:
    """Return which part `tail` shows, without its lines: they are read once somebody wants them."""
    size = await size_of(process, phase_id)
    return Window(lines=(), begin=max(0, size - TAIL_BYTES), end=size, size=size)


async def since(
    process: Process, phase_id: str, offset: int, *, is_over: bool
) -> tuple[bytes, int]:
    """Return what was added after `offset`, in whole lines unless the log is over; and its end."""
    content = await _read(process, phase_id, offset, WINDOW_BYTES)
    if not is_over:
        content = content[: content.rfind(b"\n") + 1]
    return content, offset + len(content)


@dataclass(frozen=True)
class Matches:
    """Offset and text of the first lines that hold what was searched for; whether `more` do."""

    lines: Sequence[tuple[int, str]]
    more: bool


class Searches:
    """What was found lately, so that to follow one match is not to look for all of them again."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, int, str], Matches] = OrderedDict()

    def known(self, phase_id: str, size: int, text: str) -> Matches | None:
        """Return what was found in the log while it was so long; None: not known any more."""
        return self._found.get((phase_id, size, text))

    async def find(self, process: Process, phase_id: str, size: int, text: str) -> Matches:
        """Look for `text`, in any case, in the first `size` bytes of the log."""
        key = (phase_id, size, text)
        found = self._found.get(key)
        if found is None:
            lines, more = await _find(process, phase_id, text)
            found = self._found[key] = Matches(lines, more)
            while len(self._found) > _SEARCHES:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return found

    def forget(self) -> None:
        """Forget all, as another server knows nothing of it."""
        self._found.clear()


SEARCHES: Final = Searches()


async def _find(process: Process, phase_id: str, text: str) -> tuple[list[tuple[int, str]], bool]:
    found: list[tuple[int, str]] = []
    rest, at = b"", 0
    async for chunk in chunks(process, phase_id):
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        found += await asyncio.to_thread(_matching, whole, at, text.lower())
        at += len(whole) + len(end)
        if len(found) > _MATCHES:
            return found[:_MATCHES], True
    found += _matching(rest, at, text.lower())
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


def _matching(content: bytes, at: int, wanted: str) -> list[tuple[int, str]]:
    """Return offset and text of the lines that hold `wanted`; `content` begins at `at`."""
    text = plain(content)
    if wanted not in text.lower():
        return []
    found = []
    for line, raw in zip(text.split("\n"), content.split(b"\n"), strict=True):
        if wanted in line.lower():
            found.append((at, line[:_MATCH_LENGTH]))
        at += len(raw) + 1
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
