"""A place where a run waits until a test lets it go on: the address of another state."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_PATIENCE_S: Final = 60.0
_STATE: Final = {
    "version": 4,
    "terraform_version": "1.11.4",
    "serial": 1,
    "lineage": "3d9a3c76-0000-4000-8000-000000000000",
    "outputs": {"go": {"value": "on", "type": "string"}},
    "resources": [],
}


class Gate:
    """Answers only once it is opened; then it has a state, or none if it is shut for good."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._reached = threading.Event()
        self._opened = threading.Event()
        self._has_state = False

    def until_reached(self) -> None:
        assert self._reached.wait(_PATIENCE_S), "nobody came to the gate"

    def open(self) -> None:
        self._has_state = True
        self._opened.set()

    def shut(self) -> None:
        """Fail whoever waits and whoever comes."""
        self._opened.set()

    def wait(self) -> bytes | None:
        self._reached.set()
        self._opened.wait(_PATIENCE_S)
        return json.dumps(_STATE).encode() if self._has_state else None

    def data(self, *, after: str = "") -> str:
        """Return a data source that reads the state: in the plan, or in the apply `after` one."""
        depends = f"depends_on = [{after}]" if after else ""
        return f"""
            data "terraform_remote_state" "gate" {{
              backend = "http"
              config  = {{ address = "{self.url}" }}
              {depends}
            }}

            output "go" {{
              value = data.terraform_remote_state.gate.outputs
            }}
        """


@contextmanager
def new_gate() -> Iterator[Gate]:
    gates: list[Gate] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state = gates[0].wait()
            self.send_response(404 if state is None else 200)
            self.send_header("Content-Length", str(len(state or b"")))
            self.end_headers()
            self.wfile.write(state or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gate = Gate(f"http://127.0.0.1:{server.server_port}/state")
        gates.append(gate)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield gate
        finally:
            gate.shut()
            server.shutdown()
            thread.join()
