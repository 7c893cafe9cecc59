"""`terrakube_workspace_webhook_v2` and `…_webhook_event`, as the provider asks for them."""

from typing import Any

import pytest

from landform.kit.db import transaction
from landform.vcs.models import Hook
from landform.vcs.sealing import seal_hook_secrets
from landform.workspaces.models import WorkspaceRepository
from tests.api.terrakube.client import GoClient, client_of, fault
from tests.api.terrakube.test_operations import UUID, submit
from tests.api.terrakube.test_repositories import Place, place
from tests.api.tfe.server import Server

__all__ = ["place"]

EVENT = {
    "priority": 7,
    "event": "PUSH",
    "branch": "main",
    "path": "live/.*,modules/net/.*[.]tf",
    "pathType": "REGEX",
    "templateId": "tpl-plan",
    "prWorkflowEnabled": False,
    "prApplyEnabled": False,
}


async def planned(place: Place) -> str:
    """Make a workspace on a repository; return its id."""
    made = await place.owner.create(f"{place.path}/workspace", "workspace", **place.sent())
    workspace_id: str = made["id"]
    return workspace_id


async def hooked(place: Place, workspace_id: str) -> str:
    """Make its webhook as the provider does; return its id."""
    below = f"/{place.path}/workspace/{workspace_id}/webhook"
    data = {"type": "webhook", "id": UUID, "attributes": {"migratedV2": False}}
    linked = {"workspace": {"data": {"type": "workspace", "id": workspace_id}}}
    operation = {"op": "add", "href": below, "data": data, "relationships": linked}
    answer = await submit(place.owner, 200, operation)
    webhook_id: str = answer["atomic:results"][0]["data"]["id"]
    return webhook_id


async def add_event(place: Place, webhook_id: str, status: int = 200, /, **changed: Any) -> Any:
    data = {"type": "webhook_event", "id": UUID, "attributes": {**EVENT, **changed}}
    operation = {"op": "add", "href": f"/webhook/{webhook_id}/events", "data": data}
    answer = await submit(place.owner, status, operation)
    return answer["atomic:results"][0]["data"] if status == 200 else answer


async def test_the_provider_makes_reads_changes_and_deletes_a_webhook(place: Place) -> None:
    owner = place.owner
    workspace_id = await planned(place)
    webhook_id = await hooked(place, workspace_id)
    one = f"{place.path}/workspace/{workspace_id}/webhook/{webhook_id}"
    shown = (await owner.get(one))["data"]
    assert (shown["id"], shown["type"]) == (webhook_id, "webhook")
    assert shown["attributes"]["migratedV2"] is False
    assert shown["attributes"]["remoteHookId"] == ""
    assert shown["relationships"]["workspace"]["data"]["id"] == workspace_id
    assert shown["relationships"]["events"]["data"] == []
    assert (await owner.get(f"webhook/{webhook_id}"))["data"] == shown
    below = await owner.get(f"{place.path}/workspace/{workspace_id}/webhook")
    assert below["data"] == shown
    await owner.update(one, "webhook", migratedV2=True)
    assert (await owner.get(one))["data"]["attributes"]["migratedV2"] is True
    assert "has a webhook" in fault(
        await owner.create(f"{place.path}/workspace/{workspace_id}/webhook", "webhook", 409)
    )
    await owner.delete(one)
    await owner.get(one, 404)
    gone = await owner.get(f"{place.path}/workspace/{workspace_id}/webhook")
    assert gone["data"] is None


async def test_the_provider_makes_reads_changes_and_deletes_an_event(place: Place) -> None:
    owner = place.owner
    workspace_id = await planned(place)
    webhook_id = await hooked(place, workspace_id)
    event = await add_event(place, webhook_id)
    read = (await owner.get(f"webhook_event/{event['id']}"))["data"]
    assert read["attributes"] | EVENT == read["attributes"]
    assert read["relationships"]["webhook"]["data"]["id"] == webhook_id
    row = await place.followed(workspace_id)
    assert row is not None
    assert (row.pushes_enabled, row.push_run_kind) == (True, "plan")
    assert row.path_regexes == ["live/.*", "modules/net/.*[.]tf"]
    webhook = (await owner.get(f"webhook/{webhook_id}"))["data"]
    assert webhook["relationships"]["events"]["data"] == [
        {"type": "webhook_event", "id": event["id"]}
    ]
    # To change it, the provider looks the organization up by the workspace.
    workspace = (await owner.get(f"workspace/{workspace_id}"))["data"]
    organization = workspace["relationships"]["organization"]["data"]["id"]
    assert workspace["relationships"]["webhook"]["data"]["id"] == webhook_id
    below = f"organization/{organization}/workspace/{workspace_id}/webhook/{webhook_id}/events"
    changed = {**EVENT, "path": "", "templateId": "", "priority": 0}
    data = {"type": "webhook_event", "id": event["id"], "attributes": changed}
    await submit(owner, 200, {"op": "update", "href": f"/{below}/{event['id']}", "data": data})
    [listed] = (await owner.get(below))["data"]
    assert listed["attributes"] | changed == listed["attributes"]
    await submit(
        owner, 200, {"op": "remove", "href": f"/webhook/{webhook_id}/events/{event['id']}"}
    )
    await owner.get(f"webhook_event/{event['id']}", 404)
    row = await place.followed(workspace_id)
    assert row is not None
    assert (row.pushes_enabled, row.push_run_kind, row.path_regexes) == (False, None, [])


@pytest.mark.parametrize(
    ("changed", "pointer", "words"),
    [
        ({"branch": "feat,fix"}, "branch", "follows branch main"),
        ({"event": "PR_COMMENT"}, "event", "none of PUSH, PULL_REQUEST, RELEASE"),
        ({"templateId": "tpl-mine"}, "templateId", "no template tpl-mine"),
        ({"templateId": "tpl-destroy"}, "templateId", "destroys nothing"),
        ({"pathType": "GLOB"}, "pathType", "none of REGEX, PATTERN"),
        ({"path": "("}, "path", "regular expression"),
        (
            {"event": "PULL_REQUEST", "branch": "", "prApplyEnabled": True},
            "prApplyEnabled",
            "goes with prWorkflowEnabled",
        ),
    ],
)
async def test_what_an_event_cannot_be_is_refused_where_it_is(
    place: Place, changed: dict[str, Any], pointer: str, words: str
) -> None:
    webhook_id = await hooked(place, await planned(place))
    refused = await add_event(place, webhook_id, 422, **changed)
    assert words in fault(refused)
    assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_a_pull_requests_event_lets_who_may_apply_do_so_by_a_comment(place: Place) -> None:
    workspace_id = await planned(place)
    webhook_id = await hooked(place, workspace_id)
    sent = {"event": "PULL_REQUEST", "branch": ".*", "prWorkflowEnabled": True}
    files = {"path": "live/*,a?.tf", "pathType": "PATTERN"}
    event = await add_event(place, webhook_id, **sent, **files, prApplyEnabled=True)
    assert event["attributes"]["prApplyEnabled"]
    assert event["attributes"]["path"] == "live/*,a?.tf"
    assert event["attributes"]["templateId"] == "tpl-plan"
    row = await place.followed(workspace_id)
    assert row is not None
    assert row.applies_by_comment
    assert row.pull_path_regexes == [r"live\/.*", r"a.\.tf"]


async def test_events_are_filtered_included_and_sparse(place: Place) -> None:
    webhook_id = await hooked(place, await planned(place))
    push = await add_event(place, webhook_id)
    await add_event(place, webhook_id, event="PULL_REQUEST", branch="")
    below = f"webhook/{webhook_id}/events"
    found = await place.owner.find(below, filter__webhook_event="event==PUSH")
    assert [each["id"] for each in found["data"]] == [push["id"]]
    await place.owner.find(below, 400, filter="templateId==x")
    whole = await place.owner.find(f"webhook/{webhook_id}", include="events,workspace")
    assert sorted(each["type"] for each in whole["included"]) == [
        "webhook_event",
        "webhook_event",
        "workspace",
    ]
    sparse = await place.owner.find(below, fields__webhook_event="path")
    assert {tuple(each["attributes"]) for each in sparse["data"]} == {("path",)}


async def test_the_hook_at_the_provider_is_shown_once_it_is_made(place: Place) -> None:
    workspace_id = await planned(place)
    webhook_id = await hooked(place, workspace_id)
    platform = place.server.world.platform
    async with transaction(platform.sessions) as session:
        row = await session.get_one(WorkspaceRepository, workspace_id)
        hook = Hook(
            id="hook-1",
            connection_id=row.connection_id,
            repository_id=row.repository_id,
            sealed_secrets=seal_hook_secrets(platform.keyring, "hook-1", ["s"]),
            remote=[{"id": "a"}, {"id": "b"}],
        )
        session.add(hook)
    shown = (await place.owner.get(f"webhook/{webhook_id}"))["data"]["attributes"]
    assert shown["remoteHookId"] == "a,b"


async def test_what_clients_of_old_said_of_a_webhook_is_refused_by_name(place: Place) -> None:
    below = f"{place.path}/workspace/{await planned(place)}/webhook"
    for name in ("path", "branch", "templateId", "event", "remoteHookId"):
        refused = await place.owner.create(below, "webhook", 422, **{name: "x"})
        assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{name}"


async def test_a_workspace_without_a_repository_has_no_webhook(
    owner: GoClient, server: Server, path: str
) -> None:
    below = f"{path}/workspace/{server.world.workspace_id}/webhook"
    assert "from no repository" in fault(await owner.create(below, "webhook", 409))


async def test_a_webhook_is_found_in_its_own_workspace_and_by_whom_may_see_it(
    place: Place,
) -> None:
    workspace_id = await planned(place)
    webhook_id = await hooked(place, workspace_id)
    event = await add_event(place, webhook_id)
    other = f"{place.path}/workspace/{place.server.world.workspace_id}/webhook/{webhook_id}"
    await place.owner.get(other, 404)
    await place.owner.get(f"{other}/events/{event['id']}", 404)
    reader = client_of(place.server, await place.server.stranger())
    for address in (f"webhook/{webhook_id}", f"webhook_event/{event['id']}"):
        await reader.get(address, 404)
