"""`terrakube_workspace_vcs`: a workspace on a repository, against a provider on loopback."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr

from landform.kit.db import transaction
from landform.settings import Settings
from landform.wiring import make_reach
from landform.workspaces.models import WorkspaceRepository
from tests import factories
from tests.api.terrakube.client import GoClient, client_of, fault, workspace_cli
from tests.api.tfe.server import Server
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING


@dataclass
class Place:
    """An organization with a connection that sees one repository with two branches."""

    server: Server
    owner: GoClient
    path: str
    azure: AzureDevOps
    vcs_id: str
    secret: str

    @property
    def repository(self) -> str:
        return f"{self.azure.url}/Acme/Cloud%20Team/_git/infra"

    def sent(self, **changed: Any) -> dict[str, Any]:
        """Return what the provider sends of a workspace on a repository."""
        given = {
            "source": self.repository,
            "branch": "main",
            "defaultTemplate": "tpl-plan-apply-cli",
            "relationships": {"vcs": self.vcs_id},
        }
        return workspace_cli("planned", **{**given, **changed})

    async def followed(self, workspace_id: str) -> WorkspaceRepository | None:
        async with transaction(self.server.world.platform.sessions) as session:
            return await session.get(WorkspaceRepository, workspace_id)


@pytest.fixture
async def place(
    server: Server, owner: GoClient, path: str, database_url: str, azure: AzureDevOps
) -> AsyncIterator[Place]:
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    platform = server.world.platform
    reach = make_reach(settings, platform.sessions, platform.keyring)
    server.app.state.process = replace(server.process, reach=reach)
    acme = azure.organization("Acme")
    ann = acme.identity("Ann")
    infra = acme.repository("Cloud Team", "infra")
    azure.people.push(infra, ann, {"main.tf": ""})
    azure.people.push(infra, ann, {"main.tf": "# next"}, branch="next")
    secret = azure.tokens.issue(ann, EVERYTHING)
    made = await owner.create(
        f"{path}/vcs",
        "vcs",
        name="ado",
        vcsType="AZURE_DEVOPS",
        signIn="token",
        account="Acme",
        apiUrl=azure.url,
        clientSecret=secret,
    )
    yield Place(server, owner, path, azure, made["id"], secret)
    await reach.close()


async def test_a_workspace_is_made_on_a_repository_and_shows_what_was_sent(place: Place) -> None:
    sent = place.sent()
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **sent)
    for name in ("source", "branch", "defaultTemplate", "folder"):
        assert made["attributes"][name] == sent[name], name
    assert made["relationships"]["vcs"]["data"] == {"type": "vcs", "id": place.vcs_id}
    row = await place.followed(made["id"])
    assert row is not None
    assert row.connection_id == place.vcs_id
    shown = await place.owner.find(f"{place.path}/workspace/{made['id']}", include="vcs")
    assert [each["attributes"]["name"] for each in shown["included"]] == ["ado"]
    found = await place.owner.find(f"{place.path}/vcs", filter__vcs="name=='ado'")
    assert [each["id"] for each in found["data"]] == [place.vcs_id]
    assert await place.owner.names(f"{place.path}/vcs", "name==other") == []


async def test_the_provider_changes_the_branch_and_asks_nobody_where_it_is_the_same(
    place: Place,
) -> None:
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    one = f"{place.path}/workspace/{made['id']}"
    await place.owner.update(one, "workspace", **place.sent(branch="next"))
    row = await place.followed(made["id"])
    assert row is not None
    assert row.branch == "next"
    place.azure.tokens.revoke(place.secret)
    await place.owner.update(one, "workspace", **place.sent(branch="next", description="new"))
    assert (await place.owner.get(one))["data"]["attributes"]["description"] == "new"


async def test_an_empty_source_or_no_vcs_disconnects(place: Place) -> None:
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    one = f"{place.path}/workspace/{made['id']}"
    await place.owner.update(one, "workspace", **workspace_cli("planned"))
    assert await place.followed(made["id"]) is None
    await place.owner.update(one, "workspace", **place.sent())
    assert await place.followed(made["id"]) is not None
    await place.owner.update(one, "workspace", relationships={"vcs": None})
    assert await place.followed(made["id"]) is None
    shown = (await place.owner.get(one))["data"]["attributes"]
    assert (shown["source"], shown["branch"]) == ("empty", "remote-content")


async def test_a_repository_or_a_connection_that_is_not_there_is_pointed_to(place: Place) -> None:
    for changed in (
        {"source": f"{place.azure.url}/Acme/Cloud%20Team/_git/nothing"},
        {"relationships": {"vcs": "oc-0000000000000000"}},
        {"source": ""},
    ):
        answer = await place.owner.create(
            f"{place.path}/workspace", "workspace", 422, **place.sent(**changed)
        )
        assert answer["errors"][0]["source"]["pointer"] == "/data/attributes/source", fault(answer)


async def test_a_connection_of_another_organization_connects_nothing(place: Place) -> None:
    server = place.server
    async with transaction(server.world.platform.sessions) as session:
        other = await factories.make_organization(session)
        actor = await factories.make_owner(session, other)
    stranger = client_of(server, await server.caller_of(actor))
    asked = len(place.azure.server.requests)
    answer = await stranger.create(
        f"organization/{other.id}/workspace", "workspace", 422, **place.sent()
    )
    assert place.vcs_id in fault(answer)
    assert len(place.azure.server.requests) == asked
