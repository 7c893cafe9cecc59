"""Every way an Azure DevOps repository is written, as one identity. Pure.

Facts: vcs_providers.md §1.8 and §2. No suffix is cut off: `.git` may be part of a name.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError

PUBLIC: Final = "https://dev.azure.com"

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SSH: Final = re.compile(
    r"(?:ssh://)?(?P<user>[^@/\s]+)@(?P<host>[^:/\s]+)(?::\d+)?[:/]+v3/(?P<path>[^\s]+)"
)
_SSH_HOSTS: Final = ("ssh.dev.azure.com", "vs-ssh.visualstudio.com")
_OLD_HOST: Final = ".visualstudio.com"
_VARIANTS: Final = ("_optimized", "_full")
_LONGEST: Final = 2048
_V3_PARTS: Final = 3


@dataclass(frozen=True)
class Located:
    """Where a repository is.

    Attributes:
        organization: empty when the reference does not say, as an id or a name does not.
        project: its name or id; empty when only the id of the repository is known.
        repository: its name or id.
    """

    organization: str
    project: str
    repository: str


def locate(reference: str, *, api_url: str = "") -> Located:
    """Read an id, an identifier or any form of URL.

    Args:
        api_url: where the connection's organizations are; empty: at the public service.

    Raises:
        InvalidError: it is none of these, or of another host.
    """
    text = reference.strip()
    if not text or len(text) > _LONGEST or any(letter < " " for letter in text):
        raise _unknown(reference)
    if _GUID.fullmatch(text):
        return Located("", "", text.lower())
    if (match := _SSH.fullmatch(text)) and match["host"].lower() in _SSH_HOSTS:
        parts = [unquote(part) for part in match["path"].split("/")]
        if len(parts) == _V3_PARTS and all(parts):
            return Located(*parts)
        raise _unknown(reference)
    if "://" in text:
        return _of_url(text, reference, api_url)
    return _of_parts([part for part in text.split("/") if part], reference)


def quoted(*parts: str) -> str:
    """Join path segments, each percent-encoded: a space is `%20`."""
    return "/".join(quote(part, safe="") for part in parts)


def is_id(text: str) -> bool:
    """Tell whether `text` is an id rather than a name."""
    return _GUID.fullmatch(text) is not None


def _of_url(text: str, reference: str, api_url: str) -> Located:
    try:
        url = urlsplit(text)
        host = (url.hostname or "").lower()
        own = urlsplit(api_url or PUBLIC)
        same = (host, url.port) == ((own.hostname or "").lower(), own.port)
    except ValueError:
        raise _unknown(reference) from None
    parts = [unquote(part) for part in url.path.split("/") if part]
    if host.endswith(_OLD_HOST) and not api_url.rstrip("/").endswith(_OLD_HOST):
        organization = host.removesuffix(_OLD_HOST)
        if parts and parts[0].lower() == "defaultcollection":
            parts = parts[1:]
        return _of_parts([organization, *parts], reference)
    if not same:
        raise InvalidError(
            f"{host or reference} is not where this connection's repositories are ({own.netloc}).",
            pointer="identifier",
        )
    above = [unquote(part) for part in own.path.split("/") if part]
    if [part.lower() for part in parts[: len(above)]] == [part.lower() for part in above]:
        parts = parts[len(above) :]
    return _of_parts(parts, reference)


def _of_parts(parts: list[str], reference: str) -> Located:
    """Read `org/project/_git/repo`, `org/_git/repo`, `org/project/repo` or an API's address."""
    match [part for part in parts if part not in _VARIANTS]:
        case [organization, project, "_apis", "git", "repositories", repository, *_]:
            return Located(organization, project, repository)
        case [organization, "_apis", "git", "repositories", repository, *_]:
            return Located(organization, "", repository)
        case [organization, project, "_git", repository, *_]:
            return Located(organization, project, repository)
        case [organization, "_git", repository, *_]:
            return Located(organization, repository, repository)
        case [organization, project, repository]:
            return Located(organization, project, repository)
        case [project, repository]:
            return Located("", project, repository)
        case _:
            raise _unknown(reference)


def _unknown(reference: str) -> InvalidError:
    return InvalidError(
        f"{reference[:200]!r} names no Azure DevOps repository; one is such as"
        " https://dev.azure.com/ORGANIZATION/PROJECT/_git/REPOSITORY,"
        " git@ssh.dev.azure.com:v3/ORGANIZATION/PROJECT/REPOSITORY, or"
        " ORGANIZATION/PROJECT/_git/REPOSITORY.",
        pointer="identifier",
    )
