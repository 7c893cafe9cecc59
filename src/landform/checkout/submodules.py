"""Submodules: what `.gitmodules` says of them, read as data, and where that leads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from landform.checkout.tree import SUBMODULE, Part
from landform.kit.errors import InvalidError

_FILE: Final = ".gitmodules"
_RELATIVE: Final = ("./", "../")


@dataclass(frozen=True)
class Submodule:
    """A repository within another: where it is fetched from, at what commit, and where it goes."""

    url: str
    commit: str
    prefix: str


async def submodules_of(
    part: Part, commit: str, parent_url: str, rewrites: Mapping[str, str]
) -> list[Submodule]:
    """Return the submodules of a part, in the order of its tree.

    Raises:
        InvalidError: one is not described, or its address makes no sense.
    """
    urls = await _urls(part, commit)
    found = []
    for entry in part.entries:
        if entry.mode != SUBMODULE:
            continue
        if entry.path not in urls:
            raise InvalidError(
                f"{part.prefix}{entry.path} is a submodule, but {_FILE} does not say of what"
                " repository. Remove it, or set up the workspace without submodules."
            )
        url = resolve(parent_url, rewritten(urls[entry.path], rewrites))
        found.append(Submodule(url, entry.object_id, f"{part.prefix}{entry.path}/"))
    return found


def rewritten(url: str, rewrites: Mapping[str, str]) -> str:
    """Return the address that stands for `url`: by the longest beginning that is known."""
    known = [start for start in rewrites if url.startswith(start)]
    if not known:
        return url
    start = max(known, key=len)
    return rewrites[start] + url[len(start) :]


def resolve(parent: str, url: str) -> str:
    """Return a submodule's address; a relative one is seen from its parent's, as git does.

    Raises:
        InvalidError: it climbs out of the parent's host.
    """
    if not url.startswith(_RELATIVE):
        return url
    parts = urlsplit(parent)
    if "://" not in parent:
        raise InvalidError(f"The submodule's relative address {url!r} needs a parent with a URL.")
    path = parts.path.rstrip("/").split("/")
    rest = url
    while rest.startswith(_RELATIVE):
        if rest.startswith("../"):
            if len(path) <= 1:
                raise InvalidError(f"The submodule's address {url!r} leaves its parent's host.")
            path.pop()
        rest = rest.split("/", 1)[1]
    return urlunsplit((parts.scheme, parts.netloc, "/".join([*path, rest]), "", ""))


async def _urls(part: Part, commit: str) -> Mapping[str, str]:
    """Return the addresses by path; git parses the file, which is a stranger's."""
    pattern = r"^submodule\..*\.(path|url)$"
    blob = f"{commit}:{_FILE}"
    output = await part.repository.run(
        "config", "--no-includes", "--blob", blob, "-z", "--get-regexp", pattern, may_fail=True
    )
    told: dict[str, dict[str, str]] = {}
    for item in (output or b"").decode(errors="replace").split("\0"):
        key, _, value = item.partition("\n")
        name, _, field = key.rpartition(".")
        if field in ("path", "url"):
            told.setdefault(name, {})[field] = value
    return {one["path"]: one["url"] for one in told.values() if {"path", "url"} <= one.keys()}
