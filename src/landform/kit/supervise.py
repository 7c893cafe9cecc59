"""Keep a few programs running: start, watch, start again, and end them together.

Each child leads a session and process group of its own, so that Ctrl-C in a terminal reaches the
supervisor alone, which then ends the children in the reverse of the order they were started in.
A child that is a program of ours calls `die_with_parent` first thing, and so does not outlive a
supervisor that was killed.
"""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Final, TypeAlias

import structlog

from landform.kit.early import SUPERVISOR_VARIABLE, Early
from landform.kit.minder import signal_on_parent_death

OnLine: TypeAlias = Callable[[str, str], None]

_LONGEST_LINE_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 65536
_LAST_WORDS_S: Final = 1.0  # for output still in the pipe, which a grandchild may hold open
_PARENT_CHECK_S: Final = 0.5
_SHORTEST_POLL_S: Final = 0.01
_LONGEST_POLL_S: Final = 0.25

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run.

    Attributes:
        env: the whole environment; None for ours. The supervisor's pid is added to either.
        early: the same program, loading already, to be used for the first start.
        grace_s: seconds between SIGTERM and SIGKILL of the process group when it is to end.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = field(default=None, repr=False)
    early: Early | None = None
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
    """Runs programs until it is told to stop; good for one run."""

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
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._children = [
            _Child(program, on_line, backoff or Backoff(), self._hurry) for program in programs
        ]

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

        To be run in the main thread: what ends the children of a killed supervisor acts when the
        *thread* that started them ends.

        Args:
            handle_signals: have SIGINT, SIGTERM and SIGHUP call `stop` meanwhile.

        Raises:
            OSError: a program cannot be started at all; those before it are ended.
        """
        tasks: list[asyncio.Task[None]] = []
        with ExitStack() as stack:
            if handle_signals:
                stack.enter_context(self._signals())
            try:
                for child in self._children:
                    child.start()
                    tasks.append(asyncio.create_task(child.keep_running()))
                await self._stopping.wait()
            finally:
                started = self._children[: len(tasks)]
                for child, task in zip(reversed(started), reversed(tasks), strict=True):
                    child.stopping.set()
                    await task

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


class _Child:
    """One program and the process that is its present attempt."""

    def __init__(
        self, program: Program, on_line: OnLine | None, backoff: Backoff, hurry: asyncio.Event
    ) -> None:
        self.program = program
        self.stopping = asyncio.Event()
        self._on_line = on_line
        self._backoff = backoff
        self._hurry = hurry
        self._process: subprocess.Popen[bytes] | None = None
        self._output: asyncio.Task[None] | None = None
        self._early = program.early
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        environment = os.environ if self.program.env is None else self.program.env
        early, self._early = self._early, None
        if early is not None:
            self._process = early.begin(environment)
        else:
            self._process = subprocess.Popen(
                self.program.argv,
                env={**environment, SUPERVISOR_VARIABLE: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._on_line else None,
                stderr=subprocess.STDOUT if self._on_line else None,
                start_new_session=True,
            )
        self._started_at = time.monotonic()
        if self._on_line and self._process.stdout:
            self._output = asyncio.create_task(
                _forward(self.program.name, self._process.stdout, self._on_line)
            )
        log.info("program.started", program=self.program.name, pid=self._process.pid)

    async def keep_running(self) -> None:
        """Start the program again whenever it ends, until `stopping`; then end it."""
        failures = 0
        while self._process is not None:
            await _until_exit(self._process, self.stopping)
            if self.stopping.is_set():
                break
            status = await self._bury(self._process)
            ran_s = time.monotonic() - self._started_at
            failures = 1 if ran_s >= self._backoff.healthy_s else failures + 1
            if not await self._start_after_pause(failures, status):
                return
        if self._process is not None:
            await self._end(self._process)

    async def _start_after_pause(self, failures: int, status: int) -> bool:
        """Start it again, however often that takes; False when it is no longer wanted."""
        while True:
            pause_s = self._backoff.pause_s(failures)
            log.error(
                "program.ended",
                program=self.program.name,
                status=status,
                again_in_s=pause_s,
                failures=failures,
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause_s)
                return False
            try:
                self.start()
            except OSError as error:
                log.warning("program.not_started", program=self.program.name, reason=str(error))
                failures += 1
            else:
                return True

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.program.grace_s):
                    await _until_exit(process, self._hurry)
        if process.poll() is None:
            log.warning("program.killed", program=self.program.name, grace_s=self.program.grace_s)
        status = await self._bury(process)
        log.info("program.stopped", program=self.program.name, status=status)

    async def _bury(self, process: subprocess.Popen[bytes]) -> int:
        """Kill what is left of the process and its group, and forward its last words."""
        with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of dead
            os.killpg(process.pid, signal.SIGKILL)
        await _until_exit(process, asyncio.Event())
        output, self._output, self._process = self._output, None, None
        if output is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(output, _LAST_WORDS_S)
        return process.wait()


async def _until_exit(process: subprocess.Popen[bytes], interrupted: asyncio.Event) -> None:
    """Return when `process` has ended, or `interrupted` is set."""
    pause_s = _SHORTEST_POLL_S
    while process.poll() is None:
        with suppress(TimeoutError):
            await asyncio.wait_for(interrupted.wait(), pause_s)
            return
        pause_s = min(pause_s * 1.05, _LONGEST_POLL_S)


async def _forward(name: str, pipe: IO[bytes], on_line: OnLine) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    rest = b""
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                on_line(name, line.removesuffix(b"\r").decode(errors="replace"))
    finally:
        if rest:
            on_line(name, rest.decode(errors="replace"))
        transport.close()


def die_with_parent(signum: int = signal.SIGTERM, *, kill_after_s: float = 30.0) -> bool:
    """Have `signum` sent to this process when its supervisor ends, and SIGKILL some time later.

    To be called first thing in a process that a supervisor may have started. The supervisor is
    the parent whose pid it left in the environment; without that (started by hand or by an init
    system) nothing is done, and the process may outlive its parent. The variable is taken out of
    the environment: it is not for this process's own children.

    On Linux the kernel sends the signal. Elsewhere, and for the SIGKILL, a thread looks whether
    the parent has changed.

    Args:
        kill_after_s: time to end in order, in seconds. The SIGKILL goes to the process group
            when this process leads one.

    Returns:
        Whether there is a supervisor.
    """
    supervisor = os.environ.pop(SUPERVISOR_VARIABLE, "")
    if not supervisor.isdecimal():
        return False
    by_kernel = signal_on_parent_death(signum)
    if by_kernel and os.getppid() != int(supervisor):  # it ended before the line above
        os.kill(os.getpid(), signum)
    threading.Thread(
        target=_follow,
        args=(int(supervisor), None if by_kernel else signum, kill_after_s),
        name="follow-parent",
        daemon=True,
    ).start()
    return True


def _follow(parent: int, signum: int | None, kill_after_s: float) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    if signum is not None:
        os.kill(os.getpid(), signum)
    time.sleep(kill_after_s)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
