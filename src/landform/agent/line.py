"""The line to the platform: `landform.api.agent` says what is spoken on it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import httpx2
import pydantic

from landform.contract import LostLeaseError
from landform.kit import errors

_PATH: Final = "/api/agent/v1"
_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 60.0
_SAID: Final = 500  # characters that are shown of an answer

Content: TypeAlias = "bytes | pydantic.BaseModel | None"


class RefusedError(errors.UnavailableError):
    """The platform does not take the token, or not now; another may be given, so it is asked on."""


_KINDS: Final[dict[str, type[errors.LandformError]]] = {
    "lost-lease": LostLeaseError,
    "malformed": errors.MalformedError,
    "not-found": errors.NotFoundError,
    "conflict": errors.ConflictError,
    "too-large": errors.TooLargeError,
    "invalid": errors.InvalidError,
}


class _Failure(pydantic.BaseModel):
    kind: str
    message: str


class Line:
    """Asks the platform as one agent.

    Args:
        url: of the platform, without a trailing slash.
        token: returns the pool's token; asked again when the platform does not take it.
        secret: the agent's own.
    """

    def __init__(self, url: str, *, token: Callable[[], str], secret: str) -> None:
        self._url = url
        self._read_token = token
        self._token = token()
        self._secret = secret
        # A certificate authority of the operator's, and a way out, come from the environment.
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_ANSWER_S, connect=_CONNECT_S),
            headers={"user-agent": "landform-agent", "landform-agent": secret},
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        content: Content = None,
        *,
        answer_s: float = _ANSWER_S,
        **query: Any,
    ) -> bytes | None:
        """Return the body of the answer; None when it has none.

        Args:
            path: below the protocol's own.
            answer_s: seconds that the answer may take.

        Raises:
            RefusedError: the token is not taken.
            UnavailableError: no answer, or one that the same question may not get again.
            LandformError: what the platform says, by its kind.
        """
        answer = await self._send(method, path, content, query, answer_s)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and self._has_another_token():
            answer = await self._send(method, path, content, query, answer_s)
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return None
        if answer.is_success:
            return answer.content
        raise _failure(answer, self._url)

    async def _send(
        self, method: str, path: str, content: Content, query: dict[str, Any], answer_s: float
    ) -> httpx2.Response:
        body = (
            content.model_dump_json().encode()
            if isinstance(content, pydantic.BaseModel)
            else content
        )
        try:
            return await self._client.request(
                method,
                f"{self._url}{_PATH}{path}",
                content=body,
                params=query or None,
                headers={"authorization": f"Bearer {self._token}"},
                timeout=httpx2.Timeout(answer_s, connect=_CONNECT_S),
            )
        except httpx2.HTTPError as failure:
            why = str(failure) or type(failure).__name__
            raise errors.UnavailableError(f"{self._url} does not answer: {why}.") from None

    def _has_another_token(self) -> bool:
        before = self._token
        try:
            self._token = self._read_token()
        except errors.LandformError:
            return False
        return self._token != before


def _failure(answer: httpx2.Response, url: str) -> errors.LandformError:
    try:
        said = _Failure.model_validate_json(answer.content)
    except pydantic.ValidationError:
        # Not the platform's words: something on the way answered.
        return errors.UnavailableError(
            f"{url} was answered {answer.status_code} by something else."
        )
    words = said.message[:_SAID]
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return RefusedError(f"{url} refuses this agent: {words}")
    return _KINDS.get(said.kind, errors.UnavailableError)(words)
