"""Places outside to which the trail is forwarded: a syslog server, or a webhook.

Each event is sent at least once, in the order of the chain; a place that does not answer is
tried again, and others go on.
"""

import asyncio
import json
import socket
from collections.abc import Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx2

from landform.kit.errors import InvalidError, UnavailableError

_TIMEOUT_S: Final = 10.0
_PRIORITY: Final = 13 * 8 + 6  # facility "log audit", severity "informational" (RFC 5424 §6.2.1)
_SYSLOG_PORT: Final = 514


class Sink(Protocol):
    """Somewhere to send events.

    Attributes:
        name: tells it from others, and holds no secret.
    """

    name: str

    async def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """Send them all, or raise UnavailableError."""
        ...


class Webhook:
    """Posts JSON lines, one event each, with a bearer token if one is set."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidError(
                "LANDFORM_AUDIT_WEBHOOK is an address such as https://siem.example/x."
            )
        self.name = f"webhook {parts.scheme}://{parts.hostname}{parts.path}"
        self._url = url
        self._headers = {"Content-Type": "application/x-ndjson"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    async def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """See Sink."""
        body = "".join(f"{_line(each)}\n" for each in documents)
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
                answer = await client.post(self._url, content=body, headers=self._headers)
        except httpx2.HTTPError as failure:
            raise UnavailableError(f"{self.name}: {type(failure).__name__}") from failure
        if not answer.is_success:
            raise UnavailableError(f"{self.name} answered {answer.status_code}")


class Syslog:
    """Writes RFC 5424 messages over TCP with octet counting (RFC 6587 §3.4.1), or over UDP."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("tcp", "udp") or not parts.hostname:
            raise InvalidError("LANDFORM_AUDIT_SYSLOG is tcp://HOST:PORT or udp://HOST:PORT.")
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or _SYSLOG_PORT
        self.name = f"syslog {self._scheme}://{self._host}:{self._port}"

    async def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """See Sink."""
        messages = [_message(each) for each in documents]
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await (self._stream(messages) if self._scheme == "tcp" else self._pack(messages))
        except (OSError, TimeoutError) as failure:
            raise UnavailableError(f"{self.name}: {failure or 'no answer'}") from failure

    async def _stream(self, messages: Sequence[bytes]) -> None:
        _, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.writelines(b"%d %s" % (len(message), message) for message in messages)
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()

    async def _pack(self, messages: Sequence[bytes]) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(self._host, self._port)
        )
        try:
            for message in messages:
                transport.sendto(message)
        finally:
            transport.close()


def make_sinks(syslog: str, webhook: str, webhook_token: str) -> list[Sink]:
    """Return what an operator set; empty addresses are none.

    Raises:
        InvalidError: an address is not one.
    """
    sinks: list[Sink] = []
    if syslog:
        sinks.append(Syslog(syslog))
    if webhook:
        sinks.append(Webhook(webhook, webhook_token))
    return sinks


def _message(document: dict[str, Any]) -> bytes:
    head = f"<{_PRIORITY}>1 {document['timestamp']} {socket.gethostname()} landform - audit -"
    return f"{head} {_line(document)}".encode()


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), default=str)
