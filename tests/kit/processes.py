"""Programs started, watched and ended by the tests of processes."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

import landform

# Where our package and the installed ones are, for a Python that is not of this environment.
PACKAGES = os.pathsep.join(str(Path(each.__path__[0]).parent) for each in (landform, psycopg))


async def eventually(condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
    """Return as soon as `condition` holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether `pid` is a process that has not ended; a zombie has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def children_of(pid: int) -> list[int]:
    """Pids of the direct children of `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def python_for_anyone() -> str | None:
    """Return a Python that every user of this machine may run, and that our packages are for."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (Path(sys.executable).resolve(), Path("/usr/bin", name)):
        if candidate.exists() and all(each.stat().st_mode & 0o001 for each in candidate.parents):
            return str(candidate)
    return None


@contextmanager
def running(
    script: str, *arguments: object, uid: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python script, as another user if `uid` is given; kill it at the end if need be."""
    python = sys.executable if uid is None else python_for_anyone()
    assert python is not None
    process = subprocess.Popen(
        [python, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd="/",
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()  # and not read to its end, which another may hold open


async def line_of(process: subprocess.Popen[str], start: str, *, within_s: float = 60.0) -> str:
    """Return what follows `start` in the first line of the output that begins so."""
    assert process.stdout is not None
    seen = []
    async with asyncio.timeout(within_s):
        while line := await asyncio.to_thread(process.stdout.readline):
            if line.startswith(start):
                return line.removeprefix(start).strip()
            seen.append(line)
    raise AssertionError("".join(seen))
