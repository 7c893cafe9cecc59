"""Projects and organizations through the API."""

from typing import Any

from landform.kit.db import transaction
from tests import factories
from tests.api.tfe.people import detail, ids, related, to_one
from tests.api.tfe.server import Server

KIND = "workspaces"


async def test_a_project_is_found_by_name_made_and_used(server: Server, listed: str) -> None:
    projects = f"organizations/{server.world.organization}/projects"
    assert ids(await server.owner.get(projects, **{"filter[names]": "shelf"})) == []
    made = await server.owner.post(projects, "projects", name="shelf")
    project = made["data"]["id"]
    assert ids(await server.owner.get(projects, **{"filter[names]": "shelf"})) == [project]
    workspace = await server.owner.post(
        listed, KIND, name="on-it", relationships=to_one(project=("projects", project))
    )
    assert related(workspace, "project")["id"] == project
    assert "workspace" in detail(await server.owner.delete(f"projects/{project}", 409))
    await server.owner.delete(f"workspaces/{workspace['data']['id']}")
    await server.owner.delete(f"projects/{project}")
    await server.owner.get(f"projects/{project}", 404)


async def test_a_workspace_is_not_put_into_another_organization_s_project(
    server: Server, listed: str
) -> None:
    async with transaction(server.world.platform.sessions) as session:
        organization = await factories.make_organization(session)
        foreign = await factories.make_project(session, organization)
    links = to_one(project=("projects", foreign.id))
    await server.owner.post(listed, KIND, 404, name="new", relationships=links)


async def test_an_organization_is_made_changed_and_deleted_by_its_owner(server: Server) -> None:
    owner = server.owner
    made = await owner.post("organizations", "organizations", name="fresh", email="a@b.c")
    assert made["data"]["id"] == "fresh"
    assert "fresh" in ids(await owner.get("organizations"))
    changed = await owner.patch("organizations/fresh", "organizations", email="d@e.f")
    assert changed["data"]["attributes"]["email"] == "d@e.f"
    stranger = await server.stranger()
    await stranger.get("organizations/fresh", 404)
    assert "fresh" not in ids(await stranger.get("organizations"))
    await owner.post("organizations", "organizations", 422, name="fresh", email="a@b.c")
    await owner.post("organizations", "organizations", 422, name="two words", email="a@b.c")
    for mode in ("agent", "cloudy"):
        given = {"default-execution-mode": mode}
        await owner.post("organizations", "organizations", 422, name="other", **given)
        await owner.patch("organizations/fresh", "organizations", 422, **given)
    set_up: dict[str, Any] = {
        "default-execution-mode": "local",
        "allow-force-delete-workspaces": False,
    }
    made = await owner.post("organizations", "organizations", name="other", email="a@b.c", **set_up)
    assert {name: made["data"]["attributes"][name] for name in set_up} == set_up
    await owner.delete("organizations/fresh")
    await owner.get("organizations/fresh", 404)


async def test_capacity_counts_what_waits_and_what_works(server: Server) -> None:
    first = await server.world.create()
    await server.world.create()
    await server.world.must_begin(first)
    shown = await server.read(f"organizations/{server.world.organization}/capacity")
    assert shown["data"]["attributes"] == {"pending": 1, "running": 1}
