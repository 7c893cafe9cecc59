"""Whom an embedded PostgreSQL runs as, and what only that user may enter.

PostgreSQL refuses to run as root. Started by root, the server runs as the owner of its directory
if that is a plain user, and else as the bare number `UNPRIVILEGED_ID`, which is in nobody's use:
a shared account (`nobody`, `postgres`) would let every other daemon that runs as it read the data
and stop the server, and an account of our own would be a change to the machine. Nothing above the
data is opened to that user (/root stays 0700): the server is put into its data directory before
root is dropped, and names it /proc/self/cwd.
"""

import hashlib
import os
import pwd
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.kit.errors import ConflictError, UnavailableError

# Between systemd's ranges, in what its UIDS-GIDS list leaves unused, and below 65536, so that it
# exists in a container whose ids are mapped.
UNPRIVILEGED_ID: Final = 60901
PORT: Final = 5432
# sun_path is 104 bytes on macOS and 108 on Linux, with a final zero.
_LONGEST_SOCKET: Final = 103


@dataclass(frozen=True)
class Account:
    """The user the server runs as."""

    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether it is the user this process runs as."""
        return self.uid == os.geteuid()

    @property
    def for_initdb(self) -> "Account":
        """The same, or one that has a name: initdb (not the server) refuses a bare number.

        What it makes is given to the bare number at once, and lies where only root can reach.
        """
        if name_of(self.uid) or self.is_ours:
            return self
        named = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
        nobody = [entry for entry in named if entry.pw_name == "nobody"]
        for entry in (*nobody, *named):
            return Account(entry.pw_uid, entry.pw_gid)
        raise UnavailableError(
            "This machine has no user but root, and PostgreSQL cannot be set up by root; add one, "
            "or use a PostgreSQL of your own by its URL."
        )

    def path_to(self, directory: Path) -> str:
        """Return the name by which a program started *inside* `directory` reaches it.

        Raises:
            UnavailableError: we are root on a platform without /proc.
        """
        if self.is_ours:
            return str(directory)
        if not sys.platform.startswith("linux"):
            raise UnavailableError(
                "The embedded PostgreSQL cannot be started by root on this platform; start it as "
                "a plain user, or use a PostgreSQL of your own by its URL."
            )
        return "/proc/self/cwd"


def choose_account(directory: Path, data: Path) -> Account:
    """Decide whom the server of `directory` runs as; `data` is its cluster, made or not.

    Raises:
        ConflictError: the data belongs to another user, and we are not root.
    """
    owners = [each.stat() for each in (data, directory) if each.exists()]
    if os.geteuid() != 0:
        foreign = [owner.st_uid for owner in owners if owner.st_uid != os.geteuid()]
        if foreign:
            raise ConflictError(
                f"The database in {directory} belongs to {name_of(foreign[0]) or foreign[0]}; "
                "start it as that user or as root, or choose another directory."
            )
        return Account(os.geteuid(), os.getegid())
    for owner in owners:
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    return Account(UNPRIVILEGED_ID, UNPRIVILEGED_ID)


def name_of(uid: int) -> str:
    """Return the name of user `uid`, empty when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def give_tree(directory: Path, account: Account) -> None:
    """Make `account` the owner of `directory` and all in it; links are not followed."""
    for _, _, files, here in os.fwalk(directory):
        os.chown(here, account.uid, account.gid)
        for name in files:
            os.chown(name, account.uid, account.gid, dir_fd=here, follow_symlinks=False)


def write_access_rules(data: Path, allowed_uids: set[int]) -> None:
    """Let the users `allowed_uids` in through the socket, in any role; nobody else at all.

    There is no password: the kernel says who is at the other end (peer authentication).
    """
    names = sorted(name for uid in allowed_uids if (name := name_of(uid)))
    head = "# Written at each start of the server.\n"
    users = "".join(f'owner "{name}" all\n' for name in names)
    with opened(data) as inside:
        _replace(inside, "pg_hba.conf", f"{head}local all all peer map=owner\n")
        _replace(inside, "pg_ident.conf", head + users)


def socket_directory(directory: Path, account: Account) -> Path:
    """Make a directory for the socket that only `account` (and root) may enter.

    It is `directory`/run when that path is short enough and we are `account`; else it is below
    /run or the directory for temporary files, with a name made from `directory`.
    """
    inside = directory / "run"
    if account.is_ours and _fits(inside):
        inside.mkdir(mode=0o700, exist_ok=True)
        inside.chmod(0o700)
        return inside
    name = "pg-" + hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    base = Path("/run")
    if os.geteuid() != 0 or not os.access(base, os.W_OK):
        base = Path(tempfile.gettempdir())
    if not _fits(base / name):
        base = Path("/tmp")  # noqa: S108 - what is found there is checked
    return _private_directory(base, name, account)


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    """Open a directory, not through a link, so that names in it mean this directory's."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _fits(directory: Path) -> bool:
    # A comma in the host of a URL separates hosts.
    path = os.fsencode(directory / f".s.PGSQL.{PORT}")
    return len(path) <= _LONGEST_SOCKET and b"," not in path


def _private_directory(base: Path, name: str, account: Account) -> Path:
    path = base / name
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        ours = found.st_uid in {account.uid, os.geteuid()}
        if not (ours and stat.S_ISDIR(found.st_mode) and found.st_mode & 0o077 == 0):
            # Somebody else made it to keep us from it, or to see what we put there.
            path = Path(tempfile.mkdtemp(prefix="pg-", dir=base))
    os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return path


def _replace(inside: int, name: str, text: str) -> None:
    """Write a file as the owner of the directory `inside`, who may have laid links there."""
    scratch = f".{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(scratch, dir_fd=inside)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(scratch, flags, mode=0o600, dir_fd=inside)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        owner = os.fstat(inside)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    os.rename(scratch, name, src_dir_fd=inside, dst_dir_fd=inside)
