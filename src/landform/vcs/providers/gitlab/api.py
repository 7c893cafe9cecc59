"""Calls of GitLab's REST API, and what its answers mean. Facts: vcs_providers.md §4.

What may not be seen is 404. A token of whatever kind goes as a bearer. Lists say where they go on
in a `Link`, by number of a page or by key.
"""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

from landform.kit.egress import Answer, NoAnswerError
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.oauth import quoted as in_one_line
from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.gitlab.urls import api_of

PAGE: Final = 100  # the most a page has
_TRIES: Final = 4
_LONGEST_PAUSE_S: Final = 20.0
_SERVER_FAILED: Final = 500
_REDIRECTS: Final = 2  # a project that moved is one; they stay on the host, or carry no token
_NEXT: Final = re.compile(r"""<([^>]*)>\s*;\s*rel="?next"?""")
# What a list goes on by: with the number of a page, or with a key.
_CURSORS: Final = frozenset({"page", "id_after", "id_before", "page_token", "cursor"})
_LONGEST_CURSOR: Final = 1000  # characters; it has been with whoever reads the list

Query: TypeAlias = Mapping[str, str | int]


class Reply(NamedTuple):
    """A successful answer, and what to give back for its next page; empty: it is the last."""

    said: Any
    following: str


class GitLabApi:
    """One connection's calls; waits when asked to, signs in anew once when refused."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._http = services.http
        self._token = token
        self.base = api_of(setup)

    async def get(self, path: str, query: Query | None = None, *, page: str = "") -> Reply:
        """Read; tried again when the service is busy.

        Args:
            page: what the reply before said follows.
        """
        return await self.call("GET", path, {**(query or {}), **_cursor(page)})

    async def call(
        self, method: str, path: str, query: Query | None = None, body: Any = None
    ) -> Reply:
        """Send a request, whatever it takes to be answered; a write only when it was not taken."""
        return await self.ask(method, f"{self.base}{path}", query, body)

    async def ask(
        self, method: str, url: str, query: Query | None = None, body: Any = None
    ) -> Reply:
        """Send a request to this server, below the API or beside it."""
        token = await self._token()
        renewed = False
        for number in range(_TRIES):
            answer = await self._once(method, url, query or {}, body, token)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                fresh = await self._token(refused=token.value)
                if renewed:
                    raise SignInNeededError(
                        f"GitLab does not take this connection's token: {_message(answer)}"
                    )
                token, renewed = fresh, True
                continue
            pause_s = _pause_s(method, answer, number)
            if pause_s is None or number == _TRIES - 1:
                break
            await asyncio.sleep(pause_s)
        return _read(answer)

    async def _once(self, method: str, url: str, query: Query, body: Any, token: Token) -> Answer:
        return await self._http.request(
            method,
            url,
            params={name: str(value) for name, value in query.items()},
            headers={
                "authorization": f"Bearer {token.value.strip()}",
                "accept": "application/json",
            },
            json=body,
            follow=_REDIRECTS if method == "GET" else 0,
        )


def _cursor(page: str) -> Mapping[str, str]:
    """Read what `_following` wrote; whatever else it holds does not go to the provider."""
    given = parse_qs(page[:_LONGEST_CURSOR])
    return {name: values[-1] for name, values in given.items() if name in _CURSORS}


def _following(answer: Answer) -> str:
    found = _NEXT.search(answer.headers.get("link", ""))
    if found is None:
        return ""
    query = parse_qs(urlsplit(found[1]).query)
    return urlencode({name: values[-1] for name, values in query.items() if name in _CURSORS})


def _pause_s(method: str, answer: Answer, number: int) -> float | None:
    """Return how long to wait before asking again; None not to."""
    status = answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = answer.retry_after_s or 1.0
        return wait_s if wait_s <= _LONGEST_PAUSE_S else None
    if status == HTTPStatus.CONFLICT or (status >= _SERVER_FAILED and method == "GET"):
        return 0.25 * float(2**number)  # a conflict is with somebody who writes at this moment
    return None


def _read(answer: Answer) -> Reply:
    status, said = answer.status, _message(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= _SERVER_FAILED:
        raise ProviderAwayError(
            f"GitLab answers {status}; try again later. {said}".strip(),
            retry_after_s=answer.retry_after_s,
        )
    if status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            document = answer.json() if answer.body.strip() else None
        except NoAnswerError:
            raise ProviderAwayError("GitLab answered with something that is not JSON.") from None
        return Reply(document, _following(answer))
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or status < HTTPStatus.BAD_REQUEST:
        raise NoSuchRepositoryError(
            f"GitLab has no such thing, or this connection may not see it. {said}".strip()
        )
    if status == HTTPStatus.FORBIDDEN:
        raise NotAllowedError(f"GitLab does not allow it: {said or 'no reason given'}")
    raise ProviderRefusedError(f"GitLab refuses ({status}): {said or 'no reason given'}")


def _message(answer: Answer) -> str:
    """Return the words of an error: `message` may be a text, a list or what is wrong by field."""
    try:
        said = answer.json()
    except NoAnswerError:
        return ""
    if not isinstance(said, dict):
        return ""
    words = said.get("error_description") or said.get("message") or said.get("error") or ""
    scope = said.get("scope")
    more = f" It needs the scope {scope}." if scope and isinstance(scope, str) else ""
    return in_one_line(f"{_flat(words)}{more}")


def _flat(words: Any) -> str:
    if isinstance(words, dict):
        return "; ".join(f"{name} {_flat(value)}" for name, value in words.items())
    if isinstance(words, list):
        return ", ".join(_flat(each) for each in words)
    return str(words)
