"""Lists that stay true: read once per change for all who are shown the same, and nobody polls.

What somebody may see decides whom they share a reading with, so that nobody is shown another's. A
change that one may not see leaves what is shown as it was, and then nothing is said, nor is the
time at which nothing is said another. Streams end and come back as those of a run do
(`landform.web.live`); the id of an event is a digest of what was shown.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeAlias

import structlog
from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.edge.process import Process
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import LandformError, UnavailableError
from landform.kit.events import CHANNEL
from landform.web import streams
from landform.web.pages import Visitor, fragment
from landform.web.streams import STREAM, any_of, message, partial
from landform.web.visit import Visit

log = structlog.get_logger()

_REST_S: Final = 0.5  # between two readings, however fast things change
_AGAIN_S: Final = 5.0  # after one that failed
_WHOLE: Final = "#live-list"

Values: TypeAlias = Mapping[str, Any]
Since = Annotated[str, Query(max_length=64)]
LastEventId = Annotated[str, Header(max_length=64)]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A list that can be watched.

    Attributes:
        template: shows the list, as the element `live-list`, from the values of a reading.
        row_template: shows one `row` of the reading's `rows`, as the element `row-{row.key}`.
        what: which list, and how it is narrowed, sorted and paged.
        places: ids of what changes in: organizations, workspaces; or kinds of events. A reading
            may have `places` of its own besides, which it only then turns out to be about.
        sight: what decides how much of it an actor is shown; who has an equal one shares.
        read: returns the values; data only, as their text tells whether anything has changed.
    """

    template: str
    row_template: str
    what: Hashable
    places: Sequence[str]
    sight: Callable[[AsyncSession, Actor], Awaitable[Hashable]]
    read: Callable[[AsyncSession, Actor], Awaitable[Values]]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a list shows at one moment.

    Attributes:
        mark: another one when anything else is shown; times that pass aside.
        frame: the same for which rows there are, in which order, and all around them.
        rows: by key, the mark and the HTML of each row.
        html: the whole list.
    """

    mark: str
    frame: str
    rows: Mapping[str, tuple[str, str]]
    html: str


async def alike(session: AsyncSession, actor: Actor) -> None:
    """Say, as a `sight`, that a list is the same for everybody who may see it at all."""


def mark_of(values: Values) -> str:
    """Return the mark of what a page shows of these values."""
    return _digest(sorted(values.items()))


def _shown(source: Source, values: Values) -> Shown:
    rows = values["rows"]
    around = {**values, "rows": [row.key for row in rows]}
    shared = {name: value for name, value in values.items() if name != "rows"}
    return Shown(
        mark=mark_of(values),
        frame=mark_of(around),
        rows={
            row.key: (_digest(row), fragment(source.row_template, row=row, **shared))
            for row in rows
        },
        html=fragment(source.template, **values),
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


@dataclass(eq=False)
class Seat:
    """One who watches. `is_gone` once they may not see the list, or another part of it."""

    actor: Actor
    is_gone: bool = False


@dataclass
class Watch:
    """A list that somebody watches: what it showed last, and who waits for the next.

    Attributes:
        version: counts the readings.
    """

    source: Source
    sight: Hashable
    seats: list[Seat] = field(default_factory=list)
    version: int = 0
    shown: Shown | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: asyncio.Task[None] | None = None
    places: Sequence[str] = ()

    async def follow(self, process: Process) -> None:
        """Read the list whenever something changes where it is, until cancelled."""
        while True:
            with contextlib.ExitStack() as stack:
                places = self.places
                events = [
                    stack.enter_context(process.listener.expect(CHANNEL, place))
                    for place in {*self.source.places, *places}
                ]
                if not await self._read(process):
                    await asyncio.sleep(_AGAIN_S)
                    continue
                if self.places != places:
                    continue
                await asyncio.sleep(_REST_S)
                await any_of(events)

    async def _read(self, process: Process) -> bool:
        """Read it as one of those who watch; who has come to see more or less is sent away."""
        values = None
        for seat in [each for each in self.seats if not each.is_gone]:
            try:
                async with transaction(process.platform.sessions) as session:
                    if await self.source.sight(session, seat.actor) == self.sight:
                        values = await self.source.read(session, seat.actor)
                        break
            except UnavailableError as failure:
                log.warning("A list that is watched cannot be read", error=str(failure))
                return False
            except LandformError:
                pass
            seat.is_gone = True
        shown = _shown(self.source, values) if values is not None else self.shown
        if values is not None:
            self.places = values.get("places", ())
        async with self.changed:
            self.shown = shown
            self.version += 1
            self.changed.notify_all()
        return True

    async def newer(self, seen: int, *, until: float) -> bool:
        """Wait for a reading after `seen`, until that time of the loop's clock."""
        async with self.changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self.changed.wait_for(lambda: self.version > seen)
            return self.version > seen


class Hub:
    """The lists that are watched in this process."""

    def __init__(self) -> None:
        self.watches: dict[Hashable, Watch] = {}

    @contextmanager
    def join(
        self, process: Process, source: Source, sight: Hashable, actor: Actor
    ) -> Iterator[tuple[Watch, Seat]]:
        """Watch a list; the last to leave ends the reading."""
        key = (id(process), source.template, source.what, sight)
        watch = self.watches.get(key)
        if watch is None:
            watch = self.watches[key] = Watch(source, sight)
            watch.task = asyncio.create_task(watch.follow(process))
        seat = Seat(actor)
        watch.seats.append(seat)
        try:
            yield watch, seat
        finally:
            watch.seats.remove(seat)
            if not watch.seats:
                if watch.task is not None:
                    watch.task.cancel()
                self.watches.pop(key, None)


HUB: Final = Hub()


async def stream(
    request: Request,
    process: Process,
    visitor: Visitor,
    find: Callable[[Visit], Awaitable[Source]],
    since: str,
) -> Response:
    """Tell what changes in a list, for as long as it is watched.

    Args:
        find: returns the list, or raises when the visitor may not see it.
        since: the mark of what the browser shows.
    """
    async with transaction(process.platform.sessions) as session:
        source = await find(Visit(request, session, visitor))
        sight = await source.sight(session, visitor.actor)
    told = _told(process, source, sight, visitor.actor, since)
    return StreamingResponse(told, media_type="text/event-stream", headers=STREAM)


async def _told(
    process: Process, source: Source, sight: Hashable, actor: Actor, since: str
) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    deadline = clock() + streams.LIFE_S
    beat_at = clock() + streams.BEAT_S
    yield "retry: 1000\n\n"
    if clock() >= deadline:
        return
    before, seen = None, 0
    with HUB.join(process, source, sight, actor) as (watch, seat):
        while clock() < deadline and not seat.is_gone:
            if await watch.newer(seen, until=min(beat_at, deadline)):
                seen, shown = watch.version, watch.shown
                if shown is not None and shown.mark != since:
                    yield message(_fresh(before, shown), shown.mark)
                    since = shown.mark
                before = shown
            if clock() >= beat_at:
                beat_at += streams.BEAT_S
                yield ": still here\n\n"


def _fresh(before: Shown | None, shown: Shown) -> str:
    """Return the rows that are not as before; the whole list, when more than rows is not."""
    if before is None or before.frame != shown.frame:
        return partial(_WHOLE, "outerMorph", shown.html)
    return "".join(
        partial(f"#row-{key}", "outerMorph", html)
        for key, (mark, html) in shown.rows.items()
        if before.rows[key][0] != mark
    )
