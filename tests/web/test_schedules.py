"""Runs that start by themselves, on a page."""

import re

from sqlalchemy import update

from landform.kit.clock import now
from landform.kit.db import transaction
from landform.runs import locks
from landform.schedules.models import Schedule
from landform.schedules.ticking import run_due
from landform.workspaces.models import Workspace
from tests.web.pages import Site

FIELDS = {
    "cron": "30 3 * * MON-FRI",
    "time_zone": "Europe/Berlin",
    "run_kind": "confirmed-apply",
    "description": "Picks up <new> images",
}


async def page_of(site: Site) -> str:
    workspace: Workspace = await site.world.workspace()
    return f"/app/{site.world.organization}/{workspace.name}/settings/schedules"


async def test_a_run_is_scheduled_switched_off_and_on_and_removed(site: Site) -> None:
    path = await page_of(site)
    assert "None yet" in await site.owner.get(path)
    assert path in await site.owner.get(path.removesuffix("/schedules"))
    shown = await site.owner.post(path, FIELDS)
    for said in ("30 3 * * MON-FRI", "Picks up &lt;new&gt; images", "03:30 (Europe/Berlin)"):
        assert said in shown
    assert f"for {site.world.owner.name}" in shown
    found = re.search(r"settings/schedules/(sch-\w+)", shown)
    assert found is not None
    one = f"{path}/{found[1]}"
    assert "Off ·" in await site.owner.post(one, {"deed": "off"}, of=path)
    assert "03:30 (Europe/Berlin)" in await site.owner.post(one, {"deed": "on"}, of=path)
    assert "on or off" in await site.owner.post(one, {"deed": "x"}, of=path)
    assert "None yet" in await site.owner.post(one, {"deed": "remove"}, of=path)
    await site.owner.post(one, {"deed": "remove"}, of=path, status=404)


async def test_what_cannot_be_scheduled_is_said_and_what_was_typed_is_still_there(
    site: Site,
) -> None:
    path = await page_of(site)
    shown = await site.owner.post(path, {**FIELDS, "cron": "* * * * *"}, status=422)
    for said in ("within 5 minutes", 'value="* * * * *"', 'value="Europe/Berlin"', "None yet"):
        assert said in shown
    shown = await site.owner.post(path, {**FIELDS, "run_kind": "x"}, status=422)
    assert "Say what is to be run" in shown


async def test_why_a_time_brought_no_run_is_said(site: Site) -> None:
    path = await page_of(site)
    await site.owner.post(path, FIELDS)
    await site.world.on_workspace(locks.lock, reason="Hands off.")
    platform = site.world.platform
    async with transaction(platform.sessions) as session:
        await session.execute(update(Schedule).values(next_at=now()))
    assert await run_due(platform.sessions, platform.keyring) == 1
    assert "no run: The workspace was locked." in await site.owner.get(path)
