"""Processes as /proc shows them: who descends from whom, and how much memory they hold."""

import os
import signal
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """Return the direct children of `pid`; none when it is gone."""
    with suppress(OSError):  # not every kernel has this file
        return [
            int(word) for word in (_PROC / f"{pid}/task/{pid}/children").read_text().split()
        ] or [child for child, parent in _parents().items() if parent == pid]
    return [child for child, parent in _parents().items() if parent == pid]


def tree(roots: Iterable[int]) -> set[int]:
    """Return `roots` and all their descendants that are alive."""
    parents = _parents()
    found = {pid for pid in roots if pid in parents}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def first_in_sandbox(candidates: Iterable[int]) -> int | None:
    """Return the one of `candidates` that is number 2 of its own pid namespace, if any is."""
    for pid in candidates:
        with suppress(OSError, ValueError):
            status = (_PROC / f"{pid}/status").read_text()
            (line,) = (row for row in status.splitlines() if row.startswith("NSpid:"))
            if line.split()[-1] == "2":
                return pid
    return None


def marked(mark: bytes) -> set[int]:
    """Return the processes with `mark` in the environment they were started with."""
    found = set()
    for pid in _parents():
        with suppress(OSError):  # it ended, or is another user's
            if mark in (_PROC / f"{pid}/environ").read_bytes():
                found.add(pid)
    return found


def in_sessions(sessions: Container[int]) -> set[int]:
    """Return the processes whose session is one of `sessions`."""
    return {pid for pid, (_, session) in _living().items() if session in sessions}


def working_below(directory: Path) -> set[int]:
    """Return the processes whose current directory is `directory` or below it."""
    root = directory.resolve()
    found = set()
    for pid in _parents():
        with suppress(OSError):  # it ended, or is another user's
            if (_PROC / f"{pid}/cwd").readlink().is_relative_to(root):
                found.add(pid)
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the memory of `pids` together, without what is mapped from files."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            words = (_PROC / f"{pid}/statm").read_text().split()
            total += max(0, int(words[1]) - int(words[2])) * _PAGE
    return total


def kill(pids: Iterable[int]) -> None:
    """End `pids` at once; those already gone are no matter."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    return {pid: parent for pid, (parent, _) in _living().items()}


def _living() -> dict[int, tuple[int, int]]:
    """Return parent and session of each process that has not ended."""
    living = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                stat = (entry / "stat").read_bytes()
                # The name may hold anything, a bracket too; after the last one come the figures.
                state, parent, _, session = stat[stat.rindex(b")") + 2 :].split(maxsplit=4)[:4]
                if state not in b"ZX":
                    living[int(entry.name)] = int(parent), int(session)
    return living
