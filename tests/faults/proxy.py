"""What stands between two programs, and can lose what they say to each other."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.cli.command import eventually

T = TypeVar("T")
Address = Path | tuple[str, int]
_CHUNK = 1 << 16
_REMEMBERED = 1 << 20
_HEARD_S = 0.5


@dataclass(eq=False)
class _Passage:
    """One connection and its other half.

    Attributes:
        said: the first that the client said.
        muted: nothing passes any more, either way, and neither end is told.
    """

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    said: bytearray = field(default_factory=bytearray)
    muted: bool = False

    def close(self) -> None:
        """End both halves, whatever is under way."""
        self.client.transport.abort()
        self.server.transport.abort()

    def close_in_order(self, end: asyncio.StreamWriter) -> None:
        """Tell one end that nothing follows, once it has all there is."""
        with contextlib.suppress(OSError, RuntimeError):
            if end.can_write_eof():
                end.write_eof()


class Proxy:
    """Takes each new connection to the next of some addresses at which anybody answers."""

    def __init__(self, at: Address, targets: Callable[[], Sequence[Address]]) -> None:
        """Listen `at` a socket's path, or a host and port; port 0 takes a free one."""
        self.at = at
        self._targets = targets
        self._turn = 0
        self._trap: tuple[bytes, bytes] | None = None
        self._passages: set[_Passage] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Listen for as long as the context lasts."""
        self._thread.start()
        server = self._call(self._listen())
        try:
            yield self
        finally:
            self.cut()
            self._call(self._close(server))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def mute(self, word: bytes) -> int:
        """Let nothing pass any more on connections whose client said `word`; return how many."""

        async def mute() -> int:
            found = [each for each in self._passages if word in each.said and not each.muted]
            for passage in found:
                passage.muted = True
            return len(found)

        return self._call(mute())

    def cut_after(self, word: bytes, then: bytes) -> None:
        """End the next connection that says `word` and after it `then`, before the answer comes."""

        async def cut_after() -> None:
            self._trap = (word, then)

        self._call(cut_after())

    @property
    def has_cut(self) -> bool:
        """Whether such a connection came."""
        return self._trap is None

    def cut(self) -> None:
        """End every connection there is, so that both ends know; new ones may come meanwhile."""

        async def cut() -> set[_Passage]:
            for passage in self._passages:
                passage.close()
            return set(self._passages)

        gone = self._call(cut())
        eventually(lambda: not gone & self._passages, within_s=10)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        if isinstance(self.at, Path):
            return await asyncio.start_unix_server(self._accept, self.at)
        host, port = self.at
        server = await asyncio.start_server(self._accept, host, port)
        self.at = server.sockets[0].getsockname()[:2]
        return server

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            writer.transport.abort()
            return
        passage = _Passage(writer, found[1])
        self._passages.add(passage)
        try:
            await asyncio.gather(
                self._carry(passage, reader, passage.server),
                self._carry(passage, found[0], passage.client),
            )
        finally:
            passage.close()
            self._passages.discard(passage)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        targets = list(self._targets())
        self._turn += 1
        for number in range(len(targets)):
            target = targets[(self._turn + number) % len(targets)]
            with contextlib.suppress(OSError):
                if isinstance(target, Path):
                    return await asyncio.open_unix_connection(target)
                return await asyncio.open_connection(*target)
        return None

    async def _carry(
        self, passage: _Passage, source: asyncio.StreamReader, to: asyncio.StreamWriter
    ) -> None:
        """Pass on what comes until either end is gone; both are, then."""
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if to is passage.server:
                    passage.said += data
                    del passage.said[:-_REMEMBERED]
                    if self._is_trapped(passage, data):
                        # What was said arrives; nobody hears the answer.
                        passage.muted = True
                        to.write(data)
                        await to.drain()
                        await asyncio.sleep(_HEARD_S)
                        passage.close()
                        return
                if not passage.muted:
                    to.write(data)
                    await to.drain()
        if not passage.muted:
            passage.close_in_order(to)

    def _is_trapped(self, passage: _Passage, data: bytes) -> bool:
        if self._trap is None or self._trap[0] not in passage.said or self._trap[1] not in data:
            return False
        self._trap = None
        return True
