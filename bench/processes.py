"""What the platform's processes hold in memory, as /proc says."""

import contextlib
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def tree(root: int) -> dict[int, str]:
    """Return `root` and its descendants that live, with their command lines."""
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = (entry / "stat").read_text()
                parents[int(entry.name)] = int(stat[stat.rindex(")") + 2 :].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    commands = {}
    for pid in found:
        with contextlib.suppress(OSError):
            words = (_PROC / f"{pid}/cmdline").read_bytes().split(b"\0")
            commands[pid] = b" ".join(words).decode(errors="replace").strip()
    return commands


def named(root: int, words: str) -> int:
    """Return the descendant of `root` whose command line ends in `words`."""
    (pid,) = (pid for pid, command in tree(root).items() if command.endswith(words))
    return pid


def held_mb(root: int) -> dict[str, float]:
    """Return what the programs of `root` and its descendants hold; what is shared counts once."""
    held: dict[str, float] = {}
    for pid, command in tree(root).items():
        with contextlib.suppress(OSError):  # it ended
            rows = (_PROC / f"{pid}/smaps_rollup").read_text().splitlines()
            kb = next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
            program = _program(command)
            held[program] = held.get(program, 0.0) + kb / 1024
    return held


def _program(command: str) -> str:
    words = command.split()
    if "postgres" in command or "minder.py" in command:
        return "postgres"
    return next((each for each in ("up", "server", "worker") if each in words), "others")


def reset_peak(pid: int) -> None:
    """Forget the most that `pid` ever held."""
    (_PROC / f"{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """Return the most that `pid` held since `reset_peak`."""
    return _status_kb(pid, "VmHWM") / 1024


def now_mb(pid: int) -> float:
    """Return what `pid` holds now."""
    return _status_kb(pid, "VmRSS") / 1024


def _status_kb(pid: int, name: str) -> int:
    rows = (_PROC / f"{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith(f"{name}:"))
