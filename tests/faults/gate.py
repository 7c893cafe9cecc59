"""The world outside of the platform: it sees what terraform does, and can make it wait.

Configurations ask it for leave over loopback HTTP, which also works from inside the sandbox:
a plan by reading a data source, an apply by a provisioner. So it knows what ran, how often, when,
and whether it was let through or cut off, from no word of the platform's.
"""

import json
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cli.command import eventually

_EMPTY_STATE = json.dumps(
    {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "outside"}
    | {"outputs": {}, "resources": []}
).encode()
_LOOK_S = 0.02


@dataclass(eq=False)
class Visit:
    """One request for leave.

    Attributes:
        place: what asked: `plan/NAME` or `apply/NAME/OBJECT`.
        began: seconds of the monotonic clock, as `ended`.
        passed: it was let through, and was there to hear it.
    """

    place: str
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    passed: bool = False
    _leave: threading.Event = field(default_factory=threading.Event)

    @property
    def is_cut(self) -> bool:
        """Whether whoever asked went away without an answer."""
        return self.ended is not None and not self.passed

    def let_through(self) -> None:
        """Give leave to this one."""
        self._leave.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for leave."""
        return self._leave.wait(timeout_s)


class Gate:
    """Open unless told otherwise."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._server.server_address[1])

    @contextmanager
    def running(self) -> Iterator["Gate"]:
        """Serve for as long as the context lasts."""
        self._thread.start()
        try:
            yield self
        finally:
            self.open_all()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def hold(self, *places: str) -> None:
        """Let nobody through there until `open` or `Visit.let_through`."""
        with self._lock:
            self._held.update(places)

    def open(self, *places: str) -> None:
        """Let everybody through there, also who waits."""
        with self._lock:
            self._held.difference_update(places)
            waiting = [visit for visit in self.visits if visit.place in places]
        for visit in waiting:
            visit.let_through()

    def open_all(self) -> None:
        """Let everybody through everywhere."""
        with self._lock:
            held = tuple(self._held)
        self.open(*held)

    def at(self, place: str) -> list[Visit]:
        """Return the visits there so far, in order."""
        with self._lock:
            return [visit for visit in self.visits if visit.place == place]

    def wait_for(self, place: str, *, count: int = 1, within_s: float = 60.0) -> Visit:
        """Return visit number `count` there as soon as it has come."""
        eventually(
            lambda: len(self.at(place)) >= count,
            within_s=within_s,
            say=lambda: f"visit {count} at {place} did not come; there were {self.visits}",
        )
        return self.at(place)[count - 1]

    def enter(self, place: str) -> Visit:
        """Note a visit; called by the server."""
        visit = Visit(place)
        with self._lock:
            self.visits.append(visit)
            if place not in self._held:
                visit.let_through()
        return visit


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gate: Gate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        visit = self.server.gate.enter(self.path.strip("/"))
        while not visit.wait(_LOOK_S) and not self._has_gone():
            pass
        if not self._has_gone():
            visit.passed = self._answer()
        visit.ended = time.monotonic()

    def _answer(self) -> bool:
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(_EMPTY_STATE)}\r\n\r\n"
        try:
            # At once: a provisioner reads the first line and is gone before a second write.
            self.wfile.write(head.encode() + _EMPTY_STATE)
        except OSError:
            return False
        return True

    def _has_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        # Nobody sends more than the request, so what can be read is the end of the connection.
        return bool(readable)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""
