"""Where releases are downloaded: the layout of a mirror, and reading from it within bounds.

Layouts as their publishers keep them: releases.hashicorp.com (as hashicorp/hc-install reads it) and
OpenTofu's GitHub releases and api.json (as the mirror specification of opentofu/tofudl says).
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx2

from landform.kit.errors import InvalidError, UnavailableError
from landform.toolchain.versions import Tool, Version, parse_versions

DEFAULT_MIRRORS: Final[Mapping[Tool, str]] = {
    Tool.TERRAFORM: "https://releases.hashicorp.com",
    Tool.TOFU: "https://github.com/opentofu/opentofu/releases/download",
}
_TOFU_INDEX: Final = "https://get.opentofu.org/tofu/api.json"  # GitHub has no such file
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of what a mirror may cost us.

    Attributes:
        total_s: seconds for all of one release, or one index, including waits and repeats.
        idle_s: seconds without a byte before a transfer counts as broken.
        attempts: how often a broken transfer is begun.
        pause_s: seconds before the second attempt; each further one waits twice as long.
        archive_bytes: of a zip; those of 2026 have about 35 MiB.
        binary_bytes: of the program in it; those of 2026 have about 110 MiB.
    """

    total_s: float = 600.0
    idle_s: float = 30.0
    attempts: int = 3
    pause_s: float = 0.5
    archive_bytes: int = 256 * _MIB
    binary_bytes: int = 512 * _MIB
    index_bytes: int = 32 * _MIB
    sums_bytes: int = _MIB
    signature_bytes: int = 64 * 1024


class MissingError(InvalidError):
    """The mirror answered that it has no such file."""


@dataclass(frozen=True)
class Release:
    """The files of one release for one platform.

    Attributes:
        archive: name of the zip, as the sums name it.
        signatures: URLs of detached signatures of the sums, the likeliest first.
    """

    archive: str
    archive_url: str
    sums_url: str
    signatures: tuple[str, ...]


@dataclass(frozen=True)
class Mirror:
    """One tool's releases under one base URL."""

    tool: Tool
    base_url: str

    def release(self, version: Version, platform: str) -> Release:
        """Where the files of `version` are; `platform` such as `linux_amd64`."""
        name = f"{self.tool}_{version}"
        if self.tool is Tool.TERRAFORM:
            folder = f"{self.base_url}/terraform/{version}"
            # Releases older than the present key carry a second signature, named after the key.
            endings = (".sig", ".72D7468F.sig")
        else:
            folder = f"{self.base_url}/v{version}"
            # OpenTofu's own `.sig` is cosign's; a mirror of one's own may have OpenPGP there.
            endings = (".gpgsig", ".sig")
        sums = f"{folder}/{name}_SHA256SUMS"
        archive = f"{name}_{platform}.zip"
        signatures = tuple(sums + ending for ending in endings)
        return Release(archive, f"{folder}/{archive}", sums, signatures)

    @property
    def index_url(self) -> str:
        """The list of all releases."""
        if self.tool is Tool.TERRAFORM:
            return f"{self.base_url}/terraform/index.json"
        if self.base_url == DEFAULT_MIRRORS[Tool.TOFU]:
            return _TOFU_INDEX
        return f"{self.base_url}/api.json"


def mirror_of(tool: Tool, mirrors: Mapping[Tool, str]) -> Mirror:
    """Pick the mirror configured for `tool`, or its publisher's.

    Raises:
        InvalidError: the URL is not http or https.
    """
    base = (mirrors.get(tool) or DEFAULT_MIRRORS[tool]).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise InvalidError(f"The {tool} mirror must be an https:// URL; it is {shown(base)!r}.")
    return Mirror(tool, base)


def shown(url: str) -> str:
    """`url` without user, password and query, for messages."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@asynccontextmanager
async def connect(limits: Limits) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a client for one piece of work, under its deadline.

    Raises:
        UnavailableError: `limits.total_s` passed.
    """
    timeout = httpx2.Timeout(limits.idle_s, connect=min(10.0, limits.idle_s))
    headers = {"User-Agent": "landform", "Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(limits.total_s),
            httpx2.AsyncClient(
                timeout=timeout, headers=headers, follow_redirects=True, max_redirects=5
            ) as client,
        ):
            yield client
    except TimeoutError as failure:
        raise UnavailableError(
            f"The download took longer than {limits.total_s:g} s and was given up."
        ) from failure


async def read(client: httpx2.AsyncClient, url: str, *, at_most: int, limits: Limits) -> bytes:
    """Read the whole of a small file of at most `at_most` bytes.

    Raises:
        MissingError: the mirror has no such file.
        InvalidError: it is larger.
        UnavailableError: the mirror cannot be reached or broke off, each time it was tried.
    """
    content = bytearray()

    async def once() -> None:
        content.clear()
        async for chunk in _chunks(client, url, at_most):
            content.extend(chunk)

    await _again(once, url, limits)
    return bytes(content)


async def save(
    client: httpx2.AsyncClient, url: str, target: Path, *, at_most: int, limits: Limits
) -> str:
    """Write a file of at most `at_most` bytes to `target`; returns its SHA-256.

    Raises:
        as `read`; `target` may then hold a part of it.
    """
    digest = ""

    async def once() -> None:
        nonlocal digest
        running = hashlib.sha256()
        with target.open("wb") as file:
            async for chunk in _chunks(client, url, at_most):
                running.update(chunk)
                await asyncio.to_thread(file.write, chunk)
        digest = running.hexdigest()

    await _again(once, url, limits)
    return digest


async def read_index(mirror: Mirror, limits: Limits) -> set[Version]:
    """Every version the mirror lists, pre-releases too.

    Raises:
        InvalidError: the mirror has no index, or what it has is not one.
        UnavailableError: the mirror cannot be reached.
    """
    async with connect(limits) as client:
        content = await read(client, mirror.index_url, at_most=limits.index_bytes, limits=limits)
    try:
        listed = json.loads(content)["versions"]
        names = [entry["id"] for entry in listed] if mirror.tool is Tool.TOFU else list(listed)
        return parse_versions(str(name) for name in names)
    except (ValueError, TypeError, KeyError) as failure:
        raise InvalidError(
            f"{shown(mirror.index_url)} is not an index of {mirror.tool.product} releases."
        ) from failure


async def has_release(mirror: Mirror, version: Version, platform: str, limits: Limits) -> bool:
    """Whether the mirror has that version; asks for its sums, so it needs no index.

    Raises:
        UnavailableError: the mirror cannot be reached.
    """
    url = mirror.release(version, platform).sums_url
    try:
        async with connect(limits) as client:
            await read(client, url, at_most=limits.sums_bytes, limits=limits)
    except MissingError:
        return False
    return True


async def _again(once: Callable[[], Awaitable[None]], url: str, limits: Limits) -> None:
    """Begin a transfer anew when it broke; an answer that says no is final."""
    for attempt in range(limits.attempts):
        try:
            return await once()
        except httpx2.TransportError as failure:
            if attempt + 1 >= limits.attempts:
                reason = str(failure) or type(failure).__name__
                raise UnavailableError(
                    f"{shown(url)} could not be downloaded: {reason}"
                ) from failure
        except (httpx2.HTTPError, httpx2.InvalidURL) as failure:  # such as too many redirects
            raise UnavailableError(f"{shown(url)} could not be downloaded: {failure}") from failure
        await asyncio.sleep(limits.pause_s * 2**attempt)
    return None


async def _chunks(client: httpx2.AsyncClient, url: str, at_most: int) -> AsyncIterator[bytes]:
    async with client.stream("GET", url) as answer:
        if answer.status_code in {httpx2.codes.NOT_FOUND, httpx2.codes.GONE}:
            raise MissingError(f"{shown(url)} does not exist.")
        if answer.is_server_error:
            raise httpx2.RemoteProtocolError(f"the mirror answered {answer.status_code}")
        if answer.status_code != httpx2.codes.OK:
            raise UnavailableError(f"{shown(url)} answered {answer.status_code}.")
        received = 0
        async for chunk in answer.aiter_bytes():
            received += len(chunk)
            if received > at_most:
                raise InvalidError(f"{shown(url)} is larger than {at_most:,} bytes; not read.")
            yield chunk
