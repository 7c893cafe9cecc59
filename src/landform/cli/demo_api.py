"""What the demo asks of the platform's API, as any client would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2

from landform.kit.errors import UnavailableError

_TYPE: Final = "application/vnd.api+json"
_TIMEOUT_S: Final = 30.0


@asynccontextmanager
async def demo_api(url: str, token: str) -> AsyncIterator["DemoApi"]:
    """Yield a client of the platform at `url`."""
    async with httpx2.AsyncClient(
        base_url=f"{url}/api/v2",
        headers={"Authorization": f"Bearer {token}", "Content-Type": _TYPE},
        timeout=_TIMEOUT_S,
        trust_env=False,
    ) as client:
        yield DemoApi(client)


class DemoApi:
    """The few routes that the demo needs."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def make_organization(self, name: str) -> None:
        """Make the organization, unless there is one of that name."""
        if await self._find(f"/organizations/{name}") is None:
            await self._make(
                "/organizations", "organizations", {"name": name, "email": "demo@example.invalid"}
            )

    async def make_workspace(self, organization: str, name: str, *, tool: str, version: str) -> str:
        """Make the workspace, or have the one of that name use this tool; return its id."""
        attributes = {"name": name, "engine": tool, "terraform-version": version}
        path = f"/organizations/{organization}/workspaces"
        found = await self._find(f"{path}/{name}")
        if found is None:
            return str((await self._make(path, "workspaces", attributes))["id"])
        body = {"data": {"type": "workspaces", "attributes": attributes}}
        _document(await self._client.patch(f"{path}/{name}", json=body))
        return str(found["id"])

    async def newest_run(self, workspace_id: str) -> str:
        """Return the id of the workspace's newest run."""
        answer = await self._client.get(f"/workspaces/{workspace_id}/runs?page[size]=1")
        runs = _document(answer)
        if not runs:
            raise UnavailableError("The platform knows of no run, although the CLI applied.")
        return str(runs[0]["id"])

    async def _find(self, path: str) -> Any:
        answer = await self._client.get(path)
        return None if answer.status_code == httpx2.codes.NOT_FOUND else _document(answer)

    async def _make(self, path: str, kind: str, attributes: dict[str, str]) -> Any:
        body = {"data": {"type": kind, "attributes": attributes}}
        return _document(await self._client.post(path, json=body))


def _document(answer: httpx2.Response) -> Any:
    if not answer.is_success:
        request = answer.request
        raise UnavailableError(
            f"{request.method} {request.url.path} was answered {answer.status_code}:"
            f" {answer.text[:500]}"
        )
    return answer.json()["data"]
