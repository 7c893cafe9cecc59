"""Calls of Azure DevOps' REST API, and what its answers mean. Facts: vcs_providers.md §1.4, §1.6.

Expired credentials rarely get 401: GET and POST answer 203 with a sign-in page, or redirect to
one. No permission looks like 404. Redirects are never followed, so no token leaves with one.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from landform.kit.egress import Answer
from landform.kit.errors import InvalidError
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.oauth import quoted as in_one_line
from landform.vcs.provider import Services, Setup, Token, TokenSource
from landform.vcs.providers.azure_devops.urls import PUBLIC, quoted

VERSIONS: Final = ("7.1", "7.0", "6.0", "5.1", "5.0")  # of the API, newest first

_LONGEST_PAUSE_S: Final = 30.0
_TRIES: Final = 6
_SERVER_FAILED: Final = 500
_SIGNED_OUT: Final = frozenset({203, 301, 302, 303, 307, 401})
_OLD_SERVER: Final = re.compile(r"VssVersion|VssInvalidPreview|VersionOutOfRange|api-version")

Query: TypeAlias = Mapping[str, str | int]


class Reply(NamedTuple):
    """A successful answer: its document, and where the next page begins."""

    said: Any
    following: str


class AzureApi:
    """One connection's calls; waits when asked to, signs in anew once when refused."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._http = services.http
        self._token = token
        self._pause_until = 0.0
        self._version = VERSIONS[0]

    @property
    def base(self) -> str:
        """Where organizations (collections, on a server) are."""
        setup = self._setup
        server = setup.endpoint if setup.kind is Kind.AZURE_DEVOPS_SERVER else ""
        return (setup.api_url or server or PUBLIC).rstrip("/")

    def organization(self, name: str = "") -> str:
        """Return the organization that is meant.

        Raises:
            InvalidError: none is named, here or in the connection.
        """
        found = name or self._setup.account
        if not found:
            raise InvalidError(
                "Name the Azure DevOps organization, here or in the connection's `account`.",
                pointer="account",
            )
        return found

    async def get(
        self, path: Sequence[str], query: Query | None = None, *, organization: str = ""
    ) -> Reply:
        """Read; tried again when the service is busy."""
        return await self.call("GET", self._url(path, organization), query)

    async def send(
        self, method: str, path: Sequence[str], body: Any = None, *, organization: str = ""
    ) -> Reply:
        """Write; tried again only when it was not taken at all."""
        return await self.call(method, self._url(path, organization), None, body)

    async def call(
        self, method: str, url: str, query: Query | None = None, body: Any = None
    ) -> Reply:
        """Send a request to `url`, whatever it takes to be answered."""
        token = await self._token()
        renewed = False
        for number in range(_TRIES):
            answer = await self._once(method, url, query or {}, body, token)
            if _is_signed_out(answer):
                await self._blame(url, token, answer)
                fresh = await self._token(refused=token.value)
                if renewed:
                    raise SignInNeededError(_signed_out(answer))
                token, renewed = fresh, True
            elif self._steps_down(answer):
                continue
            elif not _may_try_again(method, answer):
                break
            else:
                self._pause_until = max(self._pause_until, _now() + 0.5 * 2**number)
        return _read(answer)

    async def _blame(self, url: str, token: Token, answer: Answer) -> None:
        """Raise NotAllowedError if the token is good, only not for this: that looks the same."""
        probe = f"{self.base}/{quoted(self.organization())}/_apis/connectionData"
        if self._setup.account and url != probe:
            asked = await self._once("GET", probe, {"connectOptions": "none"}, None, token)
            if not _is_signed_out(asked) and asked.status == HTTPStatus.OK:
                raise NotAllowedError(
                    "Azure DevOps takes the credentials of this connection, but not for this: its"
                    f" scopes are too few. {_message(answer)}".strip()
                )

    def _url(self, path: Sequence[str], organization: str) -> str:
        return f"{self.base}/{quoted(self.organization(organization), *path)}"

    async def _once(self, method: str, url: str, query: Query, body: Any, token: Token) -> Answer:
        await self._pause()
        headers = {
            "authorization": self._authorization(token),
            "accept": "application/json",
            "x-tfs-fedauthredirect": "Suppress",
        }
        # Connection data is in preview for ever, and no other version of it is served.
        preview = "-preview" if url.endswith("/_apis/connectionData") else ""
        version = {"api-version": f"{self._version}{preview}"}
        answer = await self._http.request(
            method,
            url,
            params={**{name: str(value) for name, value in query.items()}, **version},
            headers=headers,
            json=body,
        )
        wait_s = answer.retry_after_s  # said also with 200, before it turns to 429
        if wait_s:
            self._pause_until = _now() + min(wait_s, _LONGEST_PAUSE_S)
        return answer

    async def _pause(self) -> None:
        left_s = self._pause_until - _now()
        if left_s > 0:
            await asyncio.sleep(left_s)

    def _authorization(self, token: Token) -> str:
        if self._setup.sign_in is SignIn.TOKEN:
            # A stray blank or line end makes it 401.
            return "Basic " + b64encode(f":{token.value.strip()}".encode()).decode()
        return f"Bearer {token.value}"

    def _steps_down(self, answer: Answer) -> bool:
        """Use an older version of the API from now on, if this server knows none so new."""
        is_old = answer.status == HTTPStatus.BAD_REQUEST and _OLD_SERVER.search(_message(answer))
        at = VERSIONS.index(self._version)
        if not is_old or self._setup.kind is Kind.AZURE_DEVOPS or at + 1 == len(VERSIONS):
            return False
        self._version = VERSIONS[at + 1]
        return True


def _is_signed_out(answer: Answer) -> bool:
    html = "text/html" in answer.headers.get("content-type", "")
    return answer.status in _SIGNED_OUT or (answer.status == HTTPStatus.OK and html)


def _signed_out(answer: Answer) -> str:
    said = _message(answer)
    return (
        "Azure DevOps does not take the credentials of this connection: connect it again, or put"
        " a new token into it." + (f" It says: {said}" if said else "")
    )


def _may_try_again(method: str, answer: Answer) -> bool:
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return answer.retry_after_s <= _LONGEST_PAUSE_S
    return method == "GET" and answer.status in (502, 503, 504)


def _read(answer: Answer) -> Reply:
    status, said = answer.status, _message(answer)
    if status < HTTPStatus.MULTIPLE_CHOICES:
        body = answer.json() if answer.body.strip() else None
        return Reply(body, answer.headers.get("x-ms-continuationtoken", ""))
    if status == HTTPStatus.NOT_FOUND:
        raise NoSuchRepositoryError(
            said or "Azure DevOps has no such thing, or this connection may not see it."
        )
    if status == HTTPStatus.FORBIDDEN:
        raise NotAllowedError(f"Azure DevOps does not allow it: {said or 'no reason given'}")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= _SERVER_FAILED:
        raise ProviderAwayError(
            f"Azure DevOps answers {status}; try again later. {said}".strip(),
            retry_after_s=answer.retry_after_s,
        )
    raise ProviderRefusedError(f"Azure DevOps refuses ({status}): {said or 'no reason given'}")


def _message(answer: Answer) -> str:
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    key = str(said.get("typeKey") or "")
    message = in_one_line(str(said.get("message") or ""))
    return f"{message} ({key})" if key and message else message or key


def _now() -> float:
    return asyncio.get_running_loop().time()
