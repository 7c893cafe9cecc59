"""A small threaded HTTP server for stand-ins: requests whole, a log of them, a plan of faults."""

import re
import ssl
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

_LARGEST_BODY: Final = 256 * 2**20
_LONGEST_HOLD_S: Final = 60.0


class Clock:
    """The stand-in's time: real, and moved on by hand."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, **by: float) -> None:
        """Move on; `by` is what `timedelta` takes."""
        self._offset += timedelta(**by)


@dataclass(frozen=True)
class Request:
    """A request as it came; `segments` are decoded one by one, so that `%2F` stays in its own."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(unquote(part) for part in self.path.split("/") if part)

    @property
    def query(self) -> Mapping[str, str]:
        parsed = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in parsed.items()}

    def json(self) -> Any:
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            raise Refusal(400, "The body is not JSON.") from None


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, *, continuation: str = "") -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if continuation:
        headers["x-ms-continuationtoken"] = continuation
    return Answer(status, msgspec.json.encode(value), headers)


def html_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    page = f"<!DOCTYPE html><html><body>{text}</body></html>".encode()
    return Answer(status, page, {"Content-Type": "text/html; charset=utf-8"} | dict(headers or {}))


class Refusal(Exception):  # noqa: N818 - it is an answer, no fault of ours
    """Ends a handler with a status, and words that the stand-in puts into its own form."""

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind


@dataclass
class Fault:
    """What happens to the next `times` requests that match instead of what should.

    Attributes:
        answer: sent instead; None lets the request through.
        headers: added to whatever is sent, such as a `Retry-After` with a 200.
        delay_s: waited before.
        held: answered once it is set.
    """

    method: str
    path: re.Pattern[str]
    answer: Answer | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    held: threading.Event | None = None
    times: int = 1


class _Listening(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who hung up: a later test may be looking at standard error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Server:
    """Serves `handle` on a free port of loopback until `close`, behind TLS where it is given."""

    def __init__(
        self, handle: Callable[[Request], Answer], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        self._handle = handle
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._http = _Listening(("127.0.0.1", 0), _handler_for(self))
        self._http.daemon_threads = True
        scheme = "http"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        serve = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        serve.start()

    def close(self) -> None:
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()

    def plan(self, path: str, *, method: str = "", **fault: Any) -> None:
        """Plan a fault for requests whose path matches the regular expression somewhere."""
        with self._lock:
            self._faults.append(Fault(method, re.compile(path), **fault))

    def forgive(self) -> None:
        """Drop every fault that was planned."""
        with self._lock:
            self._faults.clear()

    def asked(self, method: str, path: str) -> Sequence[Request]:
        """Return the requests so far whose path matches the regular expression somewhere."""
        wanted = re.compile(path)
        with self._lock:
            return [
                one for one in self.requests if one.method == method and wanted.search(one.path)
            ]

    def respond(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            fault = self._next_fault(request)
        if fault is None:
            return self._handle(request)
        if fault.held is not None:
            fault.held.wait(_LONGEST_HOLD_S)
        self._closed.wait(fault.delay_s)
        answer = fault.answer or self._handle(request)
        return Answer(answer.status, answer.body, dict(answer.headers) | dict(fault.headers))

    def _next_fault(self, request: Request) -> Fault | None:
        for fault in self._faults:
            if fault.method in ("", request.method) and fault.path.search(request.path):
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None


def _handler_for(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self._chunks() if "transfer-encoding" in headers else self._sized(headers)
            answer = server.respond(Request(self.command, self.path, headers, body))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status not in {204, 304}:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = respond  # noqa: N815 - its names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing on standard error."""

        def _sized(self, headers: Mapping[str, str]) -> bytes:
            return self.rfile.read(min(int(headers.get("content-length", 0)), _LARGEST_BODY))

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return body

    return Handler
