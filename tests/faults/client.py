"""A small client of the TFE v2 API: what the tests ask of a platform, and nothing else."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpx2

FINAL = frozenset({"planned_and_finished", "applied", "discarded", "errored", "canceled"})
_COMMAND_LINE = {"X-Terraform-Integration": "cloud", "Terraform-Version": "1.11.4"}
_LOOK_S = 0.03
T = TypeVar("T")


class Client:
    """One user's token at one server."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._http = httpx2.Client(
            base_url=url,
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/vnd.api+json",
            },
            trust_env=False,
            timeout=30.0,
        )
        self._stranger = httpx2.Client(trust_env=False, verify=False, timeout=30.0)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
        self._stranger.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        """Return the `data` of a document."""
        return _data(self._http.get(f"/api/v2{path}", headers=headers))

    def post(self, path: str, document: object = None) -> httpx2.Response:
        """Return the whole answer."""
        return self._http.post(f"/api/v2{path}", json=document)

    def delete(self, path: str) -> None:
        """Delete what is there."""
        self._http.delete(f"/api/v2{path}").raise_for_status()

    def make_organization(self, name: str) -> None:
        """Make an organization."""
        attributes = {"name": name, "email": "faults@example.com"}
        _data(self.post("/organizations", _document("organizations", attributes)))

    def make_workspace(self, organization: str, name: str, **attributes: object) -> str:
        """Make a workspace and return its id."""
        path = f"/organizations/{organization}/workspaces"
        made = _data(self.post(path, _document("workspaces", {"name": name, **attributes})))
        return str(made["id"])

    def announce(self, workspace_id: str, **attributes: object) -> str:
        """Make a configuration version and return its id."""
        path = f"/workspaces/{workspace_id}/configuration-versions"
        given = {"auto-queue-runs": False, **attributes}
        return str(_data(self.post(path, _document("configuration-versions", given)))["id"])

    def upload_address(self, configuration_id: str) -> str:
        """Return where a configuration is uploaded to; as go-tfe has it, this is the permission."""
        found = self.get(f"/configuration-versions/{configuration_id}")["attributes"]
        return str(found["upload-url"])

    def upload(self, workspace_id: str, archive: bytes, **attributes: object) -> str:
        """Make a configuration version, upload it and return its id."""
        configuration_id = self.announce(workspace_id, **attributes)
        put(self.upload_address(configuration_id), archive).raise_for_status()
        return configuration_id

    def start(self, workspace_id: str, configuration_id: str, **attributes: object) -> str:
        """Create a run and return its id."""
        related = {
            "workspace": {"data": {"type": "workspaces", "id": workspace_id}},
            "configuration-version": {
                "data": {"type": "configuration-versions", "id": configuration_id}
            },
        }
        document = _document("runs", attributes)
        document["data"]["relationships"] = related
        return str(_data(self.post("/runs", document))["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """Return a run's attributes."""
        attributes: dict[str, Any] = self.get(f"/runs/{run_id}")["attributes"]
        return attributes

    def plan(self, run_id: str) -> dict[str, Any]:
        """Return the attributes of a run's plan."""
        attributes: dict[str, Any] = self.get(f"/plans/{run_id.replace('run-', 'plan-', 1)}")[
            "attributes"
        ]
        return attributes

    def apply(self, run_id: str) -> dict[str, Any]:
        """Return the attributes of a run's apply."""
        attributes: dict[str, Any] = self.get(f"/applies/{run_id.replace('run-', 'apply-', 1)}")[
            "attributes"
        ]
        return attributes

    def workspace(self, workspace_id: str) -> dict[str, Any]:
        """Return a workspace's attributes."""
        attributes: dict[str, Any] = self.get(f"/workspaces/{workspace_id}")["attributes"]
        return attributes

    def act(self, run_id: str, action: str) -> int:
        """Ask for `apply`, `discard`, `cancel` or `force-cancel`; return the status code."""
        return self.post(f"/runs/{run_id}/actions/{action}").status_code

    def wait(
        self, run_id: str, *statuses: str, within_s: float = 60.0, ended: Iterable[str] = FINAL
    ) -> dict[str, Any]:
        """Return the run's attributes as soon as it has one of `statuses`.

        Fails when it does not in time, or ends otherwise.
        """
        deadline = time.monotonic() + within_s
        while (run := self.run(run_id))["status"] not in statuses:
            told = f"{run_id} is {run['status']}, not {' or '.join(statuses)}: {run['error']}"
            assert run["status"] not in ended, f"{told}\n{self.text_log(run_id)}"
            assert time.monotonic() < deadline, f"{told}\n{self.text_log(run_id)}"
            time.sleep(_LOOK_S)
        return run

    def text_log(self, run_id: str) -> str:
        """Return what the run's plan and apply said so far, for a failure's message."""
        phases = (self.plan(run_id), self.apply(run_id))
        said = [self.read_log(phase["log-read-url"], 0) for phase in phases if _has_log(phase)]
        return b"\n".join(said).decode(errors="replace")

    def read_log(self, address: str, offset: int, limit: int = 65536) -> bytes:
        """Return a stretch of a framed log, as a client polls for it."""
        answer = self._stranger.get(address, params={"offset": offset, "limit": limit})
        answer.raise_for_status()
        return answer.content

    def text_log_of(self, run_id: str, phase: str) -> bytes:
        """Return the whole log for people of the run's `plan` or `apply`, without its frame."""
        attributes = self.plan(run_id) if phase == "plan" else self.apply(run_id)
        return self._whole_log(attributes["log-read-url"])

    def json_log(self, phase_id: str) -> bytes:
        """Return the log that a command line of today would render, without its frame."""
        kind = "plans" if phase_id.startswith("plan-") else "applies"
        phase = self.get(f"/{kind}/{phase_id}", headers=_COMMAND_LINE)
        return self._whole_log(phase["attributes"]["log-read-url"])

    def _whole_log(self, address: str) -> bytes:
        log = bytearray()
        while piece := self.read_log(address, len(log), 1 << 20):
            log += piece
        return bytes(log).strip(b"\2\3")

    def push_state(self, workspace_id: str, raw: bytes) -> None:
        """Announce a state and upload it, as the command line does; the lock must be ours."""
        put(self.announce_state(workspace_id, raw), raw).raise_for_status()

    def announce_state(self, workspace_id: str, raw: bytes) -> str:
        """Announce a state; return where it is to be uploaded."""
        state = json.loads(raw)
        md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        attributes = {"serial": state["serial"], "lineage": state["lineage"], "md5": md5}
        path = f"/workspaces/{workspace_id}/state-versions"
        made = _data(self.post(path, _document("state-versions", attributes)))
        return str(made["attributes"]["hosted-state-upload-url"])

    def state_version(self, state_id: str) -> dict[str, Any]:
        """Return a raw state."""
        address = self.get(f"/state-versions/{state_id}")["attributes"]["hosted-state-download-url"]
        state: dict[str, Any] = self._stranger.get(address).raise_for_status().json()
        return state

    def state(self, workspace_id: str) -> dict[str, Any] | None:
        """Return the workspace's newest state, or None when it has none."""
        answer = self._http.get(f"/api/v2/workspaces/{workspace_id}/current-state-version")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        return self.state_version(_data(answer)["id"])

    def offered_states(self, workspace_id: str) -> list[dict[str, Any]]:
        """Return the raw states that came too late to be the workspace's."""
        (organization, name) = self._names(workspace_id)
        path = f"filter[organization][name]={organization}&filter[workspace][name]={name}"
        versions = self.get(f"/state-versions?{path}")
        offered = [each for each in versions if each["attributes"]["status"] == "offered"]
        return [self.state_version(each["id"]) for each in offered]

    def _names(self, workspace_id: str) -> tuple[str, str]:
        workspace = self.get(f"/workspaces/{workspace_id}")
        organization = workspace["relationships"]["organization"]["data"]["id"]
        return organization, workspace["attributes"]["name"]


class StubbornClient(Client):
    """Goes on when an answer does not come: asks again, and does nothing that was done before."""

    def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        """Return the `data` of a document."""
        return insist(lambda: super(StubbornClient, self).get(path, headers))

    def announce(self, workspace_id: str, **attributes: object) -> str:
        """Make a configuration version and return its id."""
        return insist(lambda: super(StubbornClient, self).announce(workspace_id, **attributes))

    def send(self, configuration_id: str, archive: bytes) -> None:
        """Upload the archive, as often as it takes."""
        address = self.upload_address(configuration_id)
        insist(lambda: put(address, archive).raise_for_status())

    def start(self, workspace_id: str, configuration_id: str, **attributes: object) -> str:
        """Create a run, unless there is one already; return its id."""

        def start() -> str:
            runs = Client.get(self, f"/workspaces/{workspace_id}/runs")
            if runs:
                return str(runs[0]["id"])
            return Client.start(self, workspace_id, configuration_id, **attributes)

        return insist(start)

    def state(self, workspace_id: str) -> dict[str, Any] | None:
        """Return the workspace's newest state, or None when it has none."""
        return insist(lambda: super(StubbornClient, self).state(workspace_id))

    def act(self, run_id: str, action: str) -> int:
        """Ask for an action; that it was taken already says 409."""
        return insist(lambda: super(StubbornClient, self).act(run_id, action))

    def read_log(self, address: str, offset: int, limit: int = 65536) -> bytes:
        """Return a stretch of a framed log."""
        return insist(lambda: super(StubbornClient, self).read_log(address, offset, limit))


def put(address: str, content: bytes) -> httpx2.Response:
    """Upload to a signed address."""
    # Without `verify`, as that reads the machine's certificates, which takes longer than the rest.
    return httpx2.put(address, content=content, trust_env=False, verify=False, timeout=30.0)


def insist(call: Callable[[], T], *, within_s: float = 30.0) -> T:
    """Return what `call` returns, calling again while nobody answers it."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return call()
        except (httpx2.TransportError, ServerFailedError):
            assert time.monotonic() < deadline, "no server answered in time"
        time.sleep(_LOOK_S)


class ServerFailedError(Exception):
    """The server says that it is its own fault, and so that asking again may help."""


def new_state(lineage: str) -> bytes:
    """Return an empty state, the first of its lineage."""
    state = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": lineage}
    return json.dumps({**state, "outputs": {}, "resources": []}).encode()


def addresses(state: dict[str, Any] | None) -> set[str]:
    """Return the addresses of the objects in a raw state, as far as our configurations go."""
    return {
        f"{resource['type']}.{resource['name']}"
        for resource in (state or {}).get("resources", ())
        if resource["mode"] == "managed" and resource["instances"]
    }


def _has_log(phase: dict[str, Any]) -> bool:
    return phase["status"] not in {"pending", "queued"}


def _document(kind: str, attributes: object) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": attributes}}


def _data(answer: httpx2.Response) -> Any:
    if answer.is_server_error:
        raise ServerFailedError(answer.text)
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json()["data"]
