"""Calls of GitHub's REST API, and what its answers mean. Facts: vcs_providers.md §3.

What may not be seen is 404. Limits are 403 or 429 with `retry-after`, or with nothing remaining.
"""

import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple

from landform.kit.egress import Answer
from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.github.urls import api_of
from landform.vcs.rest import Query, RestApi

PAGE: Final = 100  # the most a page has
VERSION: Final = "2022-11-28"
_MORE: Final = re.compile(r"""rel="?next"?""")


class Reply(NamedTuple):
    """A successful answer, and whether there is another page of it."""

    said: Any
    has_more: bool
    headers: Mapping[str, str]


class GitHubApi:
    """One connection's calls."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._rest = _Rest(services.http, token, api_of(setup))

    async def get(self, path: str, query: Query | None = None) -> Reply:
        """Read; tried again when the service is busy."""
        return await self.call("GET", path, query)

    async def call(
        self, method: str, path: str, query: Query | None = None, body: Any = None
    ) -> Reply:
        """Send a request, whatever it takes to be answered; a write only when it was not taken."""
        answer = await self._rest.call(method, path, query, body)
        has_more = _MORE.search(answer.headers.get("link", "")) is not None
        return Reply(self._rest.document(answer), has_more, answer.headers)


class _Rest(RestApi):
    name: ClassVar = "GitHub"

    def headers(self, token: Token) -> Mapping[str, str]:
        return headers_of(token.value)

    def words(self, said: Any) -> str:
        return str(said.get("message") or "")

    def limit_s(self, answer: Answer) -> float | None:
        return limit_s(answer) if is_limited(answer) else None

    def said(self, answer: Answer) -> str:
        """Add what a token lacks that its organization wants signed in for."""
        said = super().said(answer)
        if answer.status == HTTPStatus.FORBIDDEN and "x-github-sso" in answer.headers:
            why = said.rstrip(".") or "no reason given"
            return f"{why}. Authorize the token for the organization's single sign-on."
        return said


def headers_of(credential: str) -> dict[str, str]:
    """Return what every call carries."""
    return {
        "authorization": f"Bearer {credential.strip()}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": VERSION,
    }


def is_limited(answer: Answer) -> bool:
    """Tell a limit from a lack of permission, which has the same status."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    is_spent = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == HTTPStatus.FORBIDDEN and ("retry-after" in answer.headers or is_spent)


def limit_s(answer: Answer) -> float:
    """Return how long a limit lasts."""
    if "retry-after" in answer.headers:
        return answer.retry_after_s
    reset = answer.headers.get("x-ratelimit-reset", "")
    left_s = float(reset) - time.time() if reset.isdecimal() else 60.0
    return min(max(left_s, 1.0), 3600.0)
