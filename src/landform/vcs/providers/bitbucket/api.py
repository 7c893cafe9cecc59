"""Calls of Bitbucket Cloud's REST API. Facts: vcs_providers.md §5.

A list's next page is an address to be followed as it is. An API token is shown with the email it
belongs to, every other token alone.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from landform.vcs.errors import ProviderAwayError
from landform.vcs.kinds import SignIn
from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.bitbucket.urls import api_of
from landform.vcs.rest import Query, RestApi

PAGE: Final = 100  # the most a page has; 50 of pull requests
_PAGES: Final = 100
_LONGEST: Final = 2000  # characters of what leads to a page; it has been with whoever reads a list


class Page(NamedTuple):
    """Part of a list, and what to give back for the next; empty: this is the last."""

    rows: Sequence[Mapping[str, Any]]
    following: str


class BitbucketApi(RestApi):
    """See RestApi."""

    name: ClassVar = "Bitbucket"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        super().__init__(services.http, token, api_of(setup))
        self._email = setup.username if setup.sign_in is SignIn.TOKEN else ""

    def headers(self, token: Token) -> Mapping[str, str]:
        """See RestApi."""
        value = token.value.strip()
        if not self._email:
            return {"authorization": f"Bearer {value}"}
        return {"authorization": basic(self._email, value)}

    def words(self, said: Any) -> str:
        """See RestApi."""
        error = said.get("error")
        if not isinstance(error, dict):
            return str(said.get("error_description") or error or "")
        detail = error.get("detail")
        more = f" {detail}" if isinstance(detail, str) else ""
        return f"{error.get('message') or ''}{more}"

    async def page(self, path: str, page: str, query: Query | None = None) -> Page:
        """Read part of a list.

        Args:
            page: what the part before gave as following; empty for the first.
        """
        asked = dict(parse_qsl(page[:_LONGEST])) if page else {"pagelen": PAGE, **(query or {})}
        said = await self.read(path, asked)
        following = str(said.get("next") or "")
        return Page(said.get("values") or [], urlsplit(following).query)

    async def every(
        self, path: str, query: Query | None = None
    ) -> Sequence[Mapping[str, Any]] | None:
        """Return a whole list; None when it has no end."""
        rows: list[Mapping[str, Any]] = []
        asked: Query | None = {"pagelen": PAGE, **(query or {})}
        for _ in range(_PAGES):
            said = await self.read(path, asked)
            rows += said.get("values") or []
            path, asked = str(said.get("next") or ""), None
            if not path:
                return rows
            if not path.startswith(f"{self.base}/"):
                raise ProviderAwayError("Bitbucket names another server for the rest of a list.")
        return None


def basic(user: str, password: str) -> str:
    """Return the header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
