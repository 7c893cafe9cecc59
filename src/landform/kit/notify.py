"""LISTEN for ids: one connection per process wakes whoever waits for something to change."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final

import psycopg
import structlog
from psycopg import sql

_RECONNECT_S: Final = 0.5
_SILENCE_S: Final = 15.0  # a dead connection that says nothing is found within this

log = structlog.get_logger()


class Listener:
    """Waits for notifications on some channels; survives a lost connection.

    A waiter may be woken for nothing and must look for itself; after a reconnection all are.
    """

    def __init__(self, url: str, channels: list[str]) -> None:
        self._url = url
        self._channels = channels
        self._waiters: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop, and wake everybody."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._wake_all()

    @contextlib.contextmanager
    def expect(self, channel: str, payload: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set at the next notification of `payload` on `channel`.

        Enter before looking at the database, so that nothing falls between look and wait.
        """
        with self.expect_any({(channel, payload)}) as event:
            yield event

    @contextlib.contextmanager
    def expect_any(self, keys: Collection[tuple[str, str]]) -> Iterator[asyncio.Event]:
        """Yield an event that is set at the next of these notifications: channels and payloads."""
        event = asyncio.Event()
        for key in keys:
            self._waiters[key].add(event)
        try:
            yield event
        finally:
            for key in keys:
                self._waiters[key].discard(event)
                if not self._waiters[key]:
                    del self._waiters[key]

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as failure:
                log.warning("listener lost its connection", error=str(failure))
                await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        async with connection:
            for channel in self._channels:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._wake_all()
            while True:
                async for note in connection.notifies(timeout=_SILENCE_S):
                    for event in self._waiters.get((note.channel, note.payload), ()):
                        event.set()
                await asyncio.wait_for(connection.execute("SELECT 1"), timeout=_SILENCE_S)

    def _wake_all(self) -> None:
        for events in self._waiters.values():
            for event in events:
                event.set()


async def wait(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for `event` at most `timeout_s` seconds; tell whether it was set."""
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True
