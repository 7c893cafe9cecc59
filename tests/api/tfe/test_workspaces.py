"""Workspaces through the API."""

from typing import Any

import pytest

from landform.kit.db import transaction
from landform.workspaces.models import ExecutionMode, Workspace
from tests.api.tfe.people import detail, ids, names, related
from tests.api.tfe.server import Server
from tests.files import make_state, resource

KIND = "workspaces"


async def test_init_makes_a_workspace_by_name_and_sets_its_version(
    server: Server, listed: str
) -> None:
    owner = server.owner
    await owner.get(f"{listed}/fresh", 404)
    made = await owner.post(listed, KIND, name="fresh")
    workspace = f"workspaces/{made['data']['id']}"
    changed = await owner.patch(workspace, KIND, terraform_version="1.11.4")
    assert changed["data"]["attributes"]["terraform-version"] == "1.11.4"
    await owner.get(f"{workspace}/current-state-version", 404)
    shown = await owner.get(f"{listed}/FRESH")
    assert shown["data"]["id"] == made["data"]["id"]
    assert related(shown, "organization")["id"] == server.world.organization


async def test_init_makes_a_workspace_with_tags_in_its_linkages(
    server: Server, listed: str
) -> None:
    body = {
        "data": {
            "type": KIND,
            "attributes": {"name": "tagged"},
            "relationships": {
                "tags": {"data": [{"type": "tags", "attributes": {"name": "app"}}]},
                "tag-bindings": {
                    "data": [
                        {"type": "tag-bindings", "attributes": {"key": "stage", "value": "dev"}}
                    ]
                },
            },
        }
    }
    made = await server.owner.ask("POST", listed, 201, body=body)
    assert made["data"]["attributes"]["tag-names"] == ["app"]
    bindings = await server.owner.get(f"workspaces/{made['data']['id']}/tag-bindings")
    assert {(b["attributes"]["key"], b["attributes"]["value"]) for b in bindings["data"]} == {
        ("app", ""),
        ("stage", "dev"),
    }
    for parameters, count in (
        ({"search[tags]": "app"}, 1),
        ({"search[tags]": "app,stage"}, 1),
        ({"search[tags]": "app,other"}, 0),
        ({"filter[tagged][0][key]": "stage", "filter[tagged][0][value]": "dev"}, 1),
        ({"filter[tagged][0][key]": "stage", "filter[tagged][0][value]": "live"}, 0),
        ({"search[exclude-tags]": "app"}, 1),
        ({"search[name]": "TAG"}, 1),
        ({"search[name]": "%"}, 0),
        ({"search[wildcard-name]": "t*d"}, 1),
        ({"filter[project][id]": "prj-none"}, 0),
    ):
        assert len(ids(await server.owner.get(listed, **parameters))) == count, parameters


async def test_workspaces_are_sorted_as_asked(server: Server, listed: str) -> None:
    for name in ("beta", "alpha"):
        await server.owner.post(listed, KIND, name=name)
    own = (await server.world.workspace()).name
    assert names(await server.owner.get(listed)) == ["alpha", "beta", own]
    assert names(await server.owner.get(listed, sort="-name")) == [own, "beta", "alpha"]
    assert names(await server.owner.get(listed, sort="-created-at")) == ["alpha", "beta", own]


@pytest.mark.parametrize(
    ("sent", "attribute"),
    [
        ({"name": "two words"}, "name"),
        ({"name": "x" * 91}, "name"),
        ({"terraform-version": "newest"}, "terraform-version"),
        ({"working-directory": "../out"}, "working-directory"),
        ({"working-directory": "/etc"}, "working-directory"),
        ({"execution-mode": "cloudy"}, "execution-mode"),
        ({"execution-mode": "agent"}, "execution-mode"),
        ({"assessments-enabled": True}, "assessments-enabled"),
        ({"agent-pool-id": "apool-1"}, "agent-pool-id"),
        ({"auto-destroy-at": "2030-01-01T00:00:00Z"}, "auto-destroy-at"),
        ({"auto-destroy-activity-duration": "14d"}, "auto-destroy-activity-duration"),
        (
            {"setting-overwrites": {"execution-mode": False}, "execution-mode": "local"},
            "setting-overwrites",
        ),
        ({"setting-overwrites": {"terraform-version": False}}, "setting-overwrites"),
        ({"auto-apply": "yes"}, "auto-apply"),
        ({"engine": "pulumi"}, "engine"),
        ({"trigger-prefixes": "one"}, "trigger-prefixes"),
        ({"description": "x" * 5000}, "description"),
    ],
)
async def test_a_setting_that_cannot_be_is_pointed_at(
    server: Server, path: str, sent: dict[str, Any], attribute: str
) -> None:
    before = await server.world.snapshot()
    refused = await server.owner.patch(path, KIND, 422, **sent)
    assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{attribute}"
    assert await server.world.snapshot() == before


async def test_what_is_not_offered_yet_may_be_given_as_the_nothing_it_is(
    server: Server, path: str, listed: str
) -> None:
    nothing: dict[str, Any] = {
        "assessments-enabled": False,
        "agent-pool-id": "",
        "auto-destroy-at": None,
        "auto-destroy-activity-duration": None,
        "setting-overwrites": {"execution-mode": True, "agent-pool": False},
    }
    await server.owner.patch(path, KIND, **nothing)
    default = {"execution-mode": False, "agent-pool": False}
    await server.owner.post(listed, KIND, name="plain", setting_overwrites=default)
    changed = await server.owner.patch(
        path, KIND, execution_mode="local", setting_overwrites={"execution-mode": True}
    )
    assert changed["data"]["attributes"]["execution-mode"] == "local"


async def test_an_update_replaces_the_tags_it_is_given(server: Server, path: str) -> None:
    def body(kind: str, *tags: tuple[str, str]) -> dict[str, Any]:
        bindings = [
            {"type": "tag-bindings", "attributes": {"key": key, "value": value}}
            for key, value in tags
        ]
        return {"data": {"type": kind, "relationships": {"tag-bindings": {"data": bindings}}}}

    workspace = await server.world.workspace()
    for where, kind in ((path, KIND), (f"projects/{workspace.project_id}", "projects")):
        for wanted in ([("a", "1"), ("b", "")], [("b", "2")], []):
            await server.owner.ask("PATCH", where, 200, body=body(kind, *wanted))
            bound = await server.owner.get(f"{where}/tag-bindings")
            found = [(b["attributes"]["key"], b["attributes"]["value"]) for b in bound["data"]]
            assert found == wanted
        await server.owner.ask("PATCH", where, 200, body=body(kind, ("kept", "")))
        await server.owner.patch(where, kind, description="none of the tags")
        assert len((await server.owner.get(f"{where}/tag-bindings"))["data"]) == 1


async def test_outputs_of_the_newest_state_are_included_without_what_is_sensitive(
    server: Server, path: str, listed: str
) -> None:
    outputs = {
        "color": {"value": "red", "type": "string"},
        "key": {"value": "s3cret", "type": "string", "sensitive": True},
    }
    run_id = await server.world.create(auto_apply=True)
    await server.world.plan(run_id)
    await server.world.apply(run_id, make_state(outputs=outputs))
    shown = await server.owner.get(path, include="outputs")
    found = {each["attributes"]["name"]: each for each in shown["included"]}
    assert {each["type"] for each in found.values()} == {"workspace-outputs"}
    assert found["color"]["attributes"] == {
        "name": "color",
        "output-type": "string",
        "sensitive": False,
        "value": "red",
    }
    assert found["key"]["attributes"]["value"] is None
    linked = [each["id"] for each in related(shown, "outputs")]
    assert linked == [found["color"]["id"], found["key"]["id"]]
    whole = await server.owner.get(f"state-version-outputs/{found['key']['id']}")
    assert whole["data"]["attributes"]["value"] == "s3cret"
    await server.owner.post(listed, KIND, name="without")
    page = await server.owner.get(listed, include="outputs,readme,current_configuration_version")
    kinds = [each["type"] for each in page["included"]]
    assert sorted(kinds) == ["configuration-versions", "workspace-outputs", "workspace-outputs"]
    blind = await server.caller("custom", {"runs": "read"})
    shown = await blind.get(path, include="outputs")
    assert (related(shown, "outputs"), shown["included"]) == ([], [])


async def test_workspaces_are_found_and_sorted_by_the_run_they_are_at(
    server: Server, listed: str
) -> None:
    other = await server.world.beside()
    own, newer = (await server.world.workspace()).name, (await other.workspace()).name
    await server.world.create()
    await other.plan(await other.create())
    for status, wanted in (("planned", [newer]), ("plan_queued", [own]), ("applied", [])):
        wanted_status = {"filter[current-run][status]": status}
        page = await server.owner.get(listed, sort="-created-at", **wanted_status)
        assert names(page) == wanted
    key = "current-run.created-at"
    assert names(await server.owner.get(listed, sort=key)) == [own, newer]
    assert names(await server.owner.get(listed, sort=f"-{key}")) == [newer, own]
    await server.owner.get(listed, 422, **{"filter[current-run][status]": "tired"})


async def test_an_organization_can_leave_the_force_delete_of_what_manages_resources_to_its_owners(
    server: Server, path: str
) -> None:
    admin = await server.caller("admin")
    run_id = await server.world.create(auto_apply=True)
    await server.world.plan(run_id)
    await server.world.apply(run_id, make_state(resources=[resource()]))
    organization = f"organizations/{server.world.organization}"
    await server.owner.patch(organization, "organizations", allow_force_delete_workspaces=False)
    for who, may in ((admin, False), (server.owner, True)):
        held = (await who.get(path))["data"]["attributes"]["permissions"]
        assert held["can-force-delete"] is may
    refused = await admin.ask("DELETE", path, 403)
    assert "leaves it to its owners" in detail(refused)
    await server.owner.ask("DELETE", path, 204)


async def test_a_name_that_is_taken_is_refused_in_whatever_case(
    server: Server, listed: str
) -> None:
    name = (await server.world.workspace()).name.upper()
    refused = await server.owner.post(listed, KIND, 422, name=name)
    assert "has already been taken" in detail(refused)


@pytest.mark.parametrize(("sent", "mode"), [(False, "local"), (True, "remote")])
async def test_operations_is_an_older_name_of_the_execution_mode(
    server: Server, path: str, *, sent: bool, mode: str
) -> None:
    changed = await server.owner.patch(path, KIND, operations=sent)
    assert changed["data"]["attributes"]["execution-mode"] == mode
    assert changed["data"]["attributes"]["operations"] is sent


async def test_null_leaves_a_setting_as_it_is(server: Server, path: str) -> None:
    before = await server.owner.get(path)
    await server.owner.patch(path, KIND, name=None, description=None, auto_apply=None)
    assert (await server.owner.get(path))["data"]["attributes"] == before["data"]["attributes"]


async def test_a_tool_is_chosen_by_who_makes_the_workspace(server: Server, listed: str) -> None:
    for agent, engine in (("go-tfe", "terraform"), ("OpenTofu/1.9.0 (+…)", "tofu")):
        body = {"data": {"type": KIND, "attributes": {"name": engine}}}
        headers = {"Authorization": f"Bearer {server.owner.token}", "User-Agent": agent}
        answer = await server.http.post(
            f"/api/v2/{listed}",
            json=body,
            headers={name.encode(): value.encode() for name, value in headers.items()},
        )
        assert answer.json()["data"]["attributes"]["engine"] == engine


async def test_the_cli_locks_reads_and_unlocks(server: Server, path: str) -> None:
    locked = await server.owner.post(f"{path}/actions/lock", "", 200)
    assert related(locked, "locked-by") == {"type": "users", "id": server.owner.id}
    assert locked["data"]["attributes"]["locked"]
    refused = await server.owner.post(f"{path}/actions/lock", "", 409)
    assert "already locked" in detail(refused)
    other = await server.caller("write")
    refused = await other.post(f"{path}/actions/unlock", "", 409)
    assert "locked by User" in detail(refused)
    await other.post(f"{path}/actions/force-unlock", "", 403)
    unlocked = await server.owner.post(f"{path}/actions/unlock", "", 200)
    assert not unlocked["data"]["attributes"]["locked"]
    assert related(unlocked, "locked-by") is None
    refused = await server.owner.post(f"{path}/actions/unlock", "", 409)
    assert "already unlocked" in detail(refused)


async def test_the_lock_of_a_run_is_named_as_the_run_s(server: Server, path: str) -> None:
    run_id = await server.world.create()
    shown = await server.owner.get(path)
    assert related(shown, "locked-by") == {"type": "runs", "id": run_id}
    assert related(shown, "current-run") == {"type": "runs", "id": run_id}
    refused = await server.owner.post(f"{path}/actions/lock", "", 409)
    assert f"locked by Run {run_id}" in detail(refused)


async def test_safe_delete_asks_what_force_does_not(server: Server, listed: str) -> None:
    world, owner = server.world, server.owner
    name = (await world.workspace()).name
    await owner.post(f"workspaces/{world.workspace_id}/actions/lock", "", 200)
    await world.save_state(make_state(1, resources=[resource()]), serial=1)
    refused = await owner.post(f"{listed}/{name}/actions/safe-delete", "", 409)
    assert "is locked; unlock it first" in detail(refused)
    await owner.post(f"workspaces/{world.workspace_id}/actions/unlock", "", 200)
    refused = await owner.post(f"{listed}/{name}/actions/safe-delete", "", 409)
    assert "still manages 1 resources" in detail(refused)
    await owner.delete(f"{listed}/{name}")
    await owner.get(f"{listed}/{name}", 404)


async def test_a_workspace_at_work_is_not_deleted(server: Server, path: str) -> None:
    run_id = await server.world.create()
    assert run_id in detail(await server.owner.delete(path, 409))
    await server.world.cancel(run_id)
    await server.owner.post(f"{path}/actions/safe-delete", "", 204)


@pytest.mark.parametrize(
    ("include", "types"),
    [
        ("organization", {"organizations"}),
        ("project", {"projects"}),
        ("current_run", {"runs"}),
        ("current_run.plan", {"runs", "plans"}),
        ("current_run.configuration_version", {"runs", "configuration-versions"}),
        ("current_state_version", {"state-versions"}),
        ("current_state_version.outputs", {"state-versions"}),
        ("locked_by", {"runs"}),
    ],
)
async def test_what_clients_include_comes_along(
    server: Server, path: str, include: str, types: set[str]
) -> None:
    await server.owner.post(f"{path}/actions/lock", "", 200)
    await server.world.save_state(make_state(1), serial=1)
    await server.owner.post(f"{path}/actions/unlock", "", 200)
    await server.world.create()
    found = await server.owner.get(path, include=include)
    assert {each["type"] for each in found["included"]} == types


async def test_what_the_caller_may_not_see_is_left_out_of_what_comes_along(
    server: Server, path: str
) -> None:
    await server.owner.post(f"{path}/actions/lock", "", 200)
    await server.world.save_state(make_state(1), serial=1)
    blind = await server.caller("custom", {"runs": "read"})
    found = await blind.get(path, include="project,current_state_version,organization")
    assert {each["type"] for each in found.get("included", [])} == {"organizations"}


async def test_permissions_are_those_of_who_asks(server: Server, path: str) -> None:
    for level, may_plan, may_apply, may_update in (
        ("read", False, False, False),
        ("plan", True, False, False),
        ("write", True, True, False),
        ("admin", True, True, True),
    ):
        caller = await server.caller(level)
        held = (await caller.get(path))["data"]["attributes"]["permissions"]
        assert held["can-queue-run"] is may_plan
        assert held["can-queue-apply"] is may_apply
        assert held["can-update"] is may_update
        assert "can-force-delete" in held


async def test_a_list_shows_what_the_caller_may_see(server: Server, listed: str) -> None:
    await server.world.beside()
    assert len(ids(await server.owner.get(listed))) == 2
    reader = await server.caller("read")
    assert ids(await reader.get(listed)) == [server.world.workspace_id]
    await (await server.stranger()).get(listed, 404)


async def test_tags_are_added_and_taken_away(server: Server, path: str) -> None:
    body = {"data": [{"type": "tags", "attributes": {"name": name}} for name in ("one", "two")]}
    await server.owner.ask("POST", f"{path}/relationships/tags", 204, body=body)
    shown = await server.read(f"{path}/relationships/tags")
    assert names(shown) == ["one", "two"]
    body = {"data": [{"type": "tags", "attributes": {"name": "one"}}]}
    await server.owner.ask("DELETE", f"{path}/relationships/tags", 204, body=body)
    assert names(await server.read(f"{path}/relationships/tags")) == ["two"]


async def test_tag_bindings_are_changed_and_inherited(server: Server, path: str) -> None:
    project = (await server.world.workspace()).project_id
    for where, key, value in (
        (f"projects/{project}", "team", "blue"),
        (path, "stage", "dev"),
    ):
        body = {"data": [{"type": "tag-bindings", "attributes": {"key": key, "value": value}}]}
        changed = await server.owner.ask("PATCH", f"{where}/tag-bindings", 200, body=body)
        assert names(changed, "key") == [key]
    effective = await server.owner.get(f"{path}/effective-tag-bindings")
    assert sorted(names(effective, "key")) == ["stage", "team"]


async def test_a_workspace_with_local_execution_tells_clients_to_run_themselves(
    server: Server, path: str
) -> None:
    async with transaction(server.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, server.world.workspace_id)
        workspace.execution_mode = ExecutionMode.LOCAL
    attributes = (await server.owner.get(path))["data"]["attributes"]
    assert (attributes["execution-mode"], attributes["operations"]) == ("local", False)
