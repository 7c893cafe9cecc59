"""What the scenarios ask of the platform beside the CLI: to prepare, and to look from outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx2

from tests.cli.command import eventually

_TYPE: Final = "application/vnd.api+json"
_OPERATIONS: Final = "plan_only,save_plan,refresh_only,destroy,empty_apply,plan_and_apply"
Resource = Mapping[str, Any]


class Api:
    """A client of TFE's API, with one user's token."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx2.Client(
            base_url=f"{url}/api/v2/",
            headers={"Authorization": f"Bearer {token}", "Content-Type": _TYPE},
            timeout=30.0,
            trust_env=False,
            follow_redirects=True,
        )

    def close(self) -> None:
        self._client.close()

    def request(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return self._client.request(method, path, json=body)

    def get(self, path: str) -> Any:
        return self._data(self.request("GET", path))

    def send(
        self,
        method: str,
        path: str,
        kind: str,
        attributes: Mapping[str, Any],
        relationships: Mapping[str, Any] | None = None,
    ) -> Any:
        data = {"type": kind, "attributes": attributes, "relationships": relationships or {}}
        return self._data(self.request(method, path, {"data": data}))

    def act(self, path: str) -> None:
        answer = self.request("POST", path, {})
        assert answer.is_success, answer.text

    def _data(self, answer: httpx2.Response) -> Any:
        assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
        return answer.json()["data"] if answer.content else None


class Workspace:
    """A workspace as the API shows it."""

    def __init__(self, api: Api, resource: Resource) -> None:
        self._api = api
        self.id: str = resource["id"]
        self.name: str = resource["attributes"]["name"]

    @property
    def attributes(self) -> Resource:
        return self._read()["attributes"]  # type: ignore[no-any-return] # a parser's mouth

    def change(self, **attributes: Any) -> None:
        sent = {name.replace("_", "-"): value for name, value in attributes.items()}
        self._api.send("PATCH", f"workspaces/{self.id}", "workspaces", sent)

    def set_variable(self, key: str, value: str, **more: Any) -> None:
        sent = {"key": key, "value": value, "category": "terraform", **more}
        self._api.send("POST", f"workspaces/{self.id}/vars", "vars", sent)

    def lock(self, reason: str) -> None:
        answer = self._api.request("POST", f"workspaces/{self.id}/actions/lock", {"reason": reason})
        assert answer.is_success, answer.text

    def unlock(self) -> None:
        self._api.act(f"workspaces/{self.id}/actions/unlock")

    def runs(self) -> Sequence[Resource]:
        """All of them, newest first."""
        return self._api.get(f"workspaces/{self.id}/runs?filter[operation]={_OPERATIONS}")  # type: ignore[no-any-return] # see above

    def newest_run(self) -> Resource:
        return self.runs()[0]

    def wait_for_run(self, *statuses: str, within_s: float = 60.0) -> Resource:
        """Return the newest run as soon as it has one of the statuses."""

        def reached() -> bool:
            runs = self.runs()
            return bool(runs) and runs[0]["attributes"]["status"] in statuses

        eventually(reached, within_s=within_s, say=lambda: self.runs()[:1])
        return self.newest_run()

    def outputs(self) -> dict[str, Any]:
        rows = self._api.get(f"workspaces/{self.id}/current-state-version-outputs")
        return {row["attributes"]["name"]: row["attributes"]["value"] for row in rows}

    def related(self, name: str) -> str | None:
        """The id of what the workspace has a relationship with."""
        data = self._read()["relationships"][name]["data"]
        return data and str(data["id"])

    def get(self, path: str) -> Any:
        return self._api.get(f"workspaces/{self.id}/{path}")

    def _read(self) -> Any:
        return self._api.get(f"workspaces/{self.id}")
