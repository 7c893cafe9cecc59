"""Calls of Gitea's REST API. Facts: vcs_providers.md §6; Forgejo's is the same.

How much a page holds is the server's to say, so that only `Link` tells whether there is another.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.gitea.urls import api_of
from landform.vcs.rest import Query, RestApi

PAGE: Final = 50  # the most a page has, unless the server's administrator says otherwise
_MORE: Final = re.compile(r"""rel="?next"?""")


class Page(NamedTuple):
    """Part of a list, and what to give back for the next; empty: this is the last."""

    rows: Sequence[Mapping[str, Any]]
    following: str


class GiteaApi(RestApi):
    """See RestApi."""

    name: ClassVar = "Gitea"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        super().__init__(services.http, token, api_of(setup))

    def headers(self, token: Token) -> Mapping[str, str]:
        """See RestApi."""
        return {"authorization": f"Bearer {token.value.strip()}"}

    def words(self, said: Any) -> str:
        """See RestApi."""
        return str(said.get("message") or "")

    async def page(self, path: str, page: str, query: Query | None = None, *, of: str = "") -> Page:
        """Read part of a list.

        Args:
            page: what the part before gave as following; empty for the first.
            of: the name the list has in the document, where it has one.
        """
        number = int(page) if page.isdecimal() else 1
        answer = await self.get(path, {**(query or {}), "page": number, "limit": PAGE})
        said = self.document(answer)
        has_more = _MORE.search(answer.headers.get("link", "")) is not None
        return Page((said[of] if of else said) or [], str(number + 1) if has_more else "")
