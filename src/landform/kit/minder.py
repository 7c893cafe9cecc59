"""Run one program for an owner, and end it when the owner is gone, however it went.

Started as a script by path (`python -I -S minder.py ERRAND`), so it imports nothing but the
standard library and starts in some 20 ms. The owner holds the write end of a pipe: when that
closes, because the owner asked or because it was killed, the program is told to stop. A pipe is
used and not PR_SET_PDEATHSIG between owner and minder because the latter follows the *thread*
that forked, and exists on Linux only. Below the minder, which has one thread, it is used as well:
kill -9 of the minder itself then ends the program too (on Linux).
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_CANNOT_RUN: Final = 127
_CAUGHT: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_OWNER_CHECK_S: Final = 1.0  # the pipe tells at once; this is for a copy of it that leaked


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a minder is to run.

    Attributes:
        uid: user to become before running; None to stay as it is. `gid` goes with it.
        cwd: directory to run in, entered *before* `uid` is taken, so that its parents need not
            be open to that user.
        env: the whole environment of the program.
        control_fd: read end of the owner's pipe.
        kept_fds: descriptors (a held lock) the minder keeps open while it lives; the program
            does not get them.
        owner_pid: whose child the minder must be.
        stop: signals to send in turn, each with the seconds to wait before the next.
        discard: directories to remove at the end, if they are empty.
    """

    argv: list[str]
    cwd: str
    env: dict[str, str]
    control_fd: int
    kept_fds: list[int]
    owner_pid: int
    stop: list[tuple[int, float]]
    uid: int | None = None
    gid: int | None = None
    discard: list[str]

    def command(self) -> list[str]:
        """Return the argv that runs a minder on this errand."""
        return [sys.executable, "-I", "-S", __file__, json.dumps(asdict(self))]


def signal_on_parent_death(signum: int) -> bool:
    """Have the kernel send `signum` to this process when the *thread* that forked it ends.

    Returns:
        False where the platform has no such thing. The setting is lost at setuid, so it is made
        after; it does not say whether the parent is already gone, so the caller looks.
    """
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0) == 0)


def main(argument: str) -> int:
    """Do the errand written in `argument`; return the program's exit status (128 + signal)."""
    errand = Errand(**json.loads(argument))
    for descriptor in (errand.control_fd, *errand.kept_fds):
        os.set_inheritable(descriptor, False)
    wake = _catch_signals()
    minder = os.getpid()
    # A signal to the child before it is the program must end it and not be caught by us in it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _CAUGHT)
    child = os.fork()
    if child == 0:
        _become(errand, minder)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _CAUGHT)
    try:
        return _mind(child, errand, wake)
    finally:
        for directory in errand.discard:
            _remove_if_empty(directory)


def _catch_signals() -> int:
    """Turn the signals we care for into bytes of a pipe; return its read end."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for signum in _CAUGHT:
        signal.signal(signum, lambda *_: None)
    return read_end


def _become(errand: Errand, minder: int) -> NoReturn:
    try:
        for signum in _CAUGHT:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CAUGHT)
        os.chdir(errand.cwd)
        os.umask(0o077)
        if errand.uid is not None and errand.gid is not None:
            os.setgroups([])
            os.setgid(errand.gid)
            os.setuid(errand.uid)
        signal_on_parent_death(errand.stop[0][0])
        if os.getppid() == minder:  # otherwise it died before the line above
            os.execve(errand.argv[0], errand.argv, errand.env)  # noqa: S606 - the purpose
    except OSError as error:
        who = "" if errand.uid is None else f" as user {errand.uid}"
        os.write(2, f"cannot run {errand.argv[0]}{who}: {error}\n".encode())
    os._exit(_CANNOT_RUN)


def _mind(child: int, errand: Errand, wake: int) -> int:
    while True:
        readable, _, _ = select.select([errand.control_fd, wake], [], [], _OWNER_CHECK_S)
        asked = _read(wake)
        status = _reap(child)
        if status is not None:
            return status
        if (
            errand.control_fd in readable
            or os.getppid() != errand.owner_pid
            or any(signum != signal.SIGCHLD for signum in asked)
        ):
            return _end(child, errand, wake)


def _end(child: int, errand: Errand, wake: int) -> int:
    for signum, patience_s in errand.stop:
        os.kill(child, signum)
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            status = _reap(child)
            if status is not None:
                return status
            select.select([wake], [], [], left_s)
            _read(wake)
    return _CANNOT_RUN


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 512)
    except BlockingIOError:
        return b""


def _reap(child: int) -> int | None:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _remove_if_empty(directory: str) -> None:
    try:
        os.rmdir(directory)  # noqa: PTH106 - pathlib would double the time to start
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
