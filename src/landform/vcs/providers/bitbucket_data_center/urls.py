"""Where a Bitbucket Data Center is, and which repository a reference means. Pure.

Facts: vcs_providers.md §5. Its API finds a repository by project and name only, so these are what
it is known by here: `OPS/infra`, and `~ANN/infra` of a person.
"""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from landform.kit.errors import InvalidError
from landform.vcs.provider import Setup

_API: Final = "/rest/api/1.0"
_NAME: Final = re.compile(r"~?[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_PAGE: Final = re.compile(r"/?(?P<of>projects|users)/(?P<owner>[^/]+)/repos/(?P<slug>[^/]+)(/.*)?")
_SCM: Final = "/scm/"
GIT: Final = "scm"


def web_of(setup: Setup) -> str:
    """Return the base of pages and of git, with the server's context path."""
    return (setup.endpoint or setup.api_url.partition("/rest/")[0]).rstrip("/")


def api_of(setup: Setup) -> str:
    """Return the base of the REST API."""
    return (setup.api_url or f"{web_of(setup)}{_API}").rstrip("/")


def path_of(reference: str, *, web: str) -> str:
    """Return the API's path of the repository that is meant.

    Raises:
        InvalidError: it is of no form that is known, or of another host.
    """
    text = unquote(_named(reference.strip(), web)).removesuffix(".git").strip("/")
    page = _PAGE.fullmatch(text)
    if page:
        text = ("~" if page["of"] == "users" else "") + f"{page['owner']}/{page['slug']}"
    if _NAME.fullmatch(text) is None:
        raise InvalidError(
            f"{reference[:200]!r} names no repository of Bitbucket; write PROJECT/REPOSITORY, or"
            " its address."
        )
    project, _, slug = text.partition("/")
    return f"/projects/{quoted(project)}/repos/{quoted(slug)}"


def quoted(*parts: str) -> str:
    """Join path segments, each percent-encoded."""
    return "/".join(quote(part, safe="~") for part in parts)


def _named(text: str, web: str) -> str:
    """Return what an address says below the server; anything else as it is."""
    if "://" not in text:
        return text
    ours, parts = urlsplit(web), urlsplit(text)
    if (parts.hostname or "") != (ours.hostname or ""):
        raise InvalidError(
            f"This connection is to {ours.hostname}, and the repository is at"
            f" {str(parts.hostname)[:200]}."
        )
    if parts.scheme == "ssh":
        return parts.path
    return parts.path.removeprefix(ours.path.rstrip("/")).removeprefix(_SCM)
