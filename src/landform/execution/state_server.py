"""State for terraform's `http` backend, served on loopback and passed on to the platform.

The protocol is that of the backend's documentation: GET, POST, no locking (the platform lets one
run of a workspace in at a time). Address, user and password reach terraform by environment only.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import h11
import structlog

from landform.execution.spool import Spool
from landform.kit.failpoints import FailPoint, reach

log = structlog.get_logger()

_CHUNK: Final = 1 << 18
_USER: Final = "landform"
_OTHER_MD5: Final = 400, b"The state does not have the MD5 it should have."


class StateServer:
    """One attempt's state, for whoever knows its password.

    Attributes:
        password: random; told to terraform only.
        owes: whether the newest state that was posted is neither in the spool nor was passed on.
    """

    def __init__(
        self,
        current: bytes | None,
        spool: Spool | None,
        *,
        limit_bytes: int,
        on_state: Callable[[], None] = lambda: None,
        on_unkept: Callable[[bytes], Awaitable[bool]] | None = None,
    ) -> None:
        """Serve `current` until a newer one is posted; with no `spool`, refuse to take one.

        Args:
            on_state: called when the spool has a newer state.
            on_unkept: takes a state that the disk does not; says whether it is safe elsewhere.
        """
        self.password = secrets.token_urlsafe(32)
        self._current = current
        self._spool = spool
        self._limit_bytes = limit_bytes
        self._on_state = on_state
        self._on_unkept = on_unkept
        self._has_room = True
        self.owes = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._expected = b"Basic " + base64.b64encode(f"{_USER}:{self.password}".encode())
        self._taking = asyncio.Lock()

    async def start(self, listener: socket.socket | None = None) -> None:
        """Listen on a free port of 127.0.0.1, or with what listens on the run's own."""
        if listener is None:
            listener = socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=_CHUNK)

    async def close(self) -> None:
        """Stop listening and drop who is connected."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def environment(self) -> dict[str, str]:
        """What tells terraform where its state is."""
        if self._server is None:
            raise RuntimeError("The state server has not been started.")
        port = self._server.sockets[0].getsockname()[1]
        return {
            "TF_HTTP_ADDRESS": f"http://127.0.0.1:{port}/state",
            "TF_HTTP_USERNAME": _USER,
            "TF_HTTP_PASSWORD": self.password,
        }

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(_Connection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: "_Connection") -> None:
        try:
            while (request := await connection.request()) is not None:
                status, body = await self._answer(connection, request)
                if not await connection.respond(status, body):
                    return
        except (OSError, h11.RemoteProtocolError, asyncio.IncompleteReadError) as error:
            log.debug("A connection to the state server broke", error=str(error))
        finally:
            connection.close()

    async def _answer(self, connection: "_Connection", request: h11.Request) -> tuple[int, bytes]:
        headers = dict(request.headers)
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return 401, b"The password is that of another run."
        if request.method == b"GET":
            return self._get()
        if request.method != b"POST":
            return 405, b"GET and POST only."
        if self._spool is None:
            return 403, b"A plan may not change the state."
        self.owes = True
        if int(headers.get(b"content-length", b"0")) > self._limit_bytes:
            return 413, f"A state may have {self._limit_bytes} bytes.".encode()
        async with self._taking:
            take = self._take if self._has_room else self._take_in_memory
            return await take(self._spool, connection, headers.get(b"content-md5", b""))

    def _get(self) -> tuple[int, bytes]:
        newest = self._spool.newest() if self._spool is not None else None
        body = newest.read_bytes() if newest is not None else self._current
        return (404, b"") if body is None else (200, body)

    async def _take(
        self, spool: Spool, connection: "_Connection", expected: bytes
    ) -> tuple[int, bytes]:
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        try:
            incoming = spool.incoming()
            with incoming.open("wb") as file:
                while block := await connection.body():
                    digest.update(block)
                    size += len(block)
                    if size > self._limit_bytes:
                        return 413, f"A state may have {self._limit_bytes} bytes.".encode()
                    file.write(block)
            if expected and base64.b64encode(digest.digest()) != expected:
                return _OTHER_MD5
            await asyncio.to_thread(spool.accept, incoming)
            reach(FailPoint.STATE_SPOOLED)
        except OSError as error:
            log.exception("A state could not be kept on this machine's disk")
            self._has_room = False  # terraform sends it again
            return 500, f"The state could not be kept: {error.strerror}.".encode()
        self._taken()
        return 200, b""

    async def _take_in_memory(
        self, spool: Spool, connection: "_Connection", expected: bytes
    ) -> tuple[int, bytes]:
        """Take a state whole, so that one which the disk still refuses can be passed on."""
        body = bytearray()
        while block := await connection.body():
            body += block
            if len(body) > self._limit_bytes:
                return 413, f"A state may have {self._limit_bytes} bytes.".encode()
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        if expected and base64.b64encode(digest) != expected:
            return _OTHER_MD5
        try:
            incoming = spool.incoming()
            incoming.write_bytes(body)
            await asyncio.to_thread(spool.accept, incoming)
        except OSError:
            self.owes = self._on_unkept is None
            if self._on_unkept is not None and await self._on_unkept(bytes(body)):
                return 200, b""
            return 500, b"Neither this machine's disk nor the platform takes the state."
        self._taken()
        return 200, b""

    def _taken(self) -> None:
        self.owes = False
        self._on_state()


class _Connection:
    """HTTP/1.1, the server's side of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def request(self) -> h11.Request | None:
        """Return the next request, or None when there will be none."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        event = await self._event()
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> bytes:
        """Return the next part of the request's body; empty at its end."""
        event = await self._event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            return b""
        raise h11.RemoteProtocolError("The request was cut off.")

    async def respond(self, status: int, body: bytes) -> bool:
        """Answer; return whether another request may follow."""
        if self._http.their_state is h11.SEND_BODY:
            whole = False
            with suppress(h11.RemoteProtocolError):
                whole = isinstance(self._http.next_event(), h11.EndOfMessage)
        else:
            whole = True
        headers = [
            ("content-length", str(len(body))),
            ("content-type", "application/json" if status == 200 else "text/plain"),  # noqa: PLR2004
            *([] if whole else [("connection", "close")]),
        ]
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()
        return whole and self._http.our_state is h11.DONE

    def close(self) -> None:
        self._writer.close()

    async def _event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_CHUNK))
        return event
