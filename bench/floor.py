"""The bare engine: the same work with nothing around it."""

import contextlib
import http.server
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.configurations import Files

INIT: Final = ("init", "-input=false")
PLAN: Final = ("plan", "-out=p", "-input=false")
SHOW: Final = ("show", "-json", "p")
APPLY: Final = ("apply", "-input=false", "p")
_HTTP: Final = {"backend.tf": 'terraform {\n  backend "http" {}\n}\n'}


def engine() -> str:
    """Return the program that is the floor."""
    found = shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        raise RuntimeError("The floor needs terraform or tofu on PATH.")
    return found


def chain(
    files: Files, *commands: Sequence[str], http: bool = False, out: int = subprocess.DEVNULL
) -> float:
    """Return the seconds that `commands` take on a fresh directory.

    Args:
        http: keep state on an HTTP server, else beside the configuration.
        out: descriptor for what they print.
    """
    with (
        tempfile.TemporaryDirectory(prefix="landform-floor-") as directory,
        _state_server() if http else contextlib.nullcontext("") as address,
    ):
        write(Path(directory), {**files, **(_HTTP if http else {})})
        env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_HTTP_ADDRESS": address}
        began = time.perf_counter()
        for arguments in commands:
            subprocess.run(
                [engine(), *arguments],
                cwd=directory,
                check=True,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env=env,
            )
        return time.perf_counter() - began


def write(directory: Path, files: Files) -> None:
    """Lay out a configuration."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class _State(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = b""

    def do_GET(self) -> None:
        self._answer(200 if self.state else 404, self.state)

    def do_POST(self) -> None:
        type(self).state = self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def _state_server() -> Iterator[str]:
    handler = type("State", (_State,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/state"
        finally:
            server.shutdown()
            thread.join()
