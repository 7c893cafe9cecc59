"""How a phase is stopped: once, for the gravest reason, whatever it is doing."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from landform.execution.process import Child
from landform.kit.errors import LandformError


class Cause(IntEnum):
    """Why a phase is stopped; a higher one prevails."""

    CANCELED = 1  # as ordered; the tool may end by itself
    STATE_REFUSED = 2  # the platform does not take the state
    TIMEOUT = 3
    MEMORY = 4
    DISK = 5
    FORCED = 6  # as ordered; at once
    UNHEARD = 7  # the platform did not answer, another may take over: at once
    LOST = 8  # another has taken over: at once


class HaltedError(LandformError):
    """The phase is being stopped: nothing new may begin."""


class Halt:
    """The one brake of an attempt; every child passes under it."""

    def __init__(self, grace_s: float) -> None:
        """Give a child `grace_s` seconds between an interrupt and the next, harder one."""
        self._grace_s = grace_s
        self._children: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pressing = False
        self._killing = False
        self._impatient = False
        self._watchers: list[Callable[[], None]] = []
        self.cause: Cause | None = None

    @property
    def fenced(self) -> bool:
        """Whether the phase is, or may be, another's by now."""
        return self.cause is not None and self.cause >= Cause.UNHEARD

    @property
    def hard(self) -> bool:
        """Whether the tool was not left to end by itself."""
        return self._killing or self._impatient

    def interrupt(self, cause: Cause) -> None:
        """Let the tool end by itself, ask again after a while, then end it."""
        self._note(cause)
        if not self._pressing and not self._killing:
            self._pressing = True
            self._spawn(self._press())

    def kill(self, cause: Cause) -> None:
        """End the tool and all it started at once."""
        self._note(cause)
        self._killing = True
        for child in self._children:
            child.kill()

    def pids(self) -> list[int]:
        """Return the processes under way."""
        return [child.pid for child in self._children]

    def check(self) -> None:
        """Return if the phase may go on.

        Raises:
            HaltedError: it may not.
        """
        if self.cause is not None:
            raise HaltedError("The phase is being stopped.")

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called whenever the phase is stopped, or stopped harder."""
        self._watchers.append(watcher)

    @contextmanager
    def over(self, child: Child) -> Iterator[None]:
        """Stop `child` too when the phase is stopped."""
        self._children.add(child)
        try:
            if self._killing:
                child.kill()
            elif self._pressing:
                self._spawn(child.interrupt())
            yield
        finally:
            self._children.discard(child)

    async def close(self) -> None:
        """Let go of what is under way; there are no children any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _note(self, cause: Cause) -> None:
        self.cause = max(cause, self.cause or cause)
        for watcher in self._watchers:
            watcher()

    async def _press(self) -> None:
        for again in (False, True):
            self._impatient = again
            for child in list(self._children):
                await child.interrupt()
            await asyncio.sleep(self._grace_s)
        self._killing = True
        for child in list(self._children):
            child.kill()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
