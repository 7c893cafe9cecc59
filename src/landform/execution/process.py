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
from typing import BinaryIO, Final

from landform.execution import processes
from landform.execution.host import Room
from landform.execution.sandbox import Sandbox
from landform.kit.errors import UnavailableError

LONGEST_LINE: Final = 1 << 20
"""Bytes of a line that are kept; the rest is dropped, and `CUT` says so."""

CUT: Final = b" [... the rest of this line was dropped]"

MARK: Final = "LANDFORM_PROCESS"
"""Name of the variable by which a child's descendants are found where no sandbox holds them."""

_PIPE: Final = 1 << 18
_CHUNK: Final = 1 << 16
_DRAIN_S: Final = 5.0
_INTRODUCTION_S: Final = 2.0

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

    def __init__(self, popen: subprocess.Popen[bytes], status: int | None, mark: str) -> None:
        self._popen = popen
        self._status = status
        self._mark = f"{MARK}={mark}".encode()
        self._inner: int | None = None

    @property
    def pid(self) -> int:
        """The process we started: bubblewrap's where there is one, else the tool's."""
        return self._popen.pid

    async def interrupt(self) -> None:
        """Send SIGINT to the tool itself, and to nothing that it started."""
        with suppress(ProcessLookupError):
            os.kill(await self._tool(), signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self._popen.poll() is not None:
            return
        descendants = processes.tree([self.pid])
        if self._status is not None:
            processes.kill(descendants)  # bubblewrap's first child takes its whole world with it
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        processes.kill(descendants | processes.marked(self._mark))

    async def wait(self) -> int:
        """Wait for its end, leave nothing of it running, and return its exit code."""
        await _ended(self._popen)
        if self._status is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            processes.kill(processes.marked(self._mark))
        else:
            os.close(self._status)
            self._status = None
        return self._popen.returncode

    async def _tool(self) -> int:
        if self._status is None:
            return self.pid
        deadline = asyncio.get_running_loop().time() + _INTRODUCTION_S
        while asyncio.get_running_loop().time() < deadline and self._popen.poll() is None:
            if self._inner is None:
                self._inner = _introduced(self._status)
            # bubblewrap's own first process waits for the tool, its one child, and reaps.
            if self._inner is not None and (found := processes.children(self._inner)):
                return min(found)
            await asyncio.sleep(0.005)
        return self.pid


def start(sandbox: Sandbox, room: Room, command: Command, *, piped: bool = True) -> Child:
    """Start `command` in `room`; its output must then be read with `stream`.

    Raises:
        UnavailableError: it could not be started.
    """
    mark = secrets.token_hex(16)
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
    return Child(popen, ours, mark)


async def stream(child: Child, *, out: Sink, err: Sink) -> int:
    """Pass on the lines of `child` until it ends, and return its exit code."""
    popen = child._popen  # noqa: SLF001 - the other half of the same thing
    pumps = [
        asyncio.create_task(_pump(pipe, sink))
        for pipe, sink in ((popen.stdout, out), (popen.stderr, err))
        if pipe is not None
    ]
    try:
        code = await child.wait()
        if pumps:
            # An escaped descendant may hold a pipe open for ever.
            done, _ = await asyncio.wait(pumps, timeout=_DRAIN_S)
            for pump in done:
                pump.result()
        return code
    except BaseException:
        child.kill()
        await asyncio.shield(child.wait())
        raise
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(pipe: BinaryIO, sink: Sink) -> None:
    with suppress(OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        async for lines in _lines(reader):
            await sink(lines)
    finally:
        transport.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[list[bytes]]:
    """Split what comes into lines; one that is too long is cut."""
    rest = b""
    dropping = False
    while chunk := await reader.read(_CHUNK):
        *whole, last = chunk.split(b"\n")
        lines = []
        for piece in whole:
            if not dropping:
                lines.append(_cut(rest + piece))
            rest, dropping = b"", False
        if not dropping:
            rest += last
            if len(rest) > LONGEST_LINE:
                lines.append(_cut(rest))
                rest, dropping = b"", True
        if lines:
            yield lines
    if rest:
        yield [_cut(rest)]


def _cut(line: bytes) -> bytes:
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT


def _introduced(status: int) -> int | None:
    """Return the pid that bubblewrap named in its status, or None while it has not."""
    with suppress(BlockingIOError, ValueError, KeyError, IndexError):
        return int(json.loads(os.read(status, 4096).splitlines()[0])["child-pid"])
    return None


async def _ended(popen: subprocess.Popen[bytes]) -> None:
    try:
        descriptor = os.pidfd_open(popen.pid)
    except OSError:  # an old kernel, or it is gone and reaped
        await asyncio.to_thread(popen.wait)
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(descriptor, lambda: ended.done() or ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    popen.wait()
