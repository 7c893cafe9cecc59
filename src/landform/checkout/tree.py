"""A commit's files, read from git's objects into a tar.gz that is the same every time."""

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from landform.kit.errors import TooLargeError
from landform.vcs.git.program import LOCAL, Limits, Repository, environment

SUBMODULE: Final = "160000"
_LINK: Final = "120000"
_EXECUTABLE: Final = "100755"


@dataclass(frozen=True)
class Entry:
    """A file, link or submodule of a commit; `size` in bytes, of a submodule 0.

    Attributes:
        content: where the file is, when it is not git's object.
    """

    mode: str
    object_id: str
    size: int
    path: str
    content: Path | None = None

    @property
    def is_file(self) -> bool:
        """Neither a link nor a submodule."""
        return self.mode not in (SUBMODULE, _LINK)


@dataclass(frozen=True)
class Part:
    """One repository of a configuration, and below which path its files go."""

    repository: Repository
    entries: tuple[Entry, ...]
    prefix: str


async def entries_of(repository: Repository, commit: str) -> tuple[Entry, ...]:
    """Return every entry of the commit, in the order of its tree."""
    listing = await repository.run("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
    return tuple(_entries(listing or b""))


def read_objects(directory: Path, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
    """Yield each entry of a repository with its content. Blocking."""
    with _reader(directory) as reader:
        for entry in entries:
            yield entry, _object(reader, entry)


def write_archive(parts: list[Part], file: IO[bytes], limits: Limits) -> None:
    """Write the parts' files as a tar.gz. Blocking.

    Raises:
        TooLargeError: they are past a limit.
    """
    files = [entry for part in parts for entry in part.entries if entry.mode != SUBMODULE]
    size = sum(entry.size for entry in files)
    if size > limits.unpacked_bytes or len(files) > limits.entries:
        raise TooLargeError(
            f"The repository has {len(files)} files of {size} bytes together at this commit; a"
            f" configuration has at most {limits.entries} files of {limits.unpacked_bytes} bytes."
        )
    with (
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for part in parts:
            _write_part(part, tar)


def _write_part(part: Part, tar: tarfile.TarFile) -> None:
    entries = [entry for entry in part.entries if entry.mode != SUBMODULE]
    with _reader(part.repository.directory) as reader:
        for entry in entries:
            member = tarfile.TarInfo(f"{part.prefix}{entry.path}")
            member.size = entry.size
            member.mode = 0o755 if entry.mode == _EXECUTABLE else 0o644
            if entry.content is not None:
                with entry.content.open("rb") as file:
                    tar.addfile(member, file)
                continue
            content = _object(reader, entry)
            if entry.mode == _LINK:
                link = tarfile.TarInfo(member.name)
                link.type, link.linkname = tarfile.SYMTYPE, os.fsdecode(content)
                tar.addfile(link)
                continue
            tar.addfile(member, io.BytesIO(content))


def _reader(directory: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["git", "cat-file", "--batch"],
        cwd=directory,
        env=environment(directory, LOCAL),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _object(reader: "subprocess.Popen[bytes]", entry: Entry) -> bytes:
    if reader.stdin is None or reader.stdout is None:
        raise TypeError("The reader was started without pipes.")
    reader.stdin.write(f"{entry.object_id}\n".encode())
    reader.stdin.flush()
    head = reader.stdout.readline().split()
    if len(head) != 3 or int(head[2]) != entry.size:  # noqa: PLR2004 - name, type, size
        raise OSError(f"Git does not give {entry.object_id} of {entry.path!r}.")
    content = reader.stdout.read(entry.size)
    reader.stdout.read(1)
    return content


def _entries(listing: bytes) -> Iterator[Entry]:
    for line in listing.split(b"\0"):
        if not line:
            continue
        head, _, path = line.partition(b"\t")
        mode, _, object_id, size = head.decode().split()
        yield Entry(mode, object_id, 0 if size == "-" else int(size), os.fsdecode(path))
