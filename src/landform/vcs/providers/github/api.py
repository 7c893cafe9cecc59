"""Calls of GitHub's REST API, and what its answers mean. Facts: vcs_providers.md §3.

What may not be seen is 404. Limits are 403 or 429 with `retry-after`, or with nothing remaining.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias

from landform.kit.egress import Answer, NoAnswerError
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.oauth import quoted as in_one_line
from landform.vcs.oauth import retry_after_s
from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.github.urls import api_of

PAGE: Final = 100  # the most a page has
VERSION: Final = "2022-11-28"
_TRIES: Final = 4
_LONGEST_PAUSE_S: Final = 20.0
_SERVER_FAILED: Final = 500
_REDIRECTS: Final = 2  # a renamed repository is one; they stay on the host, or carry no token
_MORE: Final = re.compile(r"""rel="?next"?""")

Query: TypeAlias = Mapping[str, str | int]


class Reply(NamedTuple):
    """A successful answer, and whether there is another page of it."""

    said: Any
    has_more: bool
    headers: Mapping[str, str]


class GitHubApi:
    """One connection's calls; waits when asked to, signs in anew once when refused."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._http = services.http
        self._token = token
        self.base = api_of(setup)

    async def get(self, path: str, query: Query | None = None) -> Reply:
        """Read; tried again when the service is busy."""
        return await self.call("GET", path, query)

    async def call(
        self, method: str, path: str, query: Query | None = None, body: Any = None
    ) -> Reply:
        """Send a request, whatever it takes to be answered; a write only when it was not taken."""
        token = await self._token()
        renewed = False
        for number in range(_TRIES):
            answer = await self._once(method, path, query or {}, body, token)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                fresh = await self._token(refused=token.value)
                if renewed:
                    raise SignInNeededError(
                        f"GitHub does not take this connection's token: {_message(answer)}"
                    )
                token, renewed = fresh, True
                continue
            pause_s = _pause_s(method, answer, number)
            if pause_s is None or number == _TRIES - 1:
                break
            await asyncio.sleep(pause_s)
        return _read(answer)

    async def _once(self, method: str, path: str, query: Query, body: Any, token: Token) -> Answer:
        return await self._http.request(
            method,
            f"{self.base}{path}",
            params={name: str(value) for name, value in query.items()},
            headers=headers_of(token.value),
            json=body,
            follow=_REDIRECTS if method == "GET" else 0,
        )


def headers_of(credential: str) -> dict[str, str]:
    """Return what every call carries."""
    return {
        "authorization": f"Bearer {credential.strip()}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": VERSION,
    }


def _pause_s(method: str, answer: Answer, number: int) -> float | None:
    """Return how long to wait before asking again; None not to."""
    if is_limited(answer):
        wait_s = limit_s(answer)
        return wait_s if wait_s <= _LONGEST_PAUSE_S else None
    if answer.status >= _SERVER_FAILED and method == "GET":
        return 0.25 * float(2**number)
    return None


def is_limited(answer: Answer) -> bool:
    """Tell a limit from a lack of permission, which has the same status."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    is_spent = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == HTTPStatus.FORBIDDEN and ("retry-after" in answer.headers or is_spent)


def limit_s(answer: Answer) -> float:
    """Return how long a limit lasts."""
    if "retry-after" in answer.headers:
        return retry_after_s(answer)
    reset = answer.headers.get("x-ratelimit-reset", "")
    left_s = float(reset) - time.time() if reset.isdecimal() else 60.0
    return min(max(left_s, 1.0), 3600.0)


def _read(answer: Answer) -> Reply:
    status, said = answer.status, _message(answer)
    if is_limited(answer):
        raise ProviderAwayError(
            f"GitHub limits this connection for now. {said}", retry_after_s=limit_s(answer)
        )
    if status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            document = answer.json() if answer.body else None
        except NoAnswerError:
            raise ProviderAwayError("GitHub answered with something that is not JSON.") from None
        has_more = _MORE.search(answer.headers.get("link", "")) is not None
        return Reply(document, has_more, answer.headers)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or status < HTTPStatus.BAD_REQUEST:
        raise NoSuchRepositoryError(
            f"GitHub has no such thing, or this connection may not see it. {said}".strip()
        )
    if status == HTTPStatus.FORBIDDEN:
        needs_sso = "x-github-sso" in answer.headers
        more = " Authorize the token for the organization's single sign-on." if needs_sso else ""
        raise NotAllowedError(f"GitHub does not allow it: {said or 'no reason given'}.{more}")
    if status >= _SERVER_FAILED:
        raise ProviderAwayError(
            f"GitHub answers {status}; try again later. {said}".strip(),
            retry_after_s=retry_after_s(answer),
        )
    raise ProviderRefusedError(f"GitHub refuses ({status}): {said or 'no reason given'}")


def _message(answer: Answer) -> str:
    try:
        said = answer.json()
    except NoAnswerError:
        return ""
    return in_one_line(str(said.get("message") or "")) if isinstance(said, dict) else ""
