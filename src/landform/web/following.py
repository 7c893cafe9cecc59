"""Pages that follow what they show: read again, as their reader would, when it has changed.

A page names what it is about: nouns (the packages whose events change it) and ids. When something
of that is told, its own route is asked again with its reader's cookies, inside this process, and
what is other than before is sent. So nobody is shown, or told by an event, more than a reload would
show them; who may not see the page any more is told so and sent away. The address of a stream is
sealed: only a page that was shown in this session can be followed.

A stream ends after a minute and comes back with the mark of what it showed last, as all do here
(`landform.web.streams`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp, Message

from landform.access.events import AccessDenied
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.federation.events import ProviderSignInRefused, WorkloadRefused
from landform.identity.events import CodeRefused, PasswordRefused
from landform.kit.errors import NotFoundError
from landform.kit.events import CHANNEL, Event
from landform.logs.service import CHANNEL as LOGS
from landform.web import streams
from landform.web.lists import LastEventId, Since
from landform.web.pages import READING, CurrentSession, follow_seal, fragment
from landform.web.regions import Reading, is_other, mark_of
from landform.web.streams import STREAM, message, partial

router = APIRouter(include_in_schema=False)

_REST_S: Final = 0.5  # between two readings of a page, however fast things change
# Times as long as it took to read, the wait for one's turn in it: with many readers, each reads
# less often, and a third of the time at most goes into it.
_RESTS: Final = 2
_LONGEST_REST_S: Final = 10.0
# May come as often as a stranger likes, and no page but the trail tells them.
_UNREAD: Final = frozenset(
    kind.__name__
    for kind in (AccessDenied, PasswordRefused, CodeRefused, ProviderSignInRefused, WorkloadRefused)
)
_OVER: Final = "event: over\ndata: over\n\n"


@router.get("/follow")
async def follow(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    page: Annotated[str, Query(max_length=4000)],
    on: Annotated[str, Query(max_length=4000)],
    seal: Annotated[str, Query(max_length=64)],
    since: Since = "",
    last_event_id: LastEventId = "",
) -> Response:
    """Tell what changes on a page, for as long as it is looked at.

    Args:
        page: its path and query.
        on: what it is about, as `landform.web.pages.page` was told.
        seal: shows that this session was shown that page.
        since: the mark of what the browser shows.
    """
    if not visitor.is_sealed(follow_seal(page, on), seal):
        raise NotFoundError("There is no such page to follow.")
    read = _reader(request, process, page)
    told = _told(read, process, tuple(on.split(",")), last_event_id or since)
    return StreamingResponse(told, media_type="text/event-stream", headers=STREAM)


def _told_by(follows: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return what to listen to: `org-1/access` is every kind of event of `access` in there."""
    keys = set()
    for each in follows:
        place, _, noun = each.rpartition("/")
        names = kinds().get(noun, frozenset())
        keys |= {(CHANNEL, f"{place}/{name}" if place else name) for name in names}
        # An id, an event's name, or what is told without an event; a log tells by its phase.
        keys |= {(CHANNEL, each), (LOGS, each)}
    return keys


def kinds() -> Mapping[str, frozenset[str]]:
    """Return the names of the events of each noun."""
    found: dict[str, set[str]] = {}
    for each in Event.__subclasses__():
        _, noun, *_ = each.__module__.split(".")
        found.setdefault(noun, set()).add(each.__name__)
    return {noun: frozenset(names) - _UNREAD for noun, names in found.items()}


async def _told(
    read: Callable[[], Awaitable[Reading]], process: Process, follows: tuple[str, ...], mark: str
) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    deadline = clock() + streams.LIFE_S
    beat_at = clock() + streams.BEAT_S
    yield "retry: 1000\n\n"
    shown: Mapping[str, str] = {}
    while clock() < deadline:
        with process.listener.expect_any(_told_by(follows)) as changed:
            began = clock()
            reading = await read()
            rest_s = min(max(_REST_S, (clock() - began) * _RESTS), _LONGEST_REST_S)
            if reading.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return  # the browser comes back
            if not reading.regions:
                gone = partial("#page", "innerHTML", fragment("layout/_gone.html"))
                yield message(gone, "")
                yield _OVER
                return
            now = mark_of(reading.regions)
            if now != mark:
                yield message(_fresh(shown, reading.regions), now)
            mark, shown = now, reading.regions
            if reading.follows != follows:
                follows = reading.follows
                continue
            await asyncio.sleep(rest_s)
            while not changed.is_set() and clock() < deadline:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(beat_at, deadline)):
                        await changed.wait()
                if clock() >= beat_at:
                    beat_at += streams.BEAT_S
                    yield ": still here\n\n"


def _fresh(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    return "".join(
        partial(f"#{name}", "innerMorph", html)
        for name, html in now.items()
        if name not in before or is_other(before[name], html)
    )


def _reader(request: Request, process: Process, page: str) -> Callable[[], Awaitable[Reading]]:
    """Return what asks for the page again as this request would, of the pages alone."""
    path, _, query = page.partition("?")
    asked = {
        **{name: request.scope[name] for name in _OF_A_REQUEST if name in request.scope},
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
    }
    pages: ASGIApp = request.app.state.pages

    async def read() -> Reading:
        reading = Reading()

        async def answer(part: Message) -> None:
            if part["type"] == "http.response.start":
                reading.status = part["status"]

        async with process.page_readings:
            await pages({**asked, "state": {}, READING: reading}, _nothing_more, answer)
        return reading

    return read


_OF_A_REQUEST: Final = (
    *("type", "asgi", "http_version", "method", "scheme"),
    *("root_path", "headers", "client", "server"),
)


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
