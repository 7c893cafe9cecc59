"""Reading what the child may have made, replaced or turned into a trap."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from landform.kit.errors import InvalidError, UnavailableError

_LARGEST: Final = 1 << 30
_NOT_HERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


def read_made(root: Path, path: Path, *, limit_bytes: int = _LARGEST) -> bytes | None:
    """Return the content of `path`, a file below `root`; None when there is none.

    No link is followed on the way, so nothing outside `root` can be read by it.

    Raises:
        InvalidError: it is not a plain file, or is larger than `limit_bytes`.
    """
    try:
        descriptor = _open_below(root, path.relative_to(root).parts)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return None
        if error.errno == errno.ELOOP:
            raise InvalidError(
                f"{path.name} is a link, or lies behind one. Put a plain file there."
            ) from error
        raise UnavailableError(f"{path.name} could not be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidError(f"{path.name} is not a file. Put a plain file there.")
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise InvalidError(f"{path.name} is larger than {limit_bytes} bytes. Make it smaller.")
    return data


def _open_below(root: Path, parts: tuple[str, ...]) -> int:
    *directories, name = parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in directories:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            below = os.open(part, flags, dir_fd=at)
            os.close(at)
            at = below
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=at)
    finally:
        os.close(at)
