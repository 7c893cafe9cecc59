"""Pages that stay true: one reader per run, however many browsers watch, and nobody polls.

A browser holds one request per page open (server-sent events). What changed is read once, by a
task that lives as long as somebody watches, and rendered for each watcher with what that watcher
may do. A stream ends after a minute, so that whoever lost their access is asked again when the
browser comes back; it comes with the id of the last event, which says how far its logs are.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.logs.service import CHANNEL as LOGS
from landform.runs.models import Run
from landform.runs.moves import CHANNEL as RUNS
from landform.web import log_reading, streams
from landform.web.pages import CurrentSession, fragment
from landform.web.present.ansi import lines_of
from landform.web.regions import is_other, mark_of
from landform.web.run_page import PARTS, RUN, Opened, changes, open_run, parts_of, whole
from landform.web.run_reading import Reading, read_run
from landform.web.streams import STREAM, any_of, message, partial

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)

_REST_S: Final = 0.25  # between two reads, however fast things change


@dataclass
class Watch:
    """A run that somebody watches: what was read of it last, and who waits for the next.

    Attributes:
        version: counts the reads.
    """

    run_id: str
    watchers: int = 0
    version: int = 0
    reading: Reading | None = None
    parts: dict[str, Any] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: asyncio.Task[None] | None = None
    chunks: dict[tuple[str, int], asyncio.Task[tuple[bytes, int]]] = field(default_factory=dict)

    async def follow(self, process: Process) -> None:
        """Read the run whenever it or one of its logs changes, until cancelled."""
        suffix = self.run_id.removeprefix("run-")
        while True:
            with contextlib.ExitStack() as stack:
                events = [
                    stack.enter_context(process.listener.expect(channel, key))
                    for channel, key in (
                        (RUNS, self.run_id),
                        (LOGS, f"plan-{suffix}"),
                        (LOGS, f"apply-{suffix}"),
                    )
                ]
                try:
                    await self._read(process)
                except LandformError as failure:
                    log.warning("A run that is watched cannot be read", error=str(failure))
                await asyncio.sleep(_REST_S)
                await any_of(events)

    async def _read(self, process: Process) -> None:
        async with transaction(process.platform.sessions) as session:
            run = await session.get(Run, self.run_id)
            if run is None:
                return
            reading = await read_run(session, run)
        parts = await parts_of(process, reading)
        async with self.changed:
            self.reading, self.parts = reading, parts
            self.chunks.clear()
            self.version += 1
            self.changed.notify_all()

    async def added(self, process: Process, phase_id: str, offset: int) -> tuple[bytes, int]:
        """Return what a log has after `offset`, read once for all who ask the same."""
        key = (phase_id, offset)
        if key not in self.chunks:
            phases = self.reading.phases if self.reading else ()
            is_over = not any(p.id == phase_id and log_reading.grows(p) for p in phases)
            reading = log_reading.since(process, phase_id, offset, is_over=is_over)
            self.chunks[key] = asyncio.create_task(reading)
        return await asyncio.shield(self.chunks[key])


class Hub:
    """The runs that are watched in this process."""

    def __init__(self) -> None:
        self.watches: dict[str, Watch] = {}

    @contextmanager
    def join(self, process: Process, run_id: str) -> Iterator[Watch]:
        """Watch a run; the last to leave ends the reading."""
        watch = self.watches.get(run_id)
        if watch is None:
            watch = self.watches[run_id] = Watch(run_id)
            watch.task = asyncio.create_task(watch.follow(process))
        watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                if watch.task is not None:
                    watch.task.cancel()
                self.watches.pop(run_id, None)


HUB: Final = Hub()


@router.get(f"{RUN}/events")
async def events(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    since: Annotated[str, Query(max_length=100)] = "",
    last_event_id: Annotated[str, Header(max_length=100)] = "",
) -> Response:
    """Tell what changes on the page of a run, for as long as it is watched."""
    opened = await open_run(request, process, visitor)
    stream = _stream(process, opened, *_shown(last_event_id or since))
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM)


async def _stream(
    process: Process, opened: Opened, offsets: list[int], mark: str
) -> AsyncIterator[str]:
    deadline = asyncio.get_running_loop().time() + streams.LIFE_S
    told: dict[str, str] = {}
    seen = 0
    with HUB.join(process, opened.reading.run.id) as watch:
        yield "retry: 1000\n\n"
        while asyncio.get_running_loop().time() < deadline:
            if not await _newer(watch, seen):
                yield ": still here\n\n"
                continue
            seen = watch.version
            async for each in _told(process, opened, watch, told, offsets, mark):
                yield each


async def _newer(watch: Watch, seen: int) -> bool:
    async with watch.changed:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(streams.BEAT_S):
                await watch.changed.wait_for(lambda: watch.version > seen)
        return watch.version > seen


async def _told(
    process: Process,
    opened: Opened,
    watch: Watch,
    told: dict[str, str],
    offsets: list[int],
    mark: str,
) -> AsyncIterator[str]:
    """Yield the parts that are not as they were told last, and what the logs have gained.

    Args:
        mark: of the parts that the browser shows, if it has come back.
    """
    reading = watch.reading
    if reading is None:
        return
    now = replace(opened, reading=reading)
    values = whole(watch.parts, now)
    values |= changes(values["plan"], now.here, "", "", 1)
    fresh = []
    parts = {name: fragment(f"runs/_{name}.html", **values) for name in PARTS}
    if not told and mark == mark_of(parts):
        told |= parts
    for name, html in parts.items():
        if name not in told or is_other(told[name], html):
            told[name] = html
            fresh.append(partial(f"#run-{name}", "outerMorph", html))
    for index, phase in enumerate(reading.phases):
        content, end = await watch.added(process, phase.id, offsets[index])
        if content:
            lines = lines_of(content, offsets[index])
            name, offsets[index] = phase.phase.value, end
            html = fragment("runs/_log_lines.html", lines=lines, name=name, here=now.here)
            fresh.append(partial(f"#lines-{name}", "beforeend", html))
    if fresh:
        yield message("".join(fresh), ".".join([*map(str, offsets), mark_of(told)]))


def _shown(text: str) -> tuple[list[int], str]:
    """Read `1200.80.MARK`: how much of the logs the browser has, and what else it shows."""
    *parts, mark = text.split(".") if text.count(".") == 2 else [*text.split("."), ""]  # noqa: PLR2004 - plan, apply, mark
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) < 16 for p in parts):  # noqa: PLR2004 - plan and apply; a petabyte
        return [0, 0], ""
    return [int(part) for part in parts], mark
