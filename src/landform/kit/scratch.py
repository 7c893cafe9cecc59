"""Directories for a moment's work, which do not stay when the process is killed in it.

One is held by a lock for as long as its owner lives. Whoever makes the next, on this machine and
as this user, removes those that nobody holds any more.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "landform-scratch-"
_NEW: Final = "landform-new-scratch-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty directory that is gone after the context, with all that is in it."""
    remove_abandoned()
    made = Path(tempfile.mkdtemp(prefix=_NEW))
    lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Only now has it the name by which others look for what nobody holds.
        path = made.rename(made.with_name(_PREFIX + made.name.removeprefix(_NEW)))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def remove_abandoned() -> None:
    """Remove what processes that were killed have left."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    # Anybody may make such a name in /tmp: no link is followed, and nothing of another's taken.
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(lock).st_uid != os.geteuid():
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
