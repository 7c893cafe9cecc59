"""Calls of a REST API as one connection, and what its answers mean.

What may not be seen is 404, and a token that no longer holds 401. Where an API differs, its
provider's module overrides `is_token_refused` and `limit_s`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, TypeAlias

from landform.kit.egress import Answer, NoAnswerError, Outbound
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.oauth import quoted as in_one_line
from landform.vcs.provider import Token, TokenSource

_TRIES: Final = 4
_LONGEST_PAUSE_S: Final = 20.0
_UNSAID_PAUSE_S: Final = 1.0
_SERVER_FAILED: Final = 500
_REDIRECTS: Final = 2  # a renamed repository is one; they stay on the host, or carry no token

Query: TypeAlias = Mapping[str, str | int]


class RestApi(ABC):
    """One connection's calls; waits when asked to, signs in anew once when refused.

    Attributes:
        name: of the provider, for messages.
        base: what paths are below.
    """

    name: ClassVar[str]

    def __init__(self, http: Outbound, token: TokenSource, base: str) -> None:
        self._http = http
        self._token = token
        self.base = base

    @abstractmethod
    def headers(self, token: Token) -> Mapping[str, str]:
        """Return what every call carries."""

    @abstractmethod
    def words(self, said: Any) -> str:
        """Return what an error's document says."""

    def limit_s(self, answer: Answer) -> float | None:
        """Return for how long we are limited, 0 when that is not said; None when we are not."""
        is_limited = answer.status == HTTPStatus.TOO_MANY_REQUESTS
        return answer.retry_after_s if is_limited else None

    def is_token_refused(self, answer: Answer) -> bool:
        """Tell if the provider does not know whose the token is, or not any more."""
        return answer.status == HTTPStatus.UNAUTHORIZED

    async def get(self, path: str, query: Query | None = None) -> Answer:
        """Read; tried again when the service is busy."""
        return await self.call("GET", path, query)

    async def call(
        self, method: str, path: str, query: Query | None = None, body: Any = None
    ) -> Answer:
        """Send a request, whatever it takes to be answered; a write only when it was not taken.

        Args:
            path: below `base`, or a whole address that the provider gave.
        """
        url = path if "://" in path else f"{self.base}{path}"
        token = await self._token()
        renewed = False
        for number in range(_TRIES):
            answer = await self._once(method, url, query or {}, body, token)
            if self.is_token_refused(answer):
                fresh = await self._token(refused=token.value)
                if renewed:
                    raise SignInNeededError(
                        f"{self.name} does not take this connection's token: {self.said(answer)}"
                    )
                token, renewed = fresh, True
                continue
            pause_s = self._pause_s(method, answer, number)
            if pause_s is None or number == _TRIES - 1:
                break
            await asyncio.sleep(pause_s)
        return self._checked(answer)

    async def read(self, path: str, query: Query | None = None) -> Any:
        """Read a JSON document."""
        return self.document(await self.get(path, query))

    async def write(self, method: str, path: str, body: Any) -> Any:
        """Write, and return the document that is answered."""
        return self.document(await self.call(method, path, body=body))

    def document(self, answer: Answer) -> Any:
        """Return what an answer holds.

        Raises:
            ProviderAwayError: it is not JSON.
        """
        try:
            return answer.json() if answer.body.strip() else None
        except NoAnswerError:
            raise ProviderAwayError(
                f"{self.name} answered with something that is not JSON."
            ) from None

    async def _once(self, method: str, url: str, query: Query, body: Any, token: Token) -> Answer:
        return await self._http.request(
            method,
            url,
            params={name: str(value) for name, value in query.items()} or None,
            headers={"accept": "application/json", **self.headers(token)},
            json=body,
            follow=_REDIRECTS if method == "GET" else 0,
        )

    def _pause_s(self, method: str, answer: Answer, number: int) -> float | None:
        """Return how long to wait before asking again; None not to."""
        limit_s = self.limit_s(answer)
        if limit_s is not None:
            return (limit_s or _UNSAID_PAUSE_S) if limit_s <= _LONGEST_PAUSE_S else None
        if answer.status >= _SERVER_FAILED and method == "GET":
            return 0.25 * float(2**number)
        return None

    def _checked(self, answer: Answer) -> Answer:
        status, said = answer.status, self.said(answer)
        limit_s = self.limit_s(answer)
        if limit_s is not None:
            raise ProviderAwayError(
                f"{self.name} limits this connection for now. {said}".strip(),
                retry_after_s=limit_s,
            )
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or status < HTTPStatus.BAD_REQUEST:
            raise NoSuchRepositoryError(
                f"{self.name} has no such thing, or this connection may not see it. {said}".strip()
            )
        if status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
            raise NotAllowedError(f"{self.name} does not allow it: {said or 'no reason given'}")
        if status >= _SERVER_FAILED:
            raise ProviderAwayError(
                f"{self.name} answers {status}; try again later. {said}".strip(),
                retry_after_s=answer.retry_after_s,
            )
        raise ProviderRefusedError(
            f"{self.name} refuses ({status}): {said or 'no reason given'}", code=str(status)
        )

    def said(self, answer: Answer) -> str:
        """Return what an answer says is wrong, in one line; empty when it is no document."""
        try:
            said = answer.json()
        except NoAnswerError:
            return ""
        return in_one_line(self.words(said)) if isinstance(said, dict) else ""
