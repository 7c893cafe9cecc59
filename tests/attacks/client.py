"""What attacks ask of a platform besides."""

import base64
import hashlib
from typing import Any

import httpx2

from tests.faults import client as faults


class Client(faults.Client):
    """One user's token at one server."""

    def set_variable(self, workspace_id: str, key: str, value: str, **more: object) -> None:
        """Make a variable, of terraform unless told otherwise."""
        answer = self.try_variable(workspace_id, key, value, **more)
        assert answer.is_success, answer.text

    def try_variable(
        self, workspace_id: str, key: str, value: str, **more: object
    ) -> httpx2.Response:
        """Ask for a variable and return the answer."""
        attributes = {"key": key, "value": value, "category": "terraform", **more}
        return self.send("POST", f"/workspaces/{workspace_id}/vars", "vars", attributes)

    def send(self, method: str, path: str, kind: str, attributes: Any) -> httpx2.Response:
        """Send a document and return the answer."""
        document = {"data": {"type": kind, "attributes": attributes}}
        return self._http.request(method, f"/api/v2{path}", json=document)

    def raw(self, method: str, path: str) -> httpx2.Response:
        """Return the answer as it is, not followed."""
        return self._http.request(method, f"/api/v2{path}")

    def follow(self, path: str) -> httpx2.Response:
        """Return what the answer leads to; the token is not sent along."""
        address = self.raw("GET", path).headers["location"]
        return httpx2.get(address, trust_env=False, timeout=30.0).raise_for_status()

    def upload_state(self, workspace_id: str, raw: bytes) -> httpx2.Response:
        """Send a state as a command line does, and return the answer."""
        attributes = {
            "serial": 1,
            "lineage": "l",
            "md5": hashlib.md5(raw, usedforsecurity=False).hexdigest(),
            "state": base64.b64encode(raw).decode(),
        }
        path = f"/workspaces/{workspace_id}/state-versions"
        return self.send("POST", path, "state-versions", attributes)
