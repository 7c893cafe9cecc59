"""Relationships at addresses of their own: read, changed, or refused with words."""

from typing import Any

import pytest

from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.workspaces.models import Workspace
from tests import factories
from tests.api.terrakube.client import GoClient, client_of, fault, variable
from tests.api.terrakube.test_operations import UUID, add, submit
from tests.api.terrakube.test_repositories import Place, place
from tests.api.tfe.server import Server

__all__ = ["place"]


async def change(client: GoClient, address: str, data: Any, status: int = 204) -> Any:
    return await client.ask("PATCH", address, status, body={"data": data})


async def test_a_workspace_is_moved_to_another_project_and_back_to_the_default(
    owner: GoClient, server: Server, path: str
) -> None:
    here = f"{path}/workspace/{server.world.workspace_id}/relationships/project"
    default = (await owner.get(here))["data"]
    shelf = (await owner.create(f"{path}/project", "project", name="net", description=None))["id"]
    await change(owner, here, {"type": "project", "id": shelf})
    assert (await owner.get(here))["data"] == {"type": "project", "id": shelf}
    await change(owner, here, None)
    assert (await owner.get(here))["data"] == default
    await change(owner, here, {"type": "project", "id": "prj-none"}, 404)
    await change(owner, here, {"type": "team", "id": shelf}, 422)
    await owner.ask("PATCH", here, 400, body={"project": shelf})
    for method in ("POST", "DELETE"):
        answer = await owner.ask(method, here, 403, body={"data": {"type": "project", "id": shelf}})
        assert "set by a PATCH" in fault(answer)


async def test_who_may_not_move_a_workspace_may_not_do_so_by_its_relationship(
    server: Server, owner: GoClient, path: str
) -> None:
    shelf = (await owner.create(f"{path}/project", "project", name="net", description=None))["id"]
    here = f"{path}/workspace/{server.world.workspace_id}/relationships/project"
    linked = {"type": "project", "id": shelf}
    admin = client_of(server, await server.caller("admin"))
    await change(admin, here, linked, 404)  # a project that they may not know of
    reader = client_of(server, await server.caller("read"))
    await reader.get(here)
    await change(reader, here, linked, 404)
    await reader.ask("POST", here, 403, body={"data": linked})
    stranger = client_of(server, await server.stranger())
    await stranger.get(here, 404)
    await change(stranger, here, linked, 404)
    async with transaction(server.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, server.world.workspace_id)
        organization = await session.get_one(Organization, workspace.organization_id)
        assert workspace.project_id == organization.default_project_id


async def test_a_repository_is_disconnected_and_reached_through_another_connection(
    place: Place,
) -> None:
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    here = f"{place.path}/workspace/{made['id']}/relationships/vcs"
    assert (await place.owner.get(here))["data"] == {"type": "vcs", "id": place.vcs_id}
    second = await place.owner.create(
        f"{place.path}/vcs",
        "vcs",
        name="second",
        vcsType="AZURE_DEVOPS",
        signIn="token",
        account="Acme",
        apiUrl=place.azure.url,
        clientSecret=place.secret,
    )
    await change(place.owner, here, {"type": "vcs", "id": second["id"]})
    row = await place.followed(made["id"])
    assert row is not None
    assert row.connection_id == second["id"]
    await change(place.owner, here, None)
    assert await place.followed(made["id"]) is None
    assert "source" in fault(
        await change(place.owner, here, {"type": "vcs", "id": second["id"]}, 422)
    )


async def test_what_is_made_below_a_workspace_is_listed_and_not_given_away(
    owner: GoClient, server: Server, path: str
) -> None:
    below = f"{path}/workspace/{server.world.workspace_id}"
    made = await owner.create(f"{below}/variable", "variable", **variable("region"))
    linked = [{"type": "variable", "id": made["id"]}]
    here = f"{below}/relationships/variable"
    assert await owner.get(here) == {"data": linked}
    for method in ("PATCH", "POST", "DELETE"):
        answer = await owner.ask(method, here, 403, body={"data": linked})
        assert "made and deleted at an address of its own" in fault(answer)
    back = f"{below}/variable/{made['id']}/relationships/workspace"
    assert (await owner.get(back))["data"]["id"] == server.world.workspace_id
    other = await server.world.beside()
    moved = await change(owner, back, {"type": "workspace", "id": other.workspace_id}, 403)
    assert "stays in the workspace it was made in" in fault(moved)
    await owner.get(f"{below}/relationships/secret", 404)
    await change(owner, f"{below}/relationships/secret", None, 404)
    await change(owner, f"{path}/workspace/ws-none/relationships/project", None, 404)


@pytest.mark.parametrize("kind", ["project", "team", "globalvar", "tag"])
async def test_what_is_of_an_organization_stays_there(
    owner: GoClient, server: Server, path: str, kind: str
) -> None:
    sent: dict[str, Any] = variable("region") if kind == "globalvar" else {"name": "fresh"}
    made = await owner.create(f"{path}/{kind}", kind, **sent)
    here = f"{path}/{kind}/{made['id']}/relationships/organization"
    linked = {"type": "organization", "id": server.world.organization_id}
    assert (await owner.get(here))["data"] == linked
    async with transaction(server.world.platform.sessions) as session:
        other = await factories.make_organization(session)
    answer = await change(owner, here, {"type": "organization", "id": other.id}, 403)
    assert fault(answer) == f"A {kind} stays in the organization it was made in."


async def test_relationships_are_changed_within_a_batch(
    owner: GoClient, server: Server, path: str
) -> None:
    workspace = f"/{path}/workspace/{server.world.workspace_id}"
    project = add(f"/{path}/project", "project", known_as=UUID, name="net", description=None)
    linked = {"op": "update", "href": f"{workspace}/relationships/project"}
    answer = await submit(owner, 200, project, {**linked, "data": {"type": "project", "id": UUID}})
    shelf = answer["atomic:results"][0]["data"]["id"]
    here = f"{workspace[1:]}/relationships/project"
    assert (await owner.get(here))["data"]["id"] == shelf
    renamed = {
        "op": "update",
        "href": workspace,
        "data": {"type": "workspace", "attributes": {"name": "other"}},
    }
    refused = {**linked, "data": {"type": "project", "id": "prj-none"}}
    await submit(owner, 404, renamed, refused)
    assert (await owner.get(workspace[1:]))["data"]["attributes"]["name"] != "other"
    await submit(
        owner, 403, {"op": "remove", "href": f"{workspace}/relationships/variable", "data": []}
    )


async def test_a_batch_makes_what_it_once_could_not(
    owner: GoClient, server: Server, path: str
) -> None:
    workspace = f"/{path}/workspace/{server.world.workspace_id}"
    connection = {"name": "ado", "vcsType": "AZURE_DEVOPS", "clientId": "a", "clientSecret": "b"}
    answer = await submit(
        owner,
        200,
        add(f"/{path}/vcs", "vcs", **connection),
        add(f"/{path}/tag", "tag", name="fresh"),
        add(f"{workspace}/workspaceTag", "workspacetag", tagId="fresh"),
        add(f"/{path}/globalvar", "globalvar", **variable("region")),
        add(f"/{path}/project", "project", known_as=UUID, name="net", description=None),
        add(f"/{path}/team", "team", name="crew"),
        add(f"/{path}/project/{UUID}/projectAccess", "project_access", name="crew", role="read"),
    )
    assert [each["data"]["type"] for each in answer["atomic:results"]] == [
        "vcs",
        "tag",
        "workspacetag",
        "globalvar",
        "project",
        "team",
        "project_access",
    ]
    await submit(owner, 200, {"op": "remove", "href": f"{workspace}/workspaceTag/fresh"})
    await submit(owner, 200, {"op": "remove", "href": f"/{path}/tag/fresh"})
