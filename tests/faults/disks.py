"""A directory whose disk is full."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

_PAGE = 4096


@contextmanager
def full(*directories: Path) -> Iterator[None]:
    """Lay over each directory a file system that has no byte left; root only."""
    with ExitStack() as stack:
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
            _mount(directory)
            stack.callback(_unmount, directory)
            directory.joinpath("ballast").write_bytes(b"x" * _PAGE)
        yield


def _unmount(directory: Path) -> None:
    subprocess.run(["umount", "-l", str(directory)], check=True)


def _mount(directory: Path) -> None:
    argv = ["mount", "-t", "tmpfs", "-o", f"size={_PAGE},mode=700", "none", str(directory)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"FULL DISKS ARE NOT TESTED: no file system can be mounted ({done.stderr})")
