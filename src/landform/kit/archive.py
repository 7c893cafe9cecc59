"""A configuration's tar.gz as a directory, whoever made it and whatever they meant by it."""

import errno
import io
import os
import tarfile
import zlib
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePosixPath
from typing import Final, Self

from landform.kit.errors import InvalidError, UnavailableError

_CHUNK: Final = 1 << 18
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 4000
_LONGEST_EXTENSION: Final = 1 << 20
_EXTENSIONS: Final = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may hold.

    Attributes:
        total_bytes: all files together.
        ratio: bytes out per byte in, looked at once `ratio_from_bytes` came out.
    """

    total_bytes: int = 2 << 30
    file_bytes: int = 1 << 30
    entries: int = 200_000
    ratio: int = 200
    ratio_from_bytes: int = 64 << 20


class _Kind(Enum):
    DIRECTORY = auto()
    FILE = auto()
    LINK = auto()


def unpack(archive: bytes, into: Path, *, bounds: Bounds | None = None) -> None:
    """Write the files of `archive`, a tar.gz, below `into`, a directory that is empty.

    Memory stays bounded whatever the archive says. After an error `into` holds a part of it.

    Raises:
        InvalidError: not a tar.gz, or an entry that could harm; the text names the entry.
        UnavailableError: the disk is full.
    """
    source = _Gunzip(archive, bounds or Bounds())
    target = _Target(into, source.bounds)
    try:
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Member) as tar:
            while (member := tar.next()) is not None:
                target.add(tar, member)
                setattr(tar, "members", [])  # noqa: B010 - untyped; else every entry seen stays
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise InvalidError(
            f"The configuration is not a tar archive ({error}). Upload a directory as tar.gz."
        ) from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise UnavailableError(
            f"There is no room for the configuration on this machine's disk ({error.strerror})."
            " Free some and try again."
        ) from error
    target.check_links()


class _Member(tarfile.TarInfo):
    """A header, refused before anything of the size it claims is read into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0 or (member.type in _EXTENSIONS and member.size > _LONGEST_EXTENSION):
            raise InvalidError(
                f"The configuration's archive has a header of {member.size} bytes at"
                f" {member.name!r}. Make it again with an ordinary tar."
            )
        return member


class _Gunzip(io.RawIOBase):
    """The bytes of a gzip file, of which no more is unpacked than is asked for."""

    def __init__(self, archive: bytes, bounds: Bounds) -> None:
        super().__init__()
        self.bounds = bounds
        self._size = len(archive)
        self._input = io.BytesIO(archive)
        self._zlib = zlib.decompressobj(wbits=31)
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else _CHUNK
        try:
            data = self._some(wanted)
        except zlib.error as error:
            raise InvalidError(
                "The configuration is not a gzip file. Upload a directory as tar.gz."
            ) from error
        self._given += len(data)
        if self._given > max(self.bounds.ratio_from_bytes, self.bounds.ratio * self._size):
            raise InvalidError(
                f"The configuration's archive of {self._size} bytes unpacks to more than"
                f" {self._given} bytes. Leave out what is not configuration (.terraformignore)."
            )
        return data

    def _some(self, wanted: int) -> bytes:
        while wanted:
            if self._zlib.eof:
                rest = self._zlib.unused_data.lstrip(b"\0") or self._input.read(_CHUNK).lstrip(
                    b"\0"
                )
                if not rest:
                    return b""
                self._zlib = zlib.decompressobj(wbits=31)
            else:
                rest = self._zlib.unconsumed_tail or self._input.read(_CHUNK)
            data = self._zlib.decompress(rest, wanted)
            if data:
                return data
            if not rest and not self._zlib.eof:
                raise InvalidError("The configuration's archive is cut short. Upload it again.")
        return b""


class _Target:
    """The directory being filled, and what is known to be in it."""

    def __init__(self, root: Path, bounds: Bounds) -> None:
        self._root = root
        self._bounds = bounds
        self._kinds: dict[PurePosixPath, _Kind] = {}
        self._entries = 0
        self._bytes = 0

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._entries += 1
        if self._entries > self._bounds.entries:
            raise InvalidError(
                f"The configuration has more than {self._bounds.entries} files. Leave out what"
                " is not configuration (.terraformignore)."
            )
        path = _path_of(member.name)
        if member.isdir():
            self._make_directory(path)
        elif path == PurePosixPath():
            raise _refusal(member.name, "is the root itself but not a directory")
        elif member.issym():
            self._make_link(path, member)
        elif member.islnk():
            self._make_hard_link(path, member)
        elif member.isreg() and not member.issparse():
            self._make_file(path, tar, member)
        else:
            raise _refusal(member.name, "is neither a file, a directory nor a link")

    def check_links(self) -> None:
        """Follow every symbolic link to its end; only now is all there that it may lead over."""
        root = os.path.realpath(self._root)
        for path, kind in self._kinds.items():
            if kind is _Kind.LINK:
                end = os.path.realpath(self._root / path)
                if end != root and not end.startswith(root + os.sep):
                    raise _refusal(str(path), "is a link that leaves the configuration")

    def _make_directory(self, path: PurePosixPath) -> None:
        if path == PurePosixPath() or self._claim(path, _Kind.DIRECTORY):
            return
        (self._root / path).mkdir(mode=0o755)

    def _make_link(self, path: PurePosixPath, member: tarfile.TarInfo) -> None:
        to = member.linkname
        if not to or to.startswith("/") or "\0" in to or len(to) > _LONGEST_PATH:
            raise _refusal(member.name, "is a link that leaves the configuration")
        at = self._place(path, _Kind.LINK)
        at.symlink_to(to)

    def _make_hard_link(self, path: PurePosixPath, member: tarfile.TarInfo) -> None:
        to = _path_of(member.linkname)
        if self._kinds.get(to) is not _Kind.FILE or to == path:
            raise _refusal(member.name, f"is a link to {str(to)!r}, which is no file before it")
        at = self._place(path, _Kind.FILE)
        os.link(self._root / to, at, follow_symlinks=False)

    def _make_file(
        self, path: PurePosixPath, tar: tarfile.TarFile, member: tarfile.TarInfo
    ) -> None:
        self._bytes += member.size
        if member.size > self._bounds.file_bytes or self._bytes > self._bounds.total_bytes:
            raise _refusal(
                member.name,
                f"makes it larger than {self._bounds.total_bytes} bytes"
                f" (a file: {self._bounds.file_bytes})",
            )
        content = tar.extractfile(member)
        at = self._place(path, _Kind.FILE)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(at, flags, 0o644 | (member.mode & 0o111)), "wb") as file:
            while content is not None and (block := content.read(_CHUNK)):
                file.write(block)

    def _place(self, path: PurePosixPath, kind: _Kind) -> Path:
        """Return where to write; what an earlier entry of the same name wrote is gone."""
        at = self._root / path
        if self._claim(path, kind):
            at.unlink()
        return at

    def _claim(self, path: PurePosixPath, kind: _Kind) -> bool:
        """Note `path`, make the directories above it, and tell whether it was there before."""
        for parent in reversed(path.parents[:-1]):
            known = self._kinds.get(parent)
            if known is None:
                self._kinds[parent] = _Kind.DIRECTORY
                (self._root / parent).mkdir(mode=0o755)
            elif known is not _Kind.DIRECTORY:
                raise _refusal(str(path), f"lies below {str(parent)!r}, which is no directory")
        known = self._kinds.get(path)
        if known not in {None, kind}:
            raise _refusal(str(path), "is there twice, as two different things")
        self._kinds[path] = kind
        return known is not None


def _path_of(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise _refusal(name, "leaves the configuration")
    if any(ord(letter) < ord(" ") for letter in name):
        raise _refusal(name, "has a control character in its name")
    if len(os.fsencode(name)) > _LONGEST_PATH or any(
        len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts
    ):
        raise _refusal(name[:80], "has too long a name")
    return path


def _refusal(name: str, reason: str) -> InvalidError:
    return InvalidError(
        f"The configuration's archive cannot be unpacked: {name!r} {reason}."
        " Make it again without that entry."
    )
