"""Calls of Bitbucket Data Center's REST API. Facts: vcs_providers.md §5.

A page begins where the one before says the next does. 401 is also the word for what an identity may
not do: an answer that names the identity knows it.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple

from landform.kit.egress import Answer
from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.bitbucket_data_center.urls import api_of
from landform.vcs.rest import Query, RestApi

PAGE: Final = 100
CHANGES: Final = 1000  # that a page has at most
USER: Final = "x-ausername"
_NOBODY: Final = ("", "anonymous")
_PAGES: Final = 100


class Page(NamedTuple):
    """Part of a list, and what to give back for the next; empty: this is the last."""

    rows: Sequence[Mapping[str, Any]]
    following: str


class DataCenterApi(RestApi):
    """See RestApi."""

    name: ClassVar = "Bitbucket"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        super().__init__(services.http, token, api_of(setup))

    def headers(self, token: Token) -> Mapping[str, str]:
        """See RestApi."""
        return {"authorization": f"Bearer {token.value.strip()}"}

    def words(self, said: Any) -> str:
        """See RestApi."""
        errors = said.get("errors") or []
        return " ".join(str(each.get("message") or "") for each in errors)

    def is_token_refused(self, answer: Answer) -> bool:
        """See RestApi."""
        is_nobody = answer.headers.get(USER, "") in _NOBODY
        return answer.status == HTTPStatus.UNAUTHORIZED and is_nobody

    async def page(self, path: str, page: str, query: Query | None = None) -> Page:
        """Read part of a list.

        Args:
            page: what the part before gave as following; empty for the first.
        """
        start = int(page) if page.isdecimal() else 0
        said = await self.read(path, {"limit": PAGE, **(query or {}), "start": start})
        is_last = said.get("isLastPage", True) or said.get("nextPageStart") is None
        return Page(said.get("values") or [], "" if is_last else str(said["nextPageStart"]))

    async def every(
        self, path: str, query: Query | None = None
    ) -> Sequence[Mapping[str, Any]] | None:
        """Return a whole list; None when it has no end."""
        rows: list[Mapping[str, Any]] = []
        page = ""
        for _ in range(_PAGES):
            found = await self.page(path, page, query)
            rows += found.rows
            page = found.following
            if not page:
                return rows
        return None
