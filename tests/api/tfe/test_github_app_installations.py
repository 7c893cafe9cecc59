"""GitHub App installations as go-tfe and the tfe provider speak of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from landform.settings import Settings
from landform.wiring import make_reach
from tests.api.tfe.server import Server, open_server
from tests.standins.github import GitHub, github
from tests.world import World


@dataclass
class Place:
    """A server, and a GitHub with an app that is installed for `acme`."""

    server: Server
    hub: GitHub

    async def connect(self) -> str:
        """Connect as the app, and have the server ask where it is; return the connection's id."""
        app = self.hub.apps.register(self.hub.organization("acme"))
        self.hub.apps.install(app, app.owner)
        given = {"name": "hub", "vcsType": "GITHUB", "signIn": "github-app"}
        given |= {"endpoint": self.hub.url, "clientId": app.client_id, "privateKey": app.pem}
        path = f"/api/v1/organization/{self.server.world.organization_id}/vcs"
        body = {"data": {"type": "vcs", "attributes": given}}
        shown = {"Authorization": f"Bearer {self.server.owner.token}"}
        made = await self.server.owner.http.post(path, json=body, headers=shown)
        assert made.status_code == 201, made.text
        found: str = made.json()["data"]["id"]
        answer = await self.server.owner.http.post(f"{path}/{found}/test", headers=shown)
        assert answer.status_code == 200, answer.text
        return found

    async def workspace(self, repo: dict[str, Any], status: int = 201) -> Any:
        path = f"organizations/{self.server.world.organization}/workspaces"
        given = {"name": "planned", "vcs-repo": {"identifier": "acme/infra", **repo}}
        return await self.server.owner.post(path, "workspaces", status=status, **given)

    async def change(self, made: Any, **repo: Any) -> Any:
        """Change the repository of a workspace; return how it is then."""
        given: dict[str, Any] = {"vcs-repo": repo}
        path = f"workspaces/{made['data']['id']}"
        said = await self.server.owner.patch(path, "workspaces", **given)
        return said["data"]["attributes"]["vcs-repo"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    with github(tmp_path / "github") as service:
        repo = service.repository("acme", "infra")
        service.push(repo, service.account("ann"), {"main.tf": ""})
        yield service


@pytest.fixture
async def place(app: FastAPI, world: World, database_url: str, hub: GitHub) -> AsyncIterator[Place]:
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    async with open_server(app, world, database_url) as server:
        reach = make_reach(settings, world.platform.sessions, world.platform.keyring)
        app.state.process = replace(server.process, reach=reach)
        yield Place(server, hub)
        await reach.close()


async def test_installations_are_listed_by_name_and_by_number_and_read(place: Place) -> None:
    connection_id = await place.connect()
    [app] = place.hub.apps.all.values()
    [number] = app.installations
    owner = place.server.owner
    [one] = (await owner.get("github-app/installations"))["data"]
    assert one["id"] == connection_id.replace("oc-", "ghain-")
    shown = one["attributes"]
    assert (shown["name"], shown["installation-id"]) == ("acme", number)
    assert shown["installation-type"] == "Organization"
    for condition, count in (
        ({"filter[name]": "ACME"}, 1),
        ({"filter[name]": "other"}, 0),
        ({"filter[installation_id]": str(number)}, 1),
        ({"filter[installation_id]": "1"}, 0),
    ):
        found = (await owner.get("github-app/installations", **condition))["data"]
        assert len(found) == count, condition
    assert (await owner.get(f"github-app/installation/{one['id']}"))["data"] == one
    await owner.get(f"github-app/installation/{connection_id}", 404)


async def test_a_workspace_is_planned_through_an_installation_and_shows_no_other_name(
    place: Place,
) -> None:
    installation = (await place.connect()).replace("oc-", "ghain-")
    made = await place.workspace({"github-app-installation-id": installation})
    repo = made["data"]["attributes"]["vcs-repo"]
    assert repo["github-app-installation-id"] == installation
    assert (repo["oauth-token-id"], repo["service-provider"]) == (None, "github_enterprise")
    token = installation.replace("ghain-", "ot-")
    kept = await place.change(made, branch="main")
    assert kept["github-app-installation-id"] == installation
    repo = await place.change(made, **{"identifier": "acme/infra", "oauth-token-id": token})
    assert (repo["github-app-installation-id"], repo["oauth-token-id"]) == (None, token)


async def test_an_installation_that_is_none_is_refused_with_words(place: Place) -> None:
    connection_id = await place.connect()
    token = connection_id.replace("oc-", "ot-")
    for given, words in (
        ({"github-app-installation-id": "ghain-unknown"}, "no GitHub App installation"),
        ({"github-app-installation-id": token}, "no GitHub App installation"),
        (
            {
                "github-app-installation-id": connection_id.replace("oc-", "ghain-"),
                "oauth-token-id": token,
            },
            "not by both",
        ),
    ):
        said = await place.workspace(given, 422)
        assert words in str(said), given
