"""Agent pools, agents and their tokens, as go-tfe and the tfe provider ask for them."""

from datetime import timedelta
from typing import Any

import pytest

from landform.agents.models import Agent, Farewell
from landform.kit.clock import now, rfc3339
from landform.kit.db import transaction
from tests.api.tfe.people import ids, related
from tests.api.tfe.server import Server
from tests.runs.pools import Member, Pool
from tests.world import World

KIND = "agent-pools"


@pytest.fixture
def listed(server: Server) -> str:
    return f"organizations/{server.world.organization}/agent-pools"


async def make(server: Server, listed: str, name: str = "site", **sent: Any) -> Any:
    return (await server.owner.post(listed, KIND, name=name, **sent))["data"]


def named(*ids: str, kind: str = "workspaces") -> dict[str, Any]:
    return {"data": [{"type": kind, "id": each} for each in ids]}


async def test_a_pool_is_made_changed_listed_and_deleted(server: Server, listed: str) -> None:
    owner, world = server.owner, server.world
    made = await make(server, listed)
    assert made["attributes"]["organization-scoped"] is True
    assert made["attributes"]["agent-count"] == 0
    assert made["relationships"]["organization"]["data"]["id"] == world.organization
    path = f"agent-pools/{made['id']}"
    changed = await owner.patch(
        path,
        KIND,
        name="narrow",
        organization_scoped=False,
        relationships={
            "allowed-workspaces": named(world.workspace_id),
            "allowed-projects": named((await world.workspace()).project_id, kind="projects"),
            "excluded-workspaces": named(world.workspace_id),
        },
    )
    assert changed["data"]["attributes"]["name"] == "narrow"
    assert (await owner.get(path))["data"] == changed["data"]
    for relationship in ("allowed-workspaces", "excluded-workspaces"):
        assert related(changed, relationship) == [{"type": "workspaces", "id": world.workspace_id}]
    emptied = await owner.patch(path, KIND, relationships={"allowed-workspaces": named()})
    assert related(emptied, "allowed-workspaces") == []
    assert related(emptied, "allowed-projects") != []  # what is not mentioned stays
    await owner.post(listed, KIND, 422, name="NARROW")
    await owner.post(listed, KIND, 422, name="two words")
    await owner.delete(path)
    await owner.get(path, 404)


async def test_pools_are_found_by_name_by_age_and_by_what_they_allow(
    server: Server, listed: str
) -> None:
    owner, workspace = server.owner, await server.world.workspace()
    first = await make(
        server, listed, "zeta", relationships={"allowed-workspaces": named(workspace.id)}
    )
    second = await make(server, listed, "alpha")
    assert ids(await owner.get(listed)) == [second["id"], first["id"]]
    assert ids(await owner.get(listed, sort="created-at")) == [first["id"], second["id"]]
    assert ids(await owner.get(listed, sort="-created-at")) == [second["id"], first["id"]]
    assert ids(await owner.get(listed, q="ET")) == [first["id"]]
    asked = {"filter[allowed_workspaces][name]": workspace.name}
    assert ids(await owner.get(listed, **asked)) == [first["id"]]
    assert ids(await owner.get(listed, **{"filter[allowed_projects][name]": "none"})) == []


async def test_a_token_is_shown_once_and_joins_the_pool(server: Server, listed: str) -> None:
    owner = server.owner
    pool = await make(server, listed)
    path = f"agent-pools/{pool['id']}/authentication-tokens"
    made = await owner.post(path, "agent-tokens", description="a box")  # the type go-tfe sends
    token = made["data"]["attributes"]["token"]
    assert token.startswith("lfa_")
    shown = await owner.get(path)
    assert ids(shown) == [made["data"]["id"]]
    assert "token" not in shown["data"][0]["attributes"]
    one = f"authentication-tokens/{made['data']['id']}"
    assert (await owner.get(one))["data"]["attributes"]["description"] == "a box"
    await owner.post(path, "agent-tokens", 422, description="")
    await owner.delete(one)
    assert ids(await owner.get(path)) == []


async def test_agents_are_shown_with_what_they_are_at(server: Server) -> None:
    pool = await Pool.make(server.world)
    far = await pool.workspace()
    idle, busy = await Member(pool).join(), await Member(pool).join()
    await busy.must_begin(await far.create())
    async with transaction(server.world.platform.sessions) as session:
        for name, farewell, age in (
            ("gone", Farewell.EXITED, 0),
            ("broken", Farewell.ERRORED, 0),
            ("silent", None, 2),
        ):
            session.add(
                Agent(
                    id=f"agent-{name}",
                    pool_id=pool.id,
                    name=name,
                    farewell=farewell,
                    seen_at=now() - timedelta(hours=age),
                )
            )
    path = f"agent-pools/{pool.id}/agents"
    found = {each["id"]: each for each in (await server.owner.get(path))["data"]}
    assert {each: found[each]["attributes"]["status"] for each in found} == {
        idle.id: "idle",
        busy.id: "busy",
        "agent-gone": "exited",
        "agent-broken": "errored",
        "agent-silent": "unknown",
    }
    since = {"filter[last-ping-since]": rfc3339(now() - timedelta(hours=1))}
    assert "agent-silent" not in ids(await server.owner.get(path, **since))
    await server.owner.get(path, 422, **{"filter[last-ping-since]": "yesterday"})
    shown = await server.owner.get(f"agent-pools/{pool.id}")
    assert shown["data"]["attributes"]["agent-count"] == 2
    one = f"agents/{idle.id}"
    assert (await server.owner.get(one))["data"] == found[idle.id]
    await server.owner.delete(one)
    await server.owner.get(one, 404)


async def test_a_workspace_is_given_a_pool_by_attribute_or_relationship(
    server: Server, listed: str
) -> None:
    owner, pool = server.owner, await make(server, listed)
    path = f"workspaces/{server.world.workspace_id}"
    changed = await owner.patch(
        path,
        "workspaces",
        execution_mode="agent",
        agent_pool_id=pool["id"],
        setting_overwrites={"execution-mode": True, "agent-pool": True},
    )
    assert changed["data"]["attributes"]["execution-mode"] == "agent"
    assert changed["data"]["attributes"]["operations"] is True
    assert related(changed, "agent-pool") == {"type": KIND, "id": pool["id"]}
    shown = await owner.get(path, include="agent_pool")
    assert [each["id"] for each in shown["included"]] == [pool["id"]]
    assert related(await owner.get(f"agent-pools/{pool['id']}"), "workspaces") == [
        {"type": "workspaces", "id": server.world.workspace_id}
    ]
    await owner.delete(f"agent-pools/{pool['id']}", 409)
    await owner.patch(path, "workspaces", execution_mode="remote")
    assert related(await owner.get(path), "agent-pool") is None
    linked = {"agent-pool": {"data": {"type": KIND, "id": pool["id"]}}}
    changed = await owner.patch(path, "workspaces", execution_mode="agent", relationships=linked)
    assert related(changed, "agent-pool") == {"type": KIND, "id": pool["id"]}


async def test_new_workspaces_have_the_pool_that_is_the_organizations_default(
    server: Server, listed: str
) -> None:
    owner, pool = server.owner, await make(server, listed)
    path = f"organizations/{server.world.organization}"
    linked = {"default-agent-pool": {"data": {"type": KIND, "id": pool["id"]}}}
    changed = await owner.patch(
        path, "organizations", default_execution_mode="agent", relationships=linked
    )
    assert related(changed, "default-agent-pool") == {"type": KIND, "id": pool["id"]}
    made = await owner.post(f"{path}/workspaces", "workspaces", name="fresh")
    assert related(made, "agent-pool") == {"type": KIND, "id": pool["id"]}
    await owner.delete(f"workspaces/{made['data']['id']}")
    await owner.delete(f"agent-pools/{pool['id']}", 409)
    changed = await owner.patch(path, "organizations", default_execution_mode="remote")
    assert related(changed, "default-agent-pool") is None
    await owner.delete(f"agent-pools/{pool['id']}")


async def test_only_who_manages_agent_pools_does(server: Server, listed: str) -> None:
    pool = await make(server, listed)
    admin, stranger = await server.caller("admin"), await server.stranger()
    await admin.get(listed, 403)
    await admin.get(f"agent-pools/{pool['id']}", 404)
    await stranger.get(listed, 404)
    path = f"workspaces/{server.world.workspace_id}"
    changed = await admin.patch(  # who may change a workspace may choose where it runs
        path, "workspaces", execution_mode="agent", agent_pool_id=pool["id"]
    )
    assert related(changed, "agent-pool") == {"type": KIND, "id": pool["id"]}


async def test_what_happens_to_pools_is_in_the_audit_trail(server: Server, world: World) -> None:
    pool = await Pool.make(world)
    await pool.change(name="renamed")
    member = await Member(pool).join()
    assert [each.name for each in await world.events(pool.id)] == [
        "AgentPoolCreated",
        "AgentPoolUpdated",
    ]
    assert [each.name for each in await world.events(member.id)] == ["AgentJoined"]
    [issued] = await world.events(pool.token_id)
    assert (issued.name, issued.organization_id) == ("TokenIssued", world.organization_id)
    assert pool.token not in repr(issued.payload)
