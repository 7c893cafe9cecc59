"""Schedules, as the provider's `terrakube_workspace_schedule` asks for them."""

from typing import Any

import pytest

from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.schedules.models import Schedule
from landform.workspaces.models import Workspace
from tests import factories
from tests.api.terrakube.client import GoClient, client_of, fault
from tests.api.terrakube.test_operations import UUID, add, submit
from tests.api.tfe.server import Server

NIGHTLY = {"cron": "0 30 3 ? * MON-FRI", "templateReference": "tpl-plan"}


@pytest.fixture
def schedules(server: Server) -> str:
    """Where the provider has them: it leaves the organization out."""
    return f"workspace/{server.world.workspace_id}/schedule"


async def test_the_provider_makes_reads_changes_and_deletes_a_schedule(
    owner: GoClient, server: Server, schedules: str
) -> None:
    made = await owner.create(schedules, "schedule", **NIGHTLY)
    assert made["attributes"] | NIGHTLY == made["attributes"]
    one = f"{schedules}/{made['id']}"
    assert (await owner.get(one))["data"] == made
    assert made["relationships"]["workspace"]["data"]["id"] == server.world.workspace_id
    await owner.update(one, "schedule", cron="0 0 4 * * ?", templateReference="tpl-destroy")
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["cron"], shown["templateReference"]) == ("0 0 4 * * ?", "tpl-destroy")
    assert shown["nextDate"] != made["attributes"]["nextDate"]
    await owner.delete(one)
    await owner.get(one, 404)


async def test_a_schedule_says_when_it_comes_in_which_zone_and_for_whom_it_acts(
    owner: GoClient, server: Server, schedules: str
) -> None:
    made = await owner.create(schedules, "schedule", **NIGHTLY, timeZone="Asia/Tokyo")
    shown = made["attributes"]
    assert shown["nextDate"].endswith("T18:30:00Z") or "T18:30:00" in shown["nextDate"]
    assert shown["actsFor"] == shown["createdBy"] == server.world.owner.id
    assert (shown["enabled"], shown["lastJob"], shown["stoppedReason"]) == (True, None, "")


async def test_a_schedule_is_switched_off_and_on_again(owner: GoClient, schedules: str) -> None:
    made = await owner.create(schedules, "schedule", **NIGHTLY, description="Drift")
    one = f"{schedules}/{made['id']}"
    await owner.update(one, "schedule", enabled=False, description=None)
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["nextDate"], shown["description"]) == (None, None)
    await owner.update(one, "schedule", enabled=True)
    assert (await owner.get(one))["data"]["attributes"]["nextDate"]


async def test_schedules_are_filtered_sorted_paged_and_included(
    owner: GoClient, server: Server, schedules: str, path: str
) -> None:
    for hour in (5, 3, 4):
        sent = {**NIGHTLY, "cron": f"0 0 {hour} * * ?"}
        await owner.create(schedules, "schedule", **sent, description=f"At {hour}")
    below = f"{path}/{schedules}"
    names = await owner.names(below, "description=='At 3',cron=='0 0 4*'", attribute="description")
    assert names == ["At 3", "At 4"]
    assert await owner.names(below, "enabled==false", attribute="description") == []
    found = await owner.find(below, sort="-cron", page__number="1", page__size="2")
    assert [each["attributes"]["description"] for each in found["data"]] == ["At 5", "At 4"]
    assert found["meta"]["page"]["totalRecords"] == 3
    sparse = await owner.find(below, fields__schedule="cron")
    assert {tuple(each["attributes"]) for each in sparse["data"]} == {("cron",)}
    whole = await owner.find(f"{path}/workspace/{server.world.workspace_id}", include="schedule")
    assert len([each for each in whole["included"] if each["type"] == "schedule"]) == 3
    await owner.find(below, 400, filter="tcl==x")
    await owner.find(below, 400, sort="tcl")


@pytest.mark.parametrize(
    ("changed", "pointer", "words"),
    [
        ({"cron": "0 * * * * ?"}, "cron", "within 5 minutes"),
        ({"cron": "nightly"}, "cron", "1 fields"),
        ({"cron": ""}, "cron", "Say when"),
        ({"timeZone": "Mars"}, "timeZone", "no time zone"),
        ({"templateReference": "tpl-mine"}, "templateReference", "no template tpl-mine"),
        ({"templateReference": ""}, "templateReference", "templateReference"),
        ({"templateReference": "", "tcl": "Zm9v"}, "tcl", "Templates of one's own"),
    ],
)
async def test_what_a_schedule_cannot_be_is_refused_where_it_is(
    owner: GoClient, schedules: str, changed: dict[str, Any], pointer: str, words: str
) -> None:
    refused = await owner.create(schedules, "schedule", 422, **{**NIGHTLY, **changed})
    assert words in fault(refused)
    assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_a_schedule_is_made_with_its_workspace_in_one_batch(
    owner: GoClient, server: Server, path: str
) -> None:
    answer = await submit(
        owner,
        200,
        add(f"/{path}/workspace", "workspace", known_as=UUID, name="fresh", source="empty"),
        add(f"/workspace/{UUID}/schedule", "schedule", **NIGHTLY),
    )
    workspace, schedule = (each["data"] for each in answer["atomic:results"])
    one = f"/{path}/workspace/{workspace['id']}/schedule/{schedule['id']}"
    off = {
        "op": "update",
        "href": one,
        "data": {"type": "schedule", "attributes": {"enabled": False}},
    }
    await submit(owner, 200, off)
    assert not (await owner.get(one[1:]))["data"]["attributes"]["enabled"]
    await submit(owner, 200, {"op": "remove", "href": one})
    await owner.get(one[1:], 404)


async def test_a_schedule_is_found_in_its_own_workspace_only_and_by_whom_may_see_it(
    owner: GoClient, server: Server, schedules: str, path: str
) -> None:
    made = await owner.create(schedules, "schedule", **NIGHTLY)
    other = await server.world.beside()
    await owner.get(f"workspace/{other.workspace_id}/schedule/{made['id']}", 404)
    async with transaction(server.world.platform.sessions) as session:
        stranger = await factories.make_organization(session)
    await owner.get(f"organization/{stranger.id}/{schedules}", 404)
    await owner.get(f"organization/{stranger.id}/{schedules}/{made['id']}", 404)
    reader = client_of(server, await server.caller("read"))
    await reader.get(f"{schedules}/{made['id']}")
    await reader.update(f"{schedules}/{made['id']}", "schedule", 403, enabled=False)
    await reader.delete(f"{schedules}/{made['id']}", 403)
    await client_of(server, await server.caller("write")).create(
        schedules, "schedule", 403, **NIGHTLY
    )
    async with transaction(server.world.platform.sessions) as session:
        assert await session.get(Schedule, made["id"]) is not None
        assert await session.get(Workspace, server.world.workspace_id) is not None
        assert await session.get(Organization, stranger.id) is not None
