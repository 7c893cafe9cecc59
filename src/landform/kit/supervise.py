"""Keep a few programs running: start, watch, start again, and end them together.

Each child leads a session and process group of its own, so that Ctrl-C in a terminal reaches the
supervisor alone, which then ends the children in the reverse of the order they were started in.
A child that is a program of ours calls `die_with_parent` first thing, and so does not outlive a
supervisor that is killed with no chance to end it.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from landform.kit.minder import signal_on_parent_death

SUPERVISOR_VARIABLE: Final = "SUPERVISOR_PID"
OnLine: TypeAlias = Callable[[str, str], None]

_LONGEST_LINE_BYTES: Final = 1024 * 1024
_LAST_WORDS_S: Final = 1.0  # for output still in the pipe, which a grandchild may hold open
_PARENT_CHECK_S: Final = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run.

    Attributes:
        env: the whole environment; None for ours. The supervisor's pid is added to either.
        grace_s: seconds between SIGTERM and SIGKILL of the process group when it is to end.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = field(default=None, repr=False)
    grace_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to wait before a program that ended is started again.

    Attributes:
        healthy_s: a program that ran this long starts afresh with `first_s`.
    """

    first_s: float = 0.5
    factor: float = 2.0
    longest_s: float = 30.0
    healthy_s: float = 60.0

    def pause_s(self, failures: int) -> float:
        """Return the pause after the `failures`th end in a row, counted from 1."""
        exponent = min(failures - 1, 64)  # past any sensible bound, and short of overflow
        return min(self.first_s * self.factor**exponent, self.longest_s)


class Supervisor:
    """Runs programs until it is told to stop."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        on_line: OnLine | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Take the programs in the order to start them.

        Args:
            on_line: called with a program's name and each line of its standard output and error,
                without the line's end; None to let programs write to ours directly.
        """
        self._children = [_Child(program, on_line, backoff or Backoff()) for program in programs]
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def pids(self) -> Mapping[str, int]:
        """Name → pid of each program that is running now."""
        return {child.program.name: child.pid for child in self._children if child.pid is not None}

    def stop(self) -> None:
        """End everything in order; called again, without waiting for anybody's grace."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def run(self, *, handle_signals: bool = True) -> None:
        """Start all programs and keep them running; return when `stop` was called and all ended.

        To be run in the main thread's loop: what kills the children of a killed supervisor acts
        when the thread that started them ends.

        Args:
            handle_signals: have SIGINT, SIGTERM and SIGHUP call `stop` meanwhile.

        Raises:
            OSError: a program cannot be started even once; those before it were ended.
        """
        with self._signals() if handle_signals else _nothing():
            tasks: list[asyncio.Task[None]] = []
            try:
                for child in self._children:
                    if self._stopping.is_set():
                        break
                    await child.start()
                    tasks.append(asyncio.create_task(child.keep_running()))
                await self._stopping.wait()
            finally:
                for child, task in zip(reversed(self._children[: len(tasks)]), reversed(tasks)):
                    await _cancel(task)
                    await child.end(self._hurry)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for signum in caught:
            loop.add_signal_handler(signum, self.stop)
        try:
            yield
        finally:
            for signum in caught:
                loop.remove_signal_handler(signum)
