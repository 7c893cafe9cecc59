"""Where a GitLab is, and which project a reference means. Pure. Facts: vcs_providers.md §4."""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError
from landform.vcs.provider import Setup

WEB: Final = "https://gitlab.com"
_API: Final = "/api/v4"
_LONGEST: Final = 1000  # characters of a reference
_DEEPEST: Final = 22  # twenty groups in each other, a group, and the project
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SCP: Final = re.compile(r"git@(?P<host>[^:/\s]+):(?P<path>.+)")
_BY_ID: Final = re.compile(r"/?api/v4/projects/(?P<id>[^/?#]+)(?:/.*)?")


def web_of(setup: Setup) -> str:
    """Return the base of pages, of sign-in and of git; a server may be below a path."""
    if setup.endpoint:
        return setup.endpoint.rstrip("/")
    return setup.api_url.rstrip("/").removesuffix(_API) or WEB


def api_of(setup: Setup) -> str:
    """Return the base of the REST API."""
    return setup.api_url.rstrip("/") or f"{web_of(setup)}{_API}"


def project_of(reference: str, *, web: str) -> str:
    """Return the project that is meant as the API takes it: its id, or its whole path.

    Raises:
        InvalidError: it is of no form that is known, or of another host.
    """
    text = reference.strip()
    if text.isdecimal() and text.isascii():
        return text
    scp = _SCP.fullmatch(text)
    if len(text) > _LONGEST:
        text = ""
    elif scp:
        text = _path(web, scp["host"], scp["path"], below="")
    elif "://" in text:
        text = _of_address(text, web)
    if text.isdecimal():
        return text
    name = unquote(text).strip("/").removesuffix(".git")
    segments = name.split("/")
    if not 1 < len(segments) <= _DEEPEST or not all(_SEGMENT.fullmatch(one) for one in segments):
        raise InvalidError(
            f"{reference[:200]!r} names no project of GitLab; write GROUP/PROJECT with all its"
            " groups, or its address."
        )
    return name


def quoted(*parts: str) -> str:
    """Join path segments, each percent-encoded, so that a slash within one stays."""
    return "/".join(quote(part, safe="") for part in parts)


def _of_address(text: str, web: str) -> str:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return ""
    below = urlsplit(web).path if parts.scheme in ("http", "https") else ""
    path = _path(web, host, parts.path, below=below)
    by_id = _BY_ID.fullmatch(path)
    return unquote(by_id["id"]) if by_id else path


def _path(web: str, host: str, path: str, *, below: str) -> str:
    """Return the path of the project, of an address of ours.

    Args:
        below: where this GitLab is on its host.
    """
    ours = urlsplit(web).hostname or ""
    # Over SSH through the port of HTTPS, gitlab.com has another name.
    if host.lower() not in (ours, f"altssh.{ours}", f"www.{ours}"):
        raise InvalidError(f"This connection is to {ours}, and the repository is at {host[:200]}.")
    found = path.strip("/")
    if below.strip("/"):
        found = found.removeprefix(below.strip("/")).lstrip("/")
    return found.partition("/-/")[0]  # what follows is a page of the project
