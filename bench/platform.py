"""A platform of its own for the measurements, and the few calls they need."""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

_START_S = 120
_RUNNING = ("pending", "plan_queued", "planning")


class Platform:
    """A running platform, as an administrator sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx2.Client(
            base_url=f"{url}/api/v2",
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/vnd.api+json",
            },
            timeout=600,
        )

    def post(self, path: str, kind: str, attributes: Any, **related: tuple[str, str]) -> Any:
        """Create a resource and return it."""
        relationships = {
            name.replace("_", "-"): {"data": {"type": of, "id": one}}
            for name, (of, one) in related.items()
        }
        body = {"data": {"type": kind, "attributes": attributes, "relationships": relationships}}
        answer = self._http.post(path, content=json.dumps(body))
        answer.raise_for_status()
        return answer.json()["data"]

    def upload(self, workspace_id: str, archive: bytes) -> str:
        """Upload a configuration that can only be planned, and return its id."""
        made = self.post(
            f"/workspaces/{workspace_id}/configuration-versions",
            "configuration-versions",
            {"auto-queue-runs": False, "speculative": True},
        )
        httpx2.put(made["attributes"]["upload-url"], content=archive).raise_for_status()
        return str(made["id"])

    def plan(self, workspace_id: str, configuration_id: str) -> tuple[float, dict[str, str]]:
        """Create a run, wait until it is planned; return seconds taken and its timestamps."""
        began = time.perf_counter()
        run = self.post(
            "/runs",
            "runs",
            {},
            workspace=("workspaces", workspace_id),
            configuration_version=("configuration-versions", configuration_id),
        )
        while True:
            shown = self._http.get(f"/runs/{run['id']}").json()["data"]["attributes"]
            if shown["status"] not in _RUNNING:
                break
            time.sleep(0.002)
        if shown["status"] != "planned_and_finished":
            raise RuntimeError(f"The run is {shown['status']}: {shown['error']}")
        return time.perf_counter() - began, shown["status-timestamps"]


@contextlib.contextmanager
def started() -> Iterator[Platform]:
    """Start `landform up` on an empty home and a free port; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="landform-bench-") as directory:
        home, log = Path(directory) / "home", Path(directory) / "log"
        command = [sys.executable, "-m", "landform", "up", "--home", str(home), "--port", "0"]
        with log.open("w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            url = _wait_for(log, process)
            token = subprocess.run(
                [*command[:3], "token", "create", "--home", str(home), "--user", "admin"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            yield Platform(url, token)
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"Landform is ready at (\S+)", log.read_text(errors="replace"))
        if said:
            return said.group(1)
        time.sleep(0.05)
    raise RuntimeError(f"The platform did not start:\n{log.read_text(errors='replace')[-2000:]}")
