"""Requests to places that a user named: bounded, and never to this network by mistake.

Whoever can set a URL that we call could have us call what only we can reach: the database, a
cloud's metadata service, a neighbour. So an address that is not public is refused unless the
operator allows it, and what is judged is the address that is then connected to: a name that
resolves to something else a moment later gains nothing.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

import httpcore2
import httpx2
import msgspec

from landform.kit import clock
from landform.kit.egress_allow import Allow, is_public
from landform.kit.errors import InvalidError, LandformError, TooLargeError, UnavailableError

_MIB: Final = 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_USER_AGENT: Final = "landform"
_LONGEST_PAUSE_S: Final = 3600.0

SocketOptions: TypeAlias = "Iterable[httpcore2.SOCKET_OPTION] | None"


class BlockedAddressError(InvalidError):
    """The place is not on the public network, and the operator has not allowed it."""


class NoAnswerError(UnavailableError):
    """Nothing answered in time, or what did broke off."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, read whole.

    Attributes:
        headers: names in lower case; the last of each name.
        url: of the request that it answers, after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str

    @property
    def retry_after_s(self) -> float:
        """How long we are asked to wait, in seconds or by a date, an hour at most; 0: not at all.

        <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
        """
        said = self.headers.get("retry-after", "")
        try:
            wait_s = float(said)
        except ValueError:
            try:
                wait_s = (parsedate_to_datetime(said) - clock.now()).total_seconds()
            except (ValueError, TypeError):  # no date, or one that names no zone
                return 0.0
        return min(wait_s, _LONGEST_PAUSE_S) if wait_s > 0.0 else 0.0  # also where it is no number

    def json(self) -> Any:
        """Return the body as plain JSON.

        Raises:
            NoAnswerError: it is not JSON.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            host = urlsplit(self.url).netloc
            raise NoAnswerError(
                f"{host} answered {self.status} with something that is not JSON."
            ) from None


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one request may cost.

    Attributes:
        total_s: seconds for all of it, redirects included.
        connect_s: seconds to reach one address.
        body_bytes: of the answer, decompressed.
        cuts: an answer that is longer is cut there, rather than refused.
    """

    total_s: float = 30.0
    connect_s: float = 10.0
    body_bytes: int = 16 * _MIB
    cuts: bool = False


class Outbound:
    """The process's way out. Safe to share; opens its connections on first use.

    Args:
        allow: what beside public addresses may be called.
        verify: another TLS trust than the system's, for tests and private authorities.
    """

    def __init__(
        self, allow: Allow | None = None, *, bounds: Bounds | None = None, verify: Any = None
    ) -> None:
        self.allow = allow or Allow()
        self._bounds = bounds or Bounds()
        self._verify = verify
        self._client: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        follow: int = 0,
        bounds: Bounds | None = None,
    ) -> Answer:
        """Send a request and read the answer; any status is an answer.

        Args:
            form: sent as `application/x-www-form-urlencoded`; or `json`, not both; of
                msgspec.Raw it is sent as it is.
            follow: redirects to go after, each checked as the first address is. Credentials
                do not go along to another host.

        Raises:
            BlockedAddressError: it leads to an address that is not allowed.
            InvalidError: `url` is not one that can be called.
            NoAnswerError: no answer in time, or a broken one.
            TooLargeError: the answer is past the bound.
        """
        limits = bounds or self._bounds
        content: bytes | None = None
        if json is not None:
            content = msgspec.json.encode(json)
            headers = {"content-type": "application/json", **(headers or {})}
        host = urlsplit(url).netloc.rpartition("@")[2]
        try:
            async with asyncio.timeout(limits.total_s):
                request = self._open().build_request(
                    method, url, headers=headers, params=params, data=form, content=content
                )
                return await self._send(request, follow, limits)
        except TimeoutError:
            raise NoAnswerError(f"{host} did not answer within {limits.total_s:g} s.") from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise InvalidError(f"{url!r} is not a URL that can be called.") from None
        except httpx2.HTTPError as failure:
            raise _explained(host, failure) from None

    async def require_allowed(self, url: str) -> None:
        """Judge where `url` leads now, without a word to it; a request judges that anew.

        Raises:
            BlockedAddressError: to an address that is not allowed.
            InvalidError: `url` is not one that can be called.
            NoAnswerError: its name does not resolve.
        """
        try:
            parsed = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise InvalidError("That is not a URL that can be called.") from None
        port = await self._check(parsed)
        _usable(self.allow, parsed.host, await resolve(parsed.host, port), port)

    async def _send(self, request: httpx2.Request, follow: int, limits: Bounds) -> Answer:
        client = self._open()
        for left in range(follow, -1, -1):
            await self._check(request.url)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                if left and response.status_code in _REDIRECTS and response.next_request:
                    request = response.next_request
                    continue
                body = await _read(response, limits)
            finally:
                await response.aclose()
            return Answer(
                status=response.status_code,
                headers=dict(response.headers),
                body=body,
                url=str(response.url),
            )
        raise AssertionError  # pragma: no cover - the last round returns

    async def _check(self, url: httpx2.URL) -> int:
        """Return the port that is called."""
        if url.scheme not in ("http", "https") or not url.host:
            raise InvalidError(f"{url!s} is not an http or https URL.")
        if url.userinfo:
            raise InvalidError("A URL may not hold a user or password.")
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme == "http" and not await self._is_allowed(url.host, port):
            raise InvalidError(
                f"{url.host} is called without TLS, which would show credentials to the network."
                " Use https, or let the operator allow it (LANDFORM_EGRESS_ALLOW)."
            )
        return port

    async def _is_allowed(self, host: str, port: int) -> bool:
        if self.allow.names(host, port):
            return True
        return all(self.allow.covers(each, port) for each in await resolve(host, port))

    def _open(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            transport = _CheckedTransport(self.allow, self._bounds, self._verify)
            self._client = httpx2.AsyncClient(
                transport=transport,
                timeout=httpx2.Timeout(self._bounds.total_s, connect=self._bounds.connect_s),
                trust_env=False,
                headers={"user-agent": _USER_AGENT, "accept-encoding": "identity"},
            )
            self._loop = loop
        return self._client


async def _read(response: httpx2.Response, limits: Bounds) -> bytes:
    parts: list[bytes] = []
    size, limit = 0, limits.body_bytes
    async for part in response.aiter_bytes(_CHUNK_BYTES):
        size += len(part)
        if size > limit and limits.cuts:
            return b"".join((*parts, part))[:limit]
        if size > limit:
            raise TooLargeError(
                f"{response.url.host} answered with more than {limit} bytes, which is not read."
            )
        parts.append(part)
    return b"".join(parts)


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of `host`, in the order to try them.

    Raises:
        NoAnswerError: it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError):
        raise NoAnswerError(f"The name {host} does not resolve.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _usable(allow: Allow, host: str, addresses: Sequence[str], port: int) -> list[str]:
    """Return those of a host's addresses that may be called.

    Raises:
        BlockedAddressError: none may.
    """
    usable = [
        each
        for each in addresses
        if is_public(each) or allow.names(host, port) or allow.covers(each, port)
    ]
    if not usable:
        raise BlockedAddressError(
            f"{host} is at an address that is not public, which Landform does not call"
            " unless its operator allows it: LANDFORM_EGRESS_ALLOW takes host names, with or"
            " without a port, and networks such as 10.1.0.0/16."
        )
    return usable


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, judges every address, and connects to those very addresses."""

    def __init__(self, allow: Allow) -> None:
        self._allow = allow
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        usable = _usable(self._allow, host, await resolve(host, port), port)
        failure: Exception = NoAnswerError(f"{host} does not answer.")
        for address in usable:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as refused:
                failure = refused
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
        socket_options: SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise BlockedAddressError("Only TCP is called.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _CheckedTransport(httpx2.AsyncHTTPTransport):
    """The usual transport on connections that `_CheckedBackend` makes."""

    def __init__(self, allow: Allow, bounds: Bounds, verify: Any) -> None:
        context = verify if isinstance(verify, ssl.SSLContext) else ssl.create_default_context()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_CheckedBackend(allow),
        )


def _explained(host: str, failure: httpx2.HTTPError) -> LandformError:
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, LandformError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NoAnswerError(
                f"{host} shows a certificate that is not trusted here: {cause.verify_message}."
            )
        if isinstance(cause, ssl.SSLError):
            return NoAnswerError(f"{host} does not speak TLS as https needs it: {cause.reason}.")
        cause = cause.__cause__ or cause.__context__
    if isinstance(failure, httpx2.ConnectError):
        return NoAnswerError(
            f"{host} takes no connection: nothing listens there, or a firewall is in between."
        )
    return NoAnswerError(f"{host} did not answer: {type(failure).__name__}.")


__all__ = ["Allow", "Answer", "BlockedAddressError", "Bounds", "NoAnswerError", "Outbound"]
