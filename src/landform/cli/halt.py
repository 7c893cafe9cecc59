"""Ctrl-C and its kin: the first asks for an end in order, the second for a quick one."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Result = TypeVar("Result")


class Halt:
    """Whether this process was told to stop, and how often."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._hurry: list[Callable[[], None]] = []
        self.is_urgent = False

    def ask(self) -> None:
        """Take note of one more signal."""
        if self._asked.is_set():
            self.is_urgent = True
            for hurry in self._hurry:
                hurry()
        self._asked.set()

    async def until_asked(self) -> None:
        """Return at the first signal."""
        await self._asked.wait()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Have SIGINT, SIGTERM and SIGHUP ask, in place of what they do otherwise."""
        loop = asyncio.get_running_loop()
        for signum in _SIGNALS:
            loop.add_signal_handler(signum, self.ask)
        try:
            yield
        finally:
            for signum in _SIGNALS:
                loop.remove_signal_handler(signum)

    @contextlib.contextmanager
    def hurrying(self, hurry: Callable[[], None]) -> Iterator[None]:
        """Call `hurry` at the second signal and each one after it."""
        self._hurry.append(hurry)
        try:
            yield
        finally:
            self._hurry.remove(hurry)

    async def guard(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Do `work` until it is done, or cancel it at the first signal and return None.

        Either way it has ended, and what it cleans up is clean, when this returns.
        """
        task = asyncio.create_task(work)
        asked = asyncio.create_task(self.until_asked())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                return await task
        finally:
            asked.cancel()
        return None
