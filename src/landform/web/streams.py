"""Streams of server-sent events to pages: how long they live, and how parts of a page are sent."""

import asyncio
from typing import Final

from landform.web.pages import SECURITY_HEADERS

LIFE_S: Final = 60.0  # of one stream: whoever lost their access is asked again then
BEAT_S: Final = 15.0  # a stream that says nothing is cut by proxies
STREAM: Final = {
    **SECURITY_HEADERS,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


def partial(target: str, swap: str, html: str) -> str:
    """Return a part of a page, to be swapped where `target` is; any number make a message."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def message(html: str, event_id: str) -> str:
    """Return an event that carries `html`; a browser that comes back says the last one's id."""
    data = "".join(f"data: {line}\n" for line in html.split("\n"))
    return f"id: {event_id}\n{data}\n"


async def any_of(events: list[asyncio.Event]) -> None:
    """Wait until one of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
