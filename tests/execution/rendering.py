"""What the real CLI draws of a redacted plan: it asks a server for it and renders it itself."""

import asyncio
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WORKSPACE = {
    "id": "ws-1",
    "type": "workspaces",
    "attributes": {"name": "w", "structured-run-output-enabled": True, "operations": True},
    "relationships": {"organization": {"data": {"id": "acme", "type": "organizations"}}},
}
_RUN = {
    "data": {
        "id": "run-1",
        "type": "runs",
        "attributes": {"status": "planned", "actions": {}, "permissions": {}},
        "relationships": {
            "plan": {"data": {"id": "plan-1", "type": "plans"}},
            "workspace": {"data": {"id": "ws-1", "type": "workspaces"}},
        },
    },
    "included": [
        _WORKSPACE,
        {"id": "plan-1", "type": "plans", "attributes": {"status": "finished"}},
    ],
}
_ANSWERS: dict[str, Any] = {
    "/ping": {},
    "/organizations/acme/entitlement-set": {
        "data": {"id": "acme", "type": "entitlement-sets", "attributes": {"operations": True}}
    },
    "/organizations/acme/workspaces/w": {"data": _WORKSPACE},
    "/runs/run-1": _RUN,
}


@contextmanager
def _serving(redacted: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/v2")
            if path == "/plans/plan-1/json-output-redacted":
                self._answer(200, redacted)
            elif path in _ANSWERS:
                self._answer(200, json.dumps(_ANSWERS[path]).encode())
            else:
                self._answer(404, b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.api+json")
            self.send_header("TFP-API-Version", "2.6")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def render(redacted: bytes, directory: Path) -> str:
    """Return what `terraform show` of a saved cloud plan prints for `redacted`."""
    return await asyncio.to_thread(_render, redacted, directory)


def _render(redacted: bytes, directory: Path) -> str:
    with _serving(redacted) as port:
        host = f"127.0.0.1:{port}"
        directory.mkdir()
        (directory / "main.tf").write_text(
            f'terraform {{\n cloud {{\n hostname = "{host}"\n organization = "acme"\n'
            ' workspaces { name = "w" }\n }\n}\n'
        )
        (directory / "rc").write_text(
            f'host "{host}" {{\n services = {{ "tfe.v2" = "http://{host}/api/v2/" }}\n}}\n'
            f'credentials "{host}" {{ token = "t" }}\n'
        )
        saved = {"remote_plan_format": 1, "run_id": "run-1", "hostname": host}
        (directory / "saved").write_text(json.dumps(saved))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(directory / "rc"),
        }
        said = ""
        for words in (["init", "-input=false"], ["show", "-no-color", "saved"]):
            done = subprocess.run(
                ["terraform", *words],
                cwd=directory,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            said = done.stdout
        return said
