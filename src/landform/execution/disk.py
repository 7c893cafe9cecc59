"""A phase's files as a whole: how much they take, and their end."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def disk_bytes(directory: Path) -> int:
    """Return what the files below `directory` take on the disk, without following links."""
    total = 0
    pending = [os.fspath(directory)]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    return total


def remove_tree(path: Path) -> None:
    """Remove `path` and all below it, also what a run made unreadable for its own user."""
    shutil.rmtree(path, ignore_errors=True)
    if path.is_dir():
        pending = [path]
        while pending:
            directory = pending.pop()
            with suppress(OSError):
                directory.chmod(0o700)
                pending += [
                    entry
                    for entry in directory.iterdir()
                    if entry.is_dir() and not entry.is_symlink()
                ]
        shutil.rmtree(path, ignore_errors=True)
