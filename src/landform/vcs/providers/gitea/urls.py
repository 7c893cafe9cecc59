"""Where a Gitea is, and which repository a reference means. Pure. Facts: vcs_providers.md §6."""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError
from landform.vcs.provider import Setup

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_SCP: Final = re.compile(r"[\w.-]+@(?P<host>[^:/]+):(?P<path>.+)")
_API: Final = "/api/v1"


def web_of(setup: Setup) -> str:
    """Return the base of pages, of sign-in and of git."""
    return (setup.endpoint or setup.api_url.removesuffix(_API)).rstrip("/")


def api_of(setup: Setup) -> str:
    """Return the base of the REST API."""
    return (setup.api_url or f"{web_of(setup)}{_API}").rstrip("/")


def path_of(reference: str, *, web: str) -> str:
    """Return the API's path of the repository that is meant, by its id or its names.

    Raises:
        InvalidError: it is of no form that is known, or of another host.
    """
    text = reference.strip()
    if text.isdecimal():
        return f"/repositories/{text}"
    name = unquote(_named(text, web)).strip("/").removesuffix(".git")
    if _NAME.fullmatch(name) is None or {".", ".."} & set(name.split("/")):
        raise InvalidError(
            f"{reference[:200]!r} names no repository of Gitea; write OWNER/NAME, or its address."
        )
    return f"/repos/{quoted(*name.split('/'))}"


def quoted(*parts: str) -> str:
    """Join path segments, each percent-encoded."""
    return "/".join(quote(part, safe="") for part in parts)


def _named(text: str, web: str) -> str:
    """Return OWNER/NAME of an address; anything else as it is."""
    ours = urlsplit(web)
    scp = _SCP.fullmatch(text)
    if scp:
        host, path = scp["host"], scp["path"]
    elif "://" in text:
        parts = urlsplit(text)
        host, path = parts.hostname or "", parts.path
        if parts.scheme != "ssh":
            path = path.removeprefix(ours.path.rstrip("/"))
    else:
        return text
    if host.lower() != (ours.hostname or ""):
        raise InvalidError(
            f"This connection is to {ours.hostname}, and the repository is at {host[:200]}."
        )
    return "/".join(path.strip("/").split("/")[:2])
