"""What Terrakube's Go clients send: headers, bodies with every attribute, set or not."""

from dataclasses import dataclass
from typing import Any, Final

import httpx2

from tests.api.tfe.people import Caller
from tests.api.tfe.server import Server

TYPE: Final = "application/vnd.api+json"


@dataclass(frozen=True)
class GoClient:
    """Sends as google/jsonapi marshals."""

    http: httpx2.AsyncClient
    token: str

    async def get(self, path: str, status: int = 200, /, **query: str) -> Any:
        return await self.ask("GET", path, status, query={**query})

    async def find(self, path: str, status: int = 200, **query: str) -> Any:
        """Ask for a list by parameters that are no names in Python: `filter__workspace`."""
        spelled = {_spelled(name): value for name, value in query.items()}
        return await self.ask("GET", path, status, query=spelled)

    async def names(self, path: str, rsql: str, *, attribute: str = "name") -> list[str]:
        """Return the names of what a filter finds."""
        found = await self.ask("GET", path, 200, query={"filter": rsql})
        return [each["attributes"][attribute] for each in found["data"]]

    async def create(self, path: str, kind: str, status: int = 201, /, **attributes: Any) -> Any:
        body = await self.ask("POST", path, status, body=document(kind, attributes))
        return body["data"] if status == 201 else body

    async def update(self, path: str, kind: str, status: int = 204, /, **attributes: Any) -> Any:
        return await self.ask("PATCH", path, status, body=document(kind, attributes))

    async def delete(self, path: str, status: int = 204) -> Any:
        return await self.ask("DELETE", path, status)

    async def ask(
        self, method: str, path: str, status: int, *, body: Any = None, query: Any = None
    ) -> Any:
        answer = await self.http.request(
            method,
            f"/api/v1/{path}",
            json=body,
            params=query,
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": TYPE,
                "Accept": TYPE,
            },
        )
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def client_of(server: Server, caller: Caller | None = None) -> GoClient:
    return GoClient(server.http, (caller or server.owner).token)


def document(kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a body; `relationships` among the attributes are the resource's."""
    data: dict[str, Any] = {"type": kind, "attributes": dict(attributes)}
    if linked := data["attributes"].pop("relationships", None):
        data["relationships"] = {
            name: {"data": each and {"type": name, "id": each}} for name, each in linked.items()
        }
        # The related objects are repeated whole.
        data["included"] = [{"type": name, "id": each} for name, each in linked.items() if each]
    return {"data": data}


def workspace_cli(name: str, /, **changed: Any) -> dict[str, Any]:
    """Return what the provider sends of a `terrakube_workspace_cli`."""
    return {
        "name": name,
        "description": None,
        "source": "empty",
        "branch": "remote-content",
        "folder": "/",
        "defaultTemplate": "",
        "iacType": "terraform",
        "terraformVersion": "1.11.4",
        "executionMode": "remote",
        "deleted": False,
        "allowRemoteApply": False,
        **changed,
    }


def variable(key: str, /, **changed: Any) -> dict[str, Any]:
    """Return what the provider sends of a variable."""
    return {
        "key": key,
        "value": "x",
        "description": "",
        "category": "TERRAFORM",
        "sensitive": False,
        "hcl": False,
        **changed,
    }


def fault(answer: Any) -> str:
    """Return what an error says."""
    return str(answer["errors"][0]["detail"])


def _spelled(name: str) -> str:
    family, _, inner = name.partition("__")
    return f"{family}[{inner}]" if inner else family
