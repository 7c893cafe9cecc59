"""A platform's home while `landform up` runs on it: who holds it, and where it answers."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from landform.kit.errors import ConflictError, UnavailableError

_LOCK: Final = "up.lock"
_RECORD: Final = "server.json"
_LOOK_S: Final = 0.3  # `find_running` takes the lock for a moment


@dataclass(frozen=True)
class Running:
    """What `landform up` says of itself to other commands on this machine.

    Attributes:
        url: how clients reach the server, without a trailing slash.
        pid: of `landform up`.
    """

    url: str
    pid: int


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Make the home if need be and keep every other `landform up` from it.

    Raises:
        ConflictError: another holds it.
        UnavailableError: the directory cannot be made or written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(home / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise UnavailableError(f"{home} cannot be used as home: {failure.strerror}.") from failure
    try:
        deadline = time.monotonic() + _LOOK_S
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                raise ConflictError(_in_use(home, descriptor))
            time.sleep(0.01)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        forget(home)
        yield
    finally:
        os.close(descriptor)


def announce(home: Path, url: str) -> None:
    """Write where the server is."""
    record = home / _RECORD
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(Running(url, os.getpid()))) + "\n")
    fresh.replace(record)


def forget(home: Path) -> None:
    """Withdraw what `announce` wrote."""
    (home / _RECORD).unlink(missing_ok=True)


def find_running(home: Path) -> Running | None:
    """Return the platform that runs on `home` and is ready, if there is one."""
    try:
        descriptor = os.open(home / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _lock(descriptor):
            return None  # what was written there is of one that was killed
        with suppress(OSError, ValueError, TypeError):
            return Running(**json.loads((home / _RECORD).read_text()))
        return None
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(home: Path, descriptor: int) -> str:
    pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    running = find_running(home)
    where = f" and answers at {running.url}" if running else ""
    return (
        f"A platform runs on {home} already: its process is {pid}{where}. Stop it, or choose"
        " another directory with --home."
    )
