"""Projects, teams and their access to workspaces, as Terrakube's provider asks for them."""

from typing import Any

import pytest

from landform.access.models import ProjectGrant, Team, WorkspaceGrant
from landform.kit.db import transaction
from tests.api.terrakube.client import GoClient, client_of, fault, workspace_cli
from tests.api.tfe.server import Server

FLAGS = (
    *("manageState", "manageWorkspace", "manageModule", "manageProvider", "manageVcs"),
    *("manageTemplate", "manageJob", "manageCollection", "planJob", "approveJob"),
)
ACCESS_FLAGS = ("manageState", "manageWorkspace", "manageJob", "planJob", "approveJob")


def team(name: str, /, **changed: Any) -> dict[str, Any]:
    """Return what the provider sends of a team."""
    return {"name": name, **dict.fromkeys(FLAGS, False), "role": None, **changed}


def access(name: str, /, **changed: Any) -> dict[str, Any]:
    """Return what the provider sends of access."""
    return {"name": name, **dict.fromkeys(ACCESS_FLAGS, False), "role": None, **changed}


async def test_a_project_is_made_found_given_a_workspace_and_deleted(
    owner: GoClient, path: str
) -> None:
    made = await owner.create(f"{path}/project", "project", name="Shared net", description=None)
    assert made["attributes"]["description"] is None
    found = await owner.find(f"{path}/project", filter__project="name=='Shared net'")
    assert [each["id"] for each in found["data"]] == [made["id"]]
    one = f"{path}/project/{made['id']}"
    await owner.update(one, "project", name="net", description="of all")
    assert (await owner.get(one))["data"]["attributes"]["description"] == "of all"
    sent = workspace_cli("inside", relationships={"project": made["id"]})
    inside = await owner.create(f"{path}/workspace", "workspace", **sent)
    assert inside["relationships"]["project"]["data"]["id"] == made["id"]
    shown = await owner.find(f"{path}/workspace/{inside['id']}", include="project")
    assert [each["attributes"]["name"] for each in shown["included"]] == ["net"]
    assert "workspaces in it" in fault(await owner.delete(one, 409))
    here = f"{path}/workspace/{inside['id']}"
    await owner.update(here, "workspace", relationships={"project": None})
    await owner.delete(one)
    await owner.get(one, 404)


async def test_a_project_is_not_found_below_another_organization(
    owner: GoClient, path: str
) -> None:
    made = await owner.create(f"{path}/project", "project", name="net")
    other = (await owner.create("organization", "organization", name="other"))["id"]
    await owner.get(f"organization/{other}/project/{made['id']}", 404)
    sent = workspace_cli("inside", relationships={"project": made["id"]})
    await owner.create(f"organization/{other}/workspace", "workspace", 422, **sent)


@pytest.mark.parametrize(
    ("sent", "switches"),
    [
        ({}, []),
        ({"role": "read"}, ["read-workspaces"]),
        ({"manageVcs": True}, ["manage-vcs-settings"]),
        (
            {"manageWorkspace": True, "manageState": True, "planJob": True, "manageModule": True},
            ["manage-modules", "manage-workspaces"],
        ),
        (
            {"role": "admin"},
            [
                "manage-modules",
                "manage-projects",
                "manage-providers",
                "manage-vcs-settings",
                "manage-workspaces",
            ],
        ),
    ],
)
async def test_a_team_is_given_what_its_role_and_flags_say(
    owner: GoClient, server: Server, path: str, sent: dict[str, Any], switches: list[str]
) -> None:
    made = await owner.create(f"{path}/team", "team", **team("ops", **sent))
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(Team, made["id"])
    assert row.organization_access == switches
    shown = (await owner.get(f"{path}/team/{made['id']}"))["data"]["attributes"]
    for name, value in sent.items():
        assert shown[name] == value, name
    assert shown["role"] == (sent.get("role") or "custom")


async def test_a_team_is_found_changed_and_deleted(
    owner: GoClient, server: Server, path: str
) -> None:
    made = await owner.create(f"{path}/team", "team", **team("ops", manageVcs=True))
    found = await owner.find(f"{path}/team", filter__team="name==ops")
    assert [each["id"] for each in found["data"]] == [made["id"]]
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(Team, made["id"])
        row.organization_access = ["manage-teams", "manage-vcs-settings"]
    one = f"{path}/team/{made['id']}"
    await owner.update(one, "team", **team("crew"))
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(Team, made["id"])
    assert (row.name, row.organization_access) == ("crew", ["manage-teams"])
    await owner.delete(one)
    await owner.get(one, 404)


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"planJob": True}, "planJob"),
        ({"approveJob": True}, "approveJob"),
        ({"manageState": True}, "manageState"),
        ({"manageTemplate": True}, "manageTemplate"),
        ({"manageCollection": True}, "manageCollection"),
        ({"role": "write"}, "role"),
        ({"role": "king"}, "role"),
    ],
)
async def test_what_a_team_cannot_be_given_is_refused_and_not_widened(
    owner: GoClient, path: str, sent: dict[str, Any], pointer: str
) -> None:
    answer = await owner.create(f"{path}/team", "team", 422, **team("ops", **sent))
    assert answer["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_who_may_not_manage_teams_makes_none(server: Server, path: str) -> None:
    admin = client_of(server, await server.caller("admin"))
    await admin.create(f"{path}/team", "team", 403, **team("ops"))


@pytest.mark.parametrize(
    ("sent", "level", "custom"),
    [
        ({"role": "plan"}, "plan", {}),
        ({"role": "admin"}, "admin", {}),
        ({}, "custom", {"runs": "read", "state-versions": "none"}),
        ({"planJob": True}, "custom", {"runs": "plan", "state-versions": "none"}),
        (
            {"planJob": True, "approveJob": True, "manageJob": True, "manageState": True},
            "custom",
            {"runs": "apply", "state-versions": "write"},
        ),
    ],
)
async def test_a_team_is_given_access_to_a_workspace(
    owner: GoClient,
    server: Server,
    path: str,
    sent: dict[str, Any],
    level: str,
    custom: dict[str, str],
) -> None:
    await owner.create(f"{path}/team", "team", **team("ops"))
    below = f"{path}/workspace/{server.world.workspace_id}/access"
    made = await owner.create(below, "access", **access("ops", **sent))
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(WorkspaceGrant, made["id"])
    assert (row.level, row.custom) == (level, custom)
    shown = (await owner.get(f"{below}/{made['id']}"))["data"]["attributes"]
    assert shown["name"] == "ops"
    for name, value in sent.items():
        assert shown[name] == value, name


async def test_access_is_found_changed_and_withdrawn(
    owner: GoClient, server: Server, path: str
) -> None:
    for name in ("ops", "dev"):
        await owner.create(f"{path}/team", "team", **team(name))
    below = f"{path}/workspace/{server.world.workspace_id}/access"
    made = await owner.create(below, "access", **access("ops", role="read"))
    await owner.create(below, "access", **access("dev", role="plan"))
    found = await owner.find(below, filter__access="name==ops")
    assert [each["id"] for each in found["data"]] == [made["id"]]
    one = f"{below}/{made['id']}"
    await owner.update(one, "access", **access("ops", role="write"))
    assert (await owner.get(one))["data"]["attributes"]["role"] == "write"
    answer = await owner.update(one, "access", 422, **access("dev", role="write"))
    assert "stays its team's" in fault(answer)
    await owner.delete(one)
    await owner.get(one, 404)


async def test_flags_leave_settings_that_terrakube_has_no_flag_for(
    owner: GoClient, server: Server, path: str
) -> None:
    await owner.create(f"{path}/team", "team", **team("ops"))
    below = f"{path}/workspace/{server.world.workspace_id}/access"
    made = await owner.create(below, "access", **access("ops"))
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(WorkspaceGrant, made["id"])
        row.custom = {"runs": "read", "variables": "write", "state-versions": "read-outputs"}
    await owner.update(f"{below}/{made['id']}", "access", **access("ops", planJob=True))
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(WorkspaceGrant, made["id"])
    expected = {"runs": "plan", "variables": "write", "state-versions": "read-outputs"}
    assert row.custom == expected


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"manageWorkspace": True}, "manageWorkspace"),
        ({"approveJob": True}, "approveJob"),
        ({"role": "king"}, "role"),
        ({"name": "nobody", "role": "read"}, "name"),
    ],
)
async def test_access_that_cannot_be_is_refused(
    owner: GoClient, server: Server, path: str, sent: dict[str, Any], pointer: str
) -> None:
    await owner.create(f"{path}/team", "team", **team("ops"))
    below = f"{path}/workspace/{server.world.workspace_id}/access"
    answer = await owner.create(below, "access", 422, **access("ops", **sent))
    assert answer["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"


@pytest.mark.parametrize(
    ("sent", "level", "custom"),
    [
        ({"role": "admin"}, "admin", {}),
        ({"role": "write"}, "write", {}),
        ({"role": "read"}, "read", {}),
        (
            {"role": "plan"},
            "custom",
            {
                "project-access": {},
                "workspace-access": {
                    "runs": "plan",
                    "variables": "read",
                    "state-versions": "read",
                },
            },
        ),
        (
            {"planJob": True, "manageState": True},
            "custom",
            {
                "project-access": {},
                "workspace-access": {"runs": "plan", "state-versions": "write"},
            },
        ),
    ],
)
async def test_a_team_is_given_access_to_a_project(
    owner: GoClient,
    server: Server,
    path: str,
    sent: dict[str, Any],
    level: str,
    custom: dict[str, Any],
) -> None:
    await owner.create(f"{path}/team", "team", **team("ops"))
    project = await owner.create(f"{path}/project", "project", name="shelf", description=None)
    below = f"{path}/project/{project['id']}/projectAccess"
    made = await owner.create(below, "project_access", **access("ops", **sent))
    assert made["type"] == "project_access"
    async with transaction(server.world.platform.sessions) as session:
        row = await session.get_one(ProjectGrant, made["id"])
    assert (row.level, row.custom) == (level, custom)
    shown = (await owner.get(f"{below}/{made['id']}"))["data"]["attributes"]
    for name, value in {"name": "ops", **sent}.items():
        assert shown[name] == value, name


async def test_access_to_a_project_is_found_changed_and_withdrawn(
    owner: GoClient, path: str
) -> None:
    for name in ("ops", "dev"):
        await owner.create(f"{path}/team", "team", **team(name))
    project = await owner.create(f"{path}/project", "project", name="shelf", description=None)
    below = f"{path}/project/{project['id']}/projectAccess"
    made = await owner.create(below, "project_access", **access("ops", role="read"))
    await owner.create(below, "project_access", **access("dev", role="plan"))
    found = await owner.find(below, filter__project_access="role==plan")
    assert [each["attributes"]["name"] for each in found["data"]] == ["dev"]
    one = f"{below}/{made['id']}"
    await owner.update(one, "project_access", **access("ops", role="write"))
    assert (await owner.get(one))["data"]["attributes"]["role"] == "write"
    answer = await owner.update(one, "project_access", 422, **access("dev", role="write"))
    assert "stays its team's" in fault(answer)
    answer = await owner.update(one, "project_access", 422, **access("ops", role="king"))
    assert "The role is one of" in fault(answer)
    answer = await owner.update(one, "project_access", 422, **access("ops", manageWorkspace=True))
    assert "give the role maintain" in fault(answer)
    await owner.delete(one)
    await owner.get(one, 404)
