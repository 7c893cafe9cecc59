"""What a browser hears of a page that is kept true."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from itertools import count
from typing import Any

from landform.kit.db import notify, transaction
from landform.kit.events import CHANNEL
from tests.web.pages import Browser, Site

SOON_S = 60.0
_NUMBERS = count(1)


@dataclass
class Stream:
    """What a browser hears of one list, as it arrives."""

    heard: list[str] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def said(self) -> str:
        """Everything but the beats."""
        return "".join(each for each in self.heard if not each.startswith((":", "retry")))

    async def says(self, text: str) -> None:
        async with self.came, asyncio.timeout(SOON_S):
            await self.came.wait_for(lambda: text in self.said)


async def until(holds: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + SOON_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it does not come to hold"
        await asyncio.sleep(0.02)


async def all_heard(site: Site) -> None:
    """Wait until the application has heard all that was told so far, so that none of it comes late.

    What is told is heard in its order. The first may be lost, or thought to have come, while the
    application begins to listen; the second comes after all that was told before.
    """
    for _ in range(2):
        told = f"told-{next(_NUMBERS)}"
        with site.app.state.process.listener.expect(CHANNEL, told) as heard:
            async with transaction(site.world.platform.sessions) as session:
                await notify(session, CHANNEL, told)
            async with asyncio.timeout(SOON_S):
                await heard.wait()


def stream_of(page: str) -> str:
    found = re.search(r'hx-sse:connect="([^"]+)"', page)
    assert found is not None, "the page watches nothing"
    return unescape(found[1])


async def hear(site: Site, browser: Browser, address: str, stream: Stream) -> None:
    """Call the application itself: the client of the other tests waits for the whole body."""
    path, _, query = address.partition("?")
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    scope = {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"landform.test"), (b"cookie", cookies.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("landform.test", 80),
    }
    never = asyncio.Event()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await never.wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        elif message.get("body"):
            async with stream.came:
                stream.heard.append(message["body"].decode())
                stream.came.notify_all()

    await site.app(scope, receive, send)


@asynccontextmanager
async def following(site: Site, browser: Browser, path: str) -> AsyncIterator[Stream]:
    """Open the page at `path`, and what it connects to; what changes from now on is told."""
    await all_heard(site)
    stream = Stream()
    address = stream_of(await browser.get(path))
    task = asyncio.create_task(hear(site, browser, address, stream))
    yield stream
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
