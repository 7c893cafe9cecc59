"""A platform of its own for the measurements, and the few calls they need."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

_START_S: Final = 120
_ETX: Final = b"\x03"
_GOOD: Final = ("applied", "planned_and_finished")


@dataclass(frozen=True)
class Started:
    """A `landform up` that answers: where its home is, its process, and when it was ready."""

    home: Path
    url: str
    pid: int
    start_s: float
    token: str = ""


class Platform:
    """A running platform, as an administrator's client sees it."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self.headers = {
            "Authorization": f"Bearer {started.token}",
            "Content-Type": "application/vnd.api+json",
        }
        self._http = httpx2.Client(headers=self.headers, timeout=600)
        self._api = f"{started.url}/api/v2"

    def get(self, path: str) -> Any:
        """Read a resource."""
        answer = self._http.get(self._api + path)
        answer.raise_for_status()
        return answer.json()["data"]

    def post(self, path: str, kind: str, attributes: Any, **related: tuple[str, str]) -> Any:
        """Create a resource and return it."""
        relationships = {
            name.replace("_", "-"): {"data": {"type": of, "id": one}}
            for name, (of, one) in related.items()
        }
        body = {"data": {"type": kind, "attributes": attributes, "relationships": relationships}}
        answer = self._http.post(self._api + path, content=json.dumps(body))
        answer.raise_for_status()
        return answer.json()["data"]

    def workspace(self, name: str, **attributes: Any) -> str:
        """Make a workspace and return its id."""
        kinds = {"name": name, **attributes}
        return str(self.post("/organizations/bench/workspaces", "workspaces", kinds)["id"])

    def upload(self, workspace_id: str, archive: bytes, *, speculative: bool = True) -> str:
        """Upload a configuration and return its id.

        Args:
            speculative: it can only be planned.
        """
        made = self.post(
            f"/workspaces/{workspace_id}/configuration-versions",
            "configuration-versions",
            {"auto-queue-runs": False, "speculative": speculative},
        )
        httpx2.put(made["attributes"]["upload-url"], content=archive).raise_for_status()
        return str(made["id"])

    def create_run(self, workspace_id: str, configuration_id: str, **attributes: Any) -> str:
        """Create a run and return its id."""
        run = self.post(
            "/runs",
            "runs",
            attributes,
            workspace=("workspaces", workspace_id),
            configuration_version=("configuration-versions", configuration_id),
        )
        return str(run["id"])

    def log_url(self, run_id: str, phase: str) -> str:
        """Return where the log of the run's `plan` or `apply` is read."""
        kind = {"plan": "plans", "apply": "applies"}[phase]
        shown = self.get(f"/{kind}/{phase}-{run_id.partition('-')[2]}")
        return str(shown["attributes"]["log-read-url"])

    def follow(self, run_id: str, phase: str) -> int:
        """Read a log to its end, as the command line does; return its bytes."""
        url, offset = self.log_url(run_id, phase), 0
        while True:
            answer = self._http.get(url, params={"offset": offset, "limit": 1 << 20})
            answer.raise_for_status()
            offset += len(answer.content)
            if answer.content.endswith(_ETX):
                return offset

    def run(self, workspace_id: str, configuration_id: str, **attributes: Any) -> float:
        """Create a run, follow its logs to the end; return the seconds until it was over."""
        began = time.perf_counter()
        run_id = self.create_run(workspace_id, configuration_id, **attributes)
        self.follow(run_id, "plan")
        if attributes.get("auto-apply"):
            self.follow(run_id, "apply")
        self.ended(run_id)
        return time.perf_counter() - began

    def ended(self, run_id: str) -> dict[str, Any]:
        """Return the attributes of a run that ended well; raise if it did not."""
        shown: dict[str, Any] = self.get(f"/runs/{run_id}")["attributes"]
        if shown["status"] not in _GOOD:
            raise RuntimeError(f"The run is {shown['status']}: {shown['error']}")
        return shown


@contextlib.contextmanager
def started(*arguments: str, settings: Mapping[str, str] | None = None) -> Iterator[Platform]:
    """Start `landform up` on an empty home and a free port; nothing of it is left afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="landform-bench-") as directory,
        up(Path(directory) / "home", *arguments, settings=settings) as running,
    ):
        platform = Platform(running)
        platform.post("/organizations", "organizations", {"name": "bench"})
        yield platform


@contextlib.contextmanager
def up(home: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Run `landform up` on `home`, with a token for its admin."""
    log = home.parent / "log"
    command = [sys.executable, "-m", "landform"]
    with log.open("w") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "up", "--home", str(home), "--port", "0", *arguments],
            env={**os.environ, "LANDFORM_API_REQUESTS_PER_SECOND": "0", **(settings or {})},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _wait_for(log, process)
        start_s = time.perf_counter() - began
        token = subprocess.run(
            [*command, "token", "create", "--home", str(home), "--user", "admin"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        yield Started(home, url, process.pid, start_s, token)
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"Landform is ready at (\S+)", log.read_text(errors="replace"))
        if said:
            return said.group(1)
        time.sleep(0.01)
    raise RuntimeError(f"The platform did not start:\n{log.read_text(errors='replace')[-2000:]}")
