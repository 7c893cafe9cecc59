"""Bring one release from a mirror into the cache: verified, whole, and once.

Nothing is trusted but the publisher's key: it signs the list of checksums, the list names the
archive's, and only an archive that has it is opened.
"""

import asyncio
import fcntl
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from landform.kit.errors import InvalidError, UnavailableError
from landform.toolchain.mirror import (
    Limits,
    Mirror,
    MissingError,
    Release,
    connect,
    read,
    save,
    shown,
)
from landform.toolchain.places import ask_version, cached_path, is_runnable, platform
from landform.toolchain.signatures import Keys, UntrustedError
from landform.toolchain.versions import Version

_LOCK_POLL_S: Final = 0.05
_BLOCK: Final = 1024 * 1024


async def install(
    mirror: Mirror, version: Version, *, keys: Keys, cache_dir: Path, limits: Limits
) -> Path:
    """Return the binary of `version` in the cache, downloading it if it is not there.

    Any number of processes may do this at once on one cache; one of them downloads.

    Raises:
        MissingError: the mirror has no such version.
        UntrustedError: a signature or checksum is not right; nothing is kept.
        InvalidError: it is not released for this platform, or the archive is of no use.
        UnavailableError: network, disk or time did not suffice; nothing is kept.
    """
    target = cached_path(cache_dir, mirror.tool, version)
    name = f"{mirror.tool}-{version}-{platform()}"
    work = cache_dir / ".install"
    try:
        work.mkdir(parents=True, exist_ok=True)
        async with _lock(work / f"{name}.lock", limits.total_s):
            if is_runnable(target):
                return target
            for left in work.glob(f"{name}.*/"):  # by a process that died: we hold the lock now
                shutil.rmtree(left, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=work))
            try:
                await _fetch(mirror, version, keys, partial, limits)
                _publish(partial, target.parent)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as failure:
        raise UnavailableError(
            f"{mirror.tool.product} {version} could not be written to {cache_dir}: "
            f"{failure.strerror or failure}."
        ) from failure
    return target


@asynccontextmanager
async def _lock(path: Path, patience_s: float) -> AsyncIterator[None]:
    """Hold an flock, which ends with its process however that ends. The file stays."""
    deadline = asyncio.get_running_loop().time() + patience_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    raise UnavailableError(
                        f"Another process has held {path} for more than {patience_s:g} s."
                    ) from None
                await asyncio.sleep(_LOCK_POLL_S)
        yield


async def _fetch(
    mirror: Mirror, version: Version, keys: Keys, partial: Path, limits: Limits
) -> None:
    """Leave exactly the binary in `partial`, verified and seen to run."""
    release = mirror.release(version, platform())
    archive = partial / "archive.zip"
    async with connect(limits) as client:
        try:
            sums = await read(client, release.sums_url, at_most=limits.sums_bytes, limits=limits)
        except MissingError as failure:
            raise MissingError(
                f"{mirror.tool.product} {version} is not on {shown(mirror.base_url)}."
            ) from failure
        await _check_signature(client, release, sums, keys, limits)
        expected = _expected_sum(sums, release.archive)
        actual = await save(
            client, release.archive_url, archive, at_most=limits.archive_bytes, limits=limits
        )
    if actual != expected:
        raise UntrustedError(
            f"{shown(release.archive_url)} has the SHA-256 {actual}, but the signed list says "
            f"{expected}; it was thrown away."
        )
    binary = partial / mirror.tool
    await asyncio.to_thread(_unpack, archive, mirror.tool, binary, limits.binary_bytes)
    archive.unlink()
    said = await asyncio.to_thread(ask_version, mirror.tool, binary)
    if said != version:
        raise UntrustedError(f"{release.archive} holds {said}, not {version}.")


async def _check_signature(
    client: httpx2.AsyncClient, release: Release, sums: bytes, keys: Keys, limits: Limits
) -> None:
    """Return when one of the signatures is by a trusted key."""
    seen = []
    for url in release.signatures:
        try:
            signature = await read(client, url, at_most=limits.signature_bytes, limits=limits)
        except MissingError:
            continue
        if await asyncio.to_thread(keys.check, sums, signature):
            return
        seen.append(f"{url.rpartition('/')[2]} is {keys.issuer(signature)}")
    why = "; ".join(seen) or "there is no signature beside it"
    raise UntrustedError(
        f"{shown(release.sums_url)} is not signed by a trusted key "
        f"({', '.join(keys.fingerprints)}): {why}. Nothing was kept."
    )


def _expected_sum(sums: bytes, archive: str) -> str:
    """Find the archive in lines of `checksum  name`."""
    lines = (line.split() for line in sums.decode(errors="replace").splitlines())
    listed = {line[1].removeprefix("*"): line[0].lower() for line in lines if len(line) == 2}  # noqa: PLR2004
    if archive not in listed:
        others = ", ".join(sorted(name for name in listed if name.endswith(".zip")))
        raise InvalidError(f"There is no {archive} in this release; it has {others or 'no zip'}.")
    return listed[archive]


def _unpack(archive: Path, member: str, target: Path, at_most: int) -> None:
    """Write the one file `member` to `target`, executable and on the disk, at most `at_most`."""
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(member)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise InvalidError(f"{member} in the archive is a link, not a program.")
            with opened.open(info) as source, target.open("xb") as binary:
                while block := source.read(_BLOCK):
                    if binary.tell() + len(block) > at_most:
                        raise InvalidError(
                            f"{member} in the archive is larger than {at_most:,} bytes."
                        )
                    binary.write(block)
                binary.flush()
                os.fchmod(binary.fileno(), 0o755)
                os.fsync(binary.fileno())
    except KeyError:
        raise InvalidError(f"The archive has no file named {member}.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as failure:
        raise InvalidError(f"The archive cannot be unpacked: {failure}") from failure


def _publish(partial: Path, directory: Path) -> None:
    """Make it appear at once and whole."""
    partial.chmod(0o755)
    directory.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(directory, ignore_errors=True)  # holds no runnable binary: asked under the lock
    partial.rename(directory)
