"""Where Bitbucket Cloud is, and which repository a reference means. Pure.

Facts: vcs_providers.md §5. A repository's id is a UUID in braces; a workspace may be left out
beside it.
"""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError
from landform.vcs.provider import Setup

WEB: Final = "https://bitbucket.org"
API: Final = "https://api.bitbucket.org/2.0"
_UUID: Final = re.compile(r"\{[0-9a-fA-F-]{36}\}")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*/[A-Za-z0-9._-]+")
_SCP: Final = re.compile(r"git@(?P<host>[^:/]+):(?P<path>.+)")
_ANY: Final = "{}"


def web_of(setup: Setup) -> str:
    """Return the base of pages, of sign-in and of git."""
    return (setup.endpoint or WEB).rstrip("/")


def api_of(setup: Setup) -> str:
    """Return the base of the REST API."""
    return (setup.api_url or API).rstrip("/")


def path_of(reference: str, setup: Setup) -> str:
    """Return the API's path of the repository that is meant, by its UUID or its names.

    Raises:
        InvalidError: it is of no form that is known, or of another host.
    """
    text = reference.strip()
    if _UUID.fullmatch(text):
        return f"/repositories/{quoted(setup.account or _ANY, text)}"
    name = unquote(_named(text, setup)).strip("/").removesuffix(".git")
    if _NAME.fullmatch(name) is None or {".", ".."} & set(name.split("/")):
        raise InvalidError(
            f"{reference[:200]!r} names no repository of Bitbucket; write WORKSPACE/REPOSITORY, or"
            " its address."
        )
    return f"/repositories/{quoted(*name.split('/'))}"


def quoted(*parts: str) -> str:
    """Join path segments, each percent-encoded."""
    return "/".join(quote(part, safe="") for part in parts)


def _named(text: str, setup: Setup) -> str:
    ours = urlsplit(web_of(setup)).hostname or ""
    scp = _SCP.fullmatch(text)
    if scp:
        host, path = scp["host"], scp["path"]
    elif "://" in text:
        parts = urlsplit(text)
        host, path = parts.hostname or "", parts.path
    else:
        return text
    if host.lower() not in (ours, f"altssh.{ours}"):
        raise InvalidError(f"This connection is to {ours}, and the repository is at {host[:200]}.")
    return "/".join(path.strip("/").split("/")[:2])
