"""Where a GitHub is, and which repository a reference means. Pure. Facts: vcs_providers.md §3."""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError
from landform.vcs.provider import Setup

WEB: Final = "https://github.com"
API: Final = "https://api.github.com"
_RESIDENT: Final = ".ghe.com"  # data residency: the API is a host of its own
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_SCP: Final = re.compile(r"git@(?P<host>[^:/]+):(?P<path>.+)")


def web_of(setup: Setup) -> str:
    """Return the base of pages, of sign-in and of git."""
    return (setup.endpoint or WEB).rstrip("/")


def api_of(setup: Setup) -> str:
    """Return the base of the REST API."""
    if setup.api_url:
        return setup.api_url.rstrip("/")
    web = web_of(setup)
    if web == WEB:
        return API
    parts = urlsplit(web)
    if (parts.hostname or "").endswith(_RESIDENT):
        return f"{parts.scheme}://api.{parts.netloc}"
    return f"{web}/api/v3"


def path_of(reference: str, *, web: str) -> str:
    """Return the API's path of the repository that is meant, by its id or its names.

    Raises:
        InvalidError: it is of no form that is known, or of another host.
    """
    text = reference.strip()
    if text.isdecimal():
        return f"/repositories/{text}"
    scp = _SCP.fullmatch(text)
    if scp:
        text = _on(web, scp["host"], scp["path"])
    elif "://" in text:
        parts = urlsplit(text)
        text = _on(web, parts.hostname or "", parts.path)
    name = unquote(text).strip("/").removesuffix(".git")
    if _NAME.fullmatch(name) is None:
        raise InvalidError(
            f"{reference[:200]!r} names no repository of GitHub; write OWNER/NAME, or its address."
        )
    owner, _, repository = name.partition("/")
    return f"/repos/{quoted(owner, repository)}"


def quoted(*parts: str) -> str:
    """Join path segments, each percent-encoded."""
    return "/".join(quote(part, safe="") for part in parts)


def _on(web: str, host: str, path: str) -> str:
    ours = urlsplit(web).hostname or ""
    # Over SSH through the port of HTTPS, github.com has another name.
    if host.lower() not in (ours, f"ssh.{ours}", f"www.{ours}"):
        raise InvalidError(f"This connection is to {ours}, and the repository is at {host[:200]}.")
    return "/".join(path.strip("/").split("/")[:2])
