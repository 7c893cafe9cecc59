"""What the directory of an embedded PostgreSQL holds, and who is working on it.

lock          held (flock) by the server's minder, or by who is about to start a server
owner         held by the process the server will end with
postgres.log  of this start and those before; past 10 MB it is put aside as postgres.log.1
data/         the cluster; 0700, owned by the user the server runs as
run/          the socket, if it can be here (see `postgres_account.socket_directory`)
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.kit.errors import ConflictError, UnavailableError
from landform.kit.postgres_account import PORT, Account, give_tree, opened

_LOG_LIMIT_BYTES: Final = 10 * 1024 * 1024


class WrongVersionError(ConflictError):
    """The data was written by a major version of PostgreSQL other than ours."""


@dataclass(frozen=True)
class Postmaster:
    """What a server wrote about itself in postmaster.pid; it need not be alive."""

    pid: int
    socket_directory: Path
    is_ready: bool


class PostgresDirectory:
    """One directory, and the questions that can be asked of it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.data = self.path / "data"
        self.log = self.path / "postgres.log"

    def lock(self) -> int | None:
        """Take the directory for one server; make it if it is not there.

        Returns:
            A descriptor that holds the lock until it and its copies in other processes are
            closed, or None while another process holds it.

        Raises:
            UnavailableError: the directory cannot be made or used by this user.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = self._open("lock", os.O_RDONLY)
        except OSError as error:
            raise UnavailableError(f"{self.path} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def claim(self) -> int:
        """Say that the server is this process's; needs the lock.

        Returns:
            A descriptor that says so until it is closed, or this process is gone.
        """
        # A new file each time: the one before may be held by who has lost its server.
        with opened(self.path) as inside:
            with suppress(FileNotFoundError):
                os.unlink("owner.new", dir_fd=inside)
            descriptor = self._open("owner.new", os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename("owner.new", "owner", src_dir_fd=inside, dst_dir_fd=inside)
        return descriptor

    def is_claimed(self) -> bool:
        """Tell whether the process that owns the server is alive and wants it to go on."""
        try:
            descriptor = self._open("owner", os.O_RDONLY, create=False)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def open_log(self) -> int:
        """Return a descriptor that appends to the log, to a fresh one past 10 MB."""
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.replace(self.path / "postgres.log.1")
        return self._open(self.log.name, os.O_WRONLY | os.O_APPEND)

    def has_data(self, major: int) -> bool:
        """Tell whether there is a cluster, and that it is of version `major`.

        Raises:
            WrongVersionError: it is of another.
            ConflictError: `data/` holds something that is no cluster.
        """
        if not self.data.exists() or not any(self.data.iterdir()):
            return False
        try:
            found = int((self.data / "PG_VERSION").read_text())
        except (FileNotFoundError, ValueError):
            raise ConflictError(
                f"{self.data} is not a PostgreSQL data directory (it has no PG_VERSION); move it "
                "away or choose another directory."
            ) from None
        if found > major:
            raise WrongVersionError(
                f"The database in {self.path} was made by PostgreSQL {found}; this release "
                f"carries PostgreSQL {major}, which cannot read it. Start it with a release that "
                f"carries {found}, or choose another directory and restore a dump there."
            )
        if found < major:
            raise WrongVersionError(
                f"The database in {self.path} was made by PostgreSQL {found}; this release "
                f"carries PostgreSQL {major}, which cannot read it. Dump it (pg_dump) with the "
                f"release that made it, move {self.data} away, start this release, and restore "
                "the dump."
            )
        return True

    def new_data(self, account: Account) -> Path:
        """Make the empty directory that a cluster is made in, next to where it will be."""
        fresh = self.path / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)  # an interrupted first start
        fresh.mkdir(mode=0o700)
        os.chown(fresh, account.uid, account.gid)
        return fresh

    def take_data(self, fresh: Path, account: Account) -> None:
        """Give a finished cluster to `account` and put it in its place, durably."""
        if fresh.stat().st_uid != account.uid:
            give_tree(fresh, account)
        if self.data.exists():
            self.data.rmdir()
        fresh.rename(self.data)
        with opened(self.path) as descriptor:
            os.fsync(descriptor)

    def postmaster(self) -> Postmaster | None:
        """Return what the last server wrote about itself, None if it ended in order."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid, _, _, _, sockets, _, _, status = (lines + [""] * 8)[:8]
            return Postmaster(int(pid), Path(sockets), status.strip() == "ready")
        except (OSError, ValueError):
            return None

    def forget_postmaster(self, sockets: Path) -> None:
        """Remove what a dead server left, when a process that now has its pid looks like it.

        To be called with the lock held and `processes` empty. Otherwise PostgreSQL's own check,
        which looks at shared memory as well, is left to work.
        """
        left = self.postmaster()
        if left is not None and _is_alive(left.pid):
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (sockets / name).unlink(missing_ok=True)

    def processes(self) -> list[int]:
        """Return the pids of the PostgreSQL processes that work on `data/` now.

        A pid alone proves nothing, it may be another's by now: the working directory of a server
        and its children is `data/`. Without /proc only the server is found, by its command line.
        """
        if sys.platform.startswith("linux"):
            return list(_processes_in(self.data))
        recorded = self.postmaster()
        if recorded is None or f"-D {self.data} " not in _command_of(recorded.pid):
            return []
        return [recorded.pid]

    def _open(self, name: str, flags: int, *, create: bool = True) -> int:
        """Open or make a file here; what root makes in another's directory is that user's."""
        flags |= os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        with opened(self.path) as inside:
            descriptor = os.open(name, flags, mode=0o600, dir_fd=inside)
            found, owner = os.fstat(descriptor), os.fstat(inside)
            if os.geteuid() == 0 and found.st_uid != owner.st_uid and found.st_nlink == 1:
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor


def _processes_in(directory: Path) -> Iterator[int]:
    try:
        wanted = directory.stat()
    except FileNotFoundError:
        return
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            if Path(entry.path, "comm").read_bytes() != b"postgres\n":
                continue
            if os.path.samestat(wanted, Path(entry.path, "cwd").stat()):
                yield int(entry.name)
        except OSError:  # it ended, or is another user's
            continue


def _command_of(pid: int) -> str:
    answer = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
