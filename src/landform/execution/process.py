"""One child process: its output line by line, its interrupt, its end and that of all it started."""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

from landform.execution import processes
from landform.execution.guardian import MARK, Guardian
from landform.execution.host import Room
from landform.execution.sandbox import Sandbox
from landform.kit.errors import UnavailableError

LONGEST_LINE: Final = 4 << 20
"""Bytes of a line that are kept; the rest is dropped, and `CUT` says so."""

CUT: Final = b" [... the rest of this line was dropped]"

_PIPE: Final = 1 << 18
_CHUNK: Final = 1 << 16
_DRAIN_S: Final = 5.0
_INTRODUCTION_S: Final = 15.0  # an interrupt that comes before the tool has begun waits for it

Sink = Callable[[list[bytes]], Awaitable[None]]
"""Takes lines, without their ends, in order; while it waits, the child waits."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run.

    Attributes:
        argv: the program first, as the child sees it. Never a secret: anyone can read it.
        cwd: a directory of this machine, below the room's.
        out: where standard output goes when not to a sink; it is closed at the child's end.
    """

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    out: BinaryIO | None = None


class Child:
    """A process under way, and everything it starts."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        status: int | None,
        mark: str,
        guardian: Guardian | None,
    ) -> None:
        self._guardian = guardian
        self._popen = popen
        self._status = status
        self._mark = f"{MARK}={mark}".encode()
        self._inner: int | None = None
        self._over = False

    @property
    def pid(self) -> int:
        """The process we started: bubblewrap's where there is one, else the tool's."""
        return self._popen.pid

    @property
    def pipes(self) -> list[IO[bytes] | None]:
        """Where its output and its errors can be read."""
        return [self._popen.stdout, self._popen.stderr]

    async def interrupt(self) -> None:
        """Send SIGINT to the tool itself, and to nothing that it started."""
        tool = await self._tool()
        if tool is not None:
            with suppress(ProcessLookupError):
                os.kill(tool, signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if not self._over:  # after that, the pid may be another's
            processes.kill(processes.tree([self.pid]))
            self._sweep()

    async def wait(self) -> int:
        """Wait for its end, leave nothing of it running, and return its exit code."""
        if not self._over:
            await _ended(self.pid)
        if not self._over:
            self._sweep()
            self._over = True
            if self._guardian is not None:
                self._guardian.release(self.pid)
            self._popen.wait()
            if self._status is not None:
                os.close(self._status)
        return self._popen.returncode

    def _sweep(self) -> None:
        """Kill what it left behind; in a sandbox nothing outlives bubblewrap's first child."""
        if self._status is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            processes.kill(processes.marked(self._mark))

    async def _tool(self) -> int | None:
        if self._status is None:
            return None if self._over else self.pid
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _INTRODUCTION_S
        while loop.time() < deadline and not self._over:
            if self._inner is None:
                self._inner = _introduced(self._status)
            # bubblewrap's own first process has the tool for a child, and orphans of the tool.
            if self._inner is not None and (
                tool := processes.first_in_sandbox(processes.children(self._inner))
            ):
                return tool
            await asyncio.sleep(0.005)
        return None


def start(
    sandbox: Sandbox,
    room: Room,
    command: Command,
    *,
    piped: bool = True,
    guardian: Guardian | None = None,
) -> Child:
    """Start `command` in `room`; its output must then be read with `stream`.

    Args:
        guardian: ends it and what it starts when this process is killed; for where no sandbox does.

    Raises:
        UnavailableError: it could not be started.
    """
    mark = (guardian.mark if guardian else "") + secrets.token_hex(16)
    env = dict(command.env)
    ours: int | None = None
    theirs = -1
    if sandbox.confines:
        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    else:
        env[MARK] = mark
    argv = sandbox.wrap(
        command.argv, cwd=room.inside(command.cwd), mounts=room.mounts, status_fd=theirs
    )
    out = command.out if command.out is not None else subprocess.PIPE
    try:
        popen = subprocess.Popen(
            argv,
            cwd=command.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out if piped else subprocess.DEVNULL,
            stderr=subprocess.PIPE if piped else subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[theirs] if sandbox.confines else [],
        )
    except (OSError, ValueError) as error:
        if ours is not None:
            os.close(ours)
        raise UnavailableError(f"{argv[0]} could not be started: {error}.") from error
    finally:
        if sandbox.confines:
            os.close(theirs)
    if guardian is not None:
        guardian.watch(popen.pid)
    return Child(popen, ours, mark, guardian)


async def stream(child: Child, *, out: Sink, err: Sink) -> int:
    """Pass on the lines of `child` until it ends, and return its exit code.

    Whatever a sink raises, and a cancellation, ends the child at once.
    """
    pumps = [_Pump(pipe, sink) for pipe, sink in zip(child.pipes, (out, err), strict=True) if pipe]
    tasks = [asyncio.create_task(pump.run()) for pump in pumps]
    end = asyncio.create_task(child.wait())
    try:
        await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        code = await end
        await _drained(dict(zip(tasks, pumps, strict=True)))
    except BaseException:
        child.kill()
        await asyncio.shield(end)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return code


async def _drained(pumps: "dict[asyncio.Task[None], _Pump]") -> None:
    """Wait until all was passed on; a pipe that an escaped descendant holds open is given up."""
    while pending := [task for task in pumps if not task.done()]:
        seen = {task: pumps[task].chunks for task in pending}
        await asyncio.wait(pending, timeout=_DRAIN_S, return_when=asyncio.FIRST_EXCEPTION)
        for task in pending:
            if task.done():
                task.result()
            elif pumps[task].reading and pumps[task].chunks == seen[task]:
                task.cancel()
                await asyncio.wait([task])
    for task in pumps:
        if not task.cancelled():
            task.result()


class _Pump:
    """Carries one pipe's lines to its sink."""

    def __init__(self, pipe: IO[bytes], sink: Sink) -> None:
        self._pipe = pipe
        self._sink = sink
        self.chunks = 0
        self.reading = False

    async def run(self) -> None:
        with suppress(OSError):
            fcntl.fcntl(self._pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._pipe
        )
        try:
            async for lines in _lines(self._chunks(reader)):
                await self._sink(lines)
        finally:
            transport.close()

    async def _chunks(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while True:
            self.reading = True
            chunk = await reader.read(_CHUNK)
            self.reading = False
            self.chunks += 1
            if not chunk:
                return
            yield chunk


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Split what comes into lines; one that is too long is cut."""
    rest = bytearray()
    dropping = False
    async for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        lines = []
        for piece in whole:
            if not dropping:
                lines.append(_cut(bytes(rest) + piece))
            rest.clear()
            dropping = False
        if not dropping:
            rest += last
            if len(rest) > LONGEST_LINE:
                lines.append(_cut(bytes(rest)))
                rest.clear()
                dropping = True
        if lines:
            yield lines
    if rest:
        yield [_cut(bytes(rest))]


def _cut(line: bytes) -> bytes:
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT


def _introduced(status: int) -> int | None:
    """Return the pid that bubblewrap named in its status, or None while it has not."""
    with suppress(BlockingIOError, ValueError, KeyError, IndexError):
        return int(json.loads(os.read(status, 4096).splitlines()[0])["child-pid"])
    return None


async def _ended(pid: int) -> None:
    """Wait until `pid`, our child, has ended; it is not reaped, so the number stays its own."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # a kernel before 5.3
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
