"""Files that are kept beside a repository: Git LFS (its specification and batch API, version 1).

Not fetched by git-lfs, which goes wherever the server, or a file of the repository, sends it. Here
every address is judged like any other that a stranger chose, and nothing in the repository has a
say in where its files are: only the repository's own server is asked.
"""

import asyncio
import hashlib
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from landform.checkout.tree import Entry, Part, read_objects
from landform.kit.egress import Answer, BlockedAddressError, Bounds, Outbound
from landform.kit.errors import InvalidError, TooLargeError
from landform.vcs.errors import NotAllowedError, ProviderAwayError
from landform.vcs.git.program import Limits
from landform.vcs.git.remotes import is_within
from landform.vcs.provider import CloneCredentials

_SHORTEST: Final = 100  # bytes of a pointer
_LONGEST: Final = 1024
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,15})\n?"
)
_TYPE: Final = "application/vnd.git-lfs+json"
_AT_ONCE: Final = 100  # objects of one request
_REDIRECTS: Final = 3
_HEADERS: Final = 20  # that a server may ask to be sent
_OURS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", "cookie"})
_SERVER_FAILED: Final = 500


@dataclass(frozen=True)
class Pointer:
    """What stands in the repository for a file; `oid` is the SHA-256 of its content."""

    oid: str
    size: int


class LargeFiles:
    """The large files of one checkout, with all its submodules."""

    def __init__(
        self,
        http: Outbound,
        credentials: Callable[[], Awaitable[CloneCredentials]],
        limits: Limits,
        directory: Path,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._limits = limits
        self._directory = directory
        self._kept: dict[str, Path] = {}

    async def fill(self, part: Part, url: str) -> Part:
        """Return the part with the files that its pointers stand for.

        Args:
            url: the part's repository, as it was fetched.

        Raises:
            TooLargeError: there are too many, or they are too large.
            InvalidError: the server has none, or not those; or the repository is fetched by SSH.
            NotAllowedError: the connection may not have them.
            ProviderAwayError, NoAnswerError: the server does not answer, or not now.
        """
        pointers = await asyncio.to_thread(_pointers_of, part)
        if not pointers:
            return part
        self._check(pointers.values())
        missing = {each.oid: each for each in pointers.values() if each.oid not in self._kept}
        wanted = list(missing.values())
        for first in range(0, len(wanted), _AT_ONCE):
            await self._fetch(url, wanted[first : first + _AT_ONCE])
        entries = tuple(self._filled(each, pointers.get(each.object_id)) for each in part.entries)
        return replace(part, entries=entries)

    def _filled(self, entry: Entry, pointer: Pointer | None) -> Entry:
        if pointer is None:
            return entry
        return replace(entry, size=pointer.size, content=self._kept[pointer.oid])

    def _check(self, pointers: Iterable[Pointer]) -> None:
        found = {each.oid: each.size for each in pointers}
        most, each_bytes = self._limits.large_files, self._limits.large_file_bytes
        if len(found) + len(self._kept) > most:
            raise TooLargeError(f"The commit has more than {most} files in Git LFS.")
        if max(found.values()) > each_bytes:
            raise TooLargeError(
                f"A file in Git LFS has {max(found.values())} bytes; at most {each_bytes} are"
                " fetched of one."
            )
        if sum(found.values()) > self._limits.unpacked_bytes:
            raise TooLargeError("The files in Git LFS are together larger than a configuration.")

    async def _fetch(self, url: str, wanted: Sequence[Pointer]) -> None:
        credentials = await self._credentials()
        if not url.startswith(("https://", "http://")):
            raise InvalidError("Files in Git LFS are fetched over HTTPS only, and not by SSH.")
        said = await self._ask(url, credentials, wanted)
        by_oid = {str(each.get("oid")): each for each in said}
        for pointer in wanted:
            path = self._directory / pointer.oid
            content = await self._download(by_oid.get(pointer.oid) or {}, pointer, credentials)
            await asyncio.to_thread(_keep, path, content)
            self._kept[pointer.oid] = path

    async def _ask(
        self, url: str, credentials: CloneCredentials, wanted: Sequence[Pointer]
    ) -> list[Mapping[str, Any]]:
        """Ask where the objects are."""
        body = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": each.oid, "size": each.size} for each in wanted],
            "hash_algo": "sha256",
        }
        for base in _servers_of(url):
            address = f"{base}/objects/batch"
            headers = {"accept": _TYPE, "content-type": _TYPE, **_sign_in(address, credentials)}
            answer = await self._http.request("POST", address, headers=headers, json=body)
            if answer.status != HTTPStatus.NOT_FOUND:
                return _objects_of(answer)
        raise InvalidError("The commit has files in Git LFS, and its server has no Git LFS.")

    async def _download(
        self, said: Mapping[str, Any], pointer: Pointer, credentials: CloneCredentials
    ) -> bytes:
        action = _mapping(_mapping(said.get("actions")).get("download"))
        href = str(action.get("href") or "")
        if said.get("error") or not href:
            raise InvalidError(f"The server does not have {pointer.oid} of Git LFS.")
        headers = _headers_of(action)
        if not said.get("authenticated") and "authorization" not in headers:
            headers |= _sign_in(href, credentials)
        bounds = Bounds(total_s=self._limits.total_s, body_bytes=pointer.size)
        try:
            answer = await self._http.request(
                "GET", href, headers=headers, follow=_REDIRECTS, bounds=bounds
            )
        except BlockedAddressError:
            raise
        except InvalidError:  # its words would quote the address, which may hold a signature
            host = urlsplit(href).hostname or "an address that cannot be called"
            raise InvalidError(f"Git LFS keeps {pointer.oid} at {host[:200]}.") from None
        _check_status(answer)
        if hashlib.sha256(answer.body).hexdigest() != pointer.oid:
            raise InvalidError(f"What the server gives for {pointer.oid} of Git LFS is not it.")
        return answer.body


def _pointers_of(part: Part) -> dict[str, Pointer]:
    """Return the pointers among the part's files, by the id of git's object. Blocking."""
    small = [each for each in part.entries if each.is_file and _SHORTEST <= each.size < _LONGEST]
    found: dict[str, Pointer] = {}
    for entry, content in read_objects(part.repository.directory, small):
        match = _POINTER.fullmatch(content)
        if match is not None:
            found[entry.object_id] = Pointer(match["oid"].decode(), int(match["size"]))
    return found


def _servers_of(url: str) -> list[str]:
    """Return where a repository's LFS may be: where git-lfs looks, then as Azure DevOps has it."""
    base = url.rstrip("/")
    if base.endswith(".git"):
        return [f"{base}/info/lfs"]
    return [f"{base}.git/info/lfs", f"{base}/info/lfs"]


def _sign_in(url: str, credentials: CloneCredentials) -> dict[str, str]:
    scope = credentials.scope or credentials.url
    if not credentials.password or not is_within(url, scope):
        return {}
    pair = f"{credentials.username}:{credentials.password}"
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _objects_of(answer: Answer) -> list[Mapping[str, Any]]:
    _check_status(answer)
    objects = _mapping(answer.json()).get("objects")
    found: list[Any] = objects if isinstance(objects, list) else []
    return [each for each in found if isinstance(each, dict)]


def _check_status(answer: Answer) -> None:
    status = answer.status
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= _SERVER_FAILED:
        raise ProviderAwayError(f"Git LFS answers {status}; try again later.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise NotAllowedError(f"Git LFS does not let this connection read ({status}).")
    raise InvalidError(f"Git LFS answers {status}.")


def _headers_of(action: Mapping[str, Any]) -> dict[str, str]:
    given = list(_mapping(action.get("header")).items())[:_HEADERS]
    found = {str(name).lower(): str(value) for name, value in given}
    return {name: value for name, value in found.items() if name not in _OURS}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
