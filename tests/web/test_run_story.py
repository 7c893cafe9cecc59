"""What the page of a run tells of why, of waits, and of what an apply has done."""

import re
from datetime import timedelta

import msgspec
import pytest

from landform.contract import LogStream, Outcome
from landform.identity.actor import SYSTEM
from landform.kit.db import transaction
from landform.runs import attempts
from landform.runs.models import Run
from landform.web import run_reading
from landform.workspaces.models import Workspace
from tests import factories
from tests.files import make_state
from tests.web.pages import Site, text_of
from tests.web.test_runs import applying, planned


async def test_what_an_apply_that_failed_has_done_is_counted_and_nothing_goes_on(
    site: Site,
) -> None:
    run_id, job = await applying(site)
    at = "2026-11-25T10:00:0"

    def said(kind: str, second: float, address: str, action: str) -> bytes:
        hook = {"resource": {"addr": address}, "action": action, "elapsed_seconds": 0}
        line = {"type": kind, "@timestamp": f"{at}{second}00000Z", "hook": hook}
        return msgspec.json.encode(line) + b"\n"

    log = (
        said("apply_start", 0.0, "null_resource.old", "delete")
        + said("apply_complete", 0.3, "null_resource.old", "delete")
        + said("apply_start", 1.0, "data.http.site", "read")
    )
    await site.world.append(job, 0, log, LogStream.JSON)
    here = f"{await site.place()}/runs/{run_id}"
    assert "1 of 3 done Reading data.http.site" in text_of(await site.owner.get(here))
    await site.world.finish(job, outcome=Outcome.ERRORED, error="It cannot be read.")
    page = await site.owner.get(here)
    text = text_of(page).replace("\N{MINUS SIGN}", "-")
    assert "0 added ~ 0 changed - 1 destroyed 1 of 3 done" in text
    assert "Not finished data.http.site Destroyed null_resource.old 0.3 s" in text
    assert "data-since" not in page.split('id="run-apply"')[1]


async def test_an_apply_ends_with_its_outputs_and_its_state_for_those_who_may_see_them(
    site: Site,
) -> None:
    run_id, job = await applying(site)
    outputs = {
        "url": {"sensitive": False, "value": {"host": "x.example"}},
        "password": {"sensitive": True, "value": "hush"},
    }
    log = msgspec.json.encode({"type": "outputs", "outputs": outputs}) + b"\n"
    await site.world.append(job, 0, log, LogStream.JSON)
    await attempts.put_state(site.world.platform, job, make_state(1), final=True)
    await site.world.finish(job)
    here = f"{await site.place()}/runs/{run_id}"
    page = await site.owner.get(here)
    state = await site.world.current_state()
    assert 'password (sensitive) url {"host": "x.example"} It saved this state' in text_of(page)
    assert f'{await site.place()}/states/{state.id}"' in page
    assert "hush" not in page
    workspace = await site.world.workspace()
    async with transaction(site.world.platform.sessions) as session:
        actor = await factories.make_actor(
            session, workspace, "custom", {"workspace-access": {"runs": "read"}}
        )
    shown = await (await site.browser(actor)).get(here)
    assert "x.example" not in shown
    assert "It saved" not in shown


async def test_a_resource_whose_end_is_beyond_what_is_read_of_a_huge_log_is_not_at_work(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_reading, "_PROGRESS_LIMIT", 1000)
    monkeypatch.setattr(run_reading, "_PROGRESS_CHUNK", 1000)
    run_id, job = await applying(site)
    lines = [
        {"type": kind, "hook": {"resource": {"addr": address}, "action": "create"}}
        for kind, address in (
            ("apply_start", "null_resource.early"),
            *[("provision_progress", "null_resource.early")] * 100,
            ("apply_complete", "null_resource.early"),
            *[("provision_progress", "null_resource.late")] * 100,
            ("apply_start", "null_resource.late"),
        )
    ]
    log = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    await site.world.append(job, 0, log, LogStream.JSON)
    here = f"{await site.place()}/runs/{run_id}"
    assert "Creating null_resource.late" in text_of(await site.owner.get(here))
    await site.world.finish(job)
    text = text_of(await site.owner.get(here))
    assert "Created null_resource.early" in text
    assert "Creating" not in text


async def test_a_run_says_all_of_why_it_was_started(site: Site) -> None:
    run_id = await site.world.create(message="Open the port\n\nAs asked for in OPS-12:\n- 443")
    text = text_of(await site.owner.get(f"{await site.place()}/runs/{run_id}"))
    assert "As asked for in OPS-12: - 443" in text


async def test_a_run_says_for_what_it_waited_and_how_long(site: Site) -> None:
    first = await site.world.create()
    second = await site.world.create()
    job = await site.world.must_begin(first)
    await site.world.finish(job)
    async with transaction(site.world.platform.sessions) as session:
        run = await session.get_one(Run, second)
        run.created_at -= timedelta(seconds=65)
    await site.world.discard(first)
    await site.world.must_begin(second)
    text = text_of(await site.owner.get(f"{await site.place()}/runs/{second}"))
    assert re.search(rf"1 min \d+ s for its turn after {first}, \d+(\.\d)? s for a worker", text)


async def test_what_is_run_again_where_nobody_is_asked_says_what_it_destroyed(site: Site) -> None:
    run_id = await planned(site)
    await site.world.discard(run_id)
    ask = f"{await site.place()}/runs/{run_id}?ask=retry"
    assert "applies by itself" not in await site.owner.get(ask)
    async with transaction(site.world.platform.sessions) as session:
        (await session.get_one(Workspace, site.world.workspace_id)).auto_apply = True
    text = text_of(await site.owner.get(ask)).replace("\N{MINUS SIGN}", "-")
    assert "was to destroy 2 resources: - null_resource.old - module.net.aws_subnet.a" in text
    assert "applies by itself" in await site.owner.get(f"{await site.place()}/runs/new")


async def test_destroying_everything_is_asked_first_also_where_a_workspace_applies_by_itself(
    site: Site,
) -> None:
    async with transaction(site.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, site.world.workspace_id)
        workspace.auto_apply = True
    place = await site.place()
    typed = {"name": workspace.name}
    await site.owner.post(f"{place}/settings/destroy", typed, of=f"{place}/settings")
    await site.owner.post(f"{place}/runs/new", {"kind": "destroy"})
    first = (await site.world.runs())[0]
    await site.world.plan(first.id)
    await site.world.discard(first.id)
    await site.owner.post(f"{place}/runs/{first.id}", {"step": "retry"})
    made = await site.world.runs()
    assert [(run.is_destroy, run.auto_apply) for run in made] == [(True, False)] * 3


async def test_an_apply_of_thousands_shows_the_newest_while_it_goes_on_and_then_all(
    site: Site,
) -> None:
    run_id, job = await applying(site)
    kinds = ("apply_start", "apply_complete")
    lines = [
        {"type": kind, "hook": {"resource": {"addr": f"a.b[{at}]"}, "action": "create"}}
        for at in range(1200)
        for kind in kinds[: 1 if at == 3 else 2]
    ]
    log = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    await site.world.append(job, 0, log, LogStream.JSON)
    here = f"{await site.place()}/runs/{run_id}"
    text = text_of(await site.owner.get(here))
    assert "1,199 of 1,200 done Creating a.b[3]" in text
    assert "Created a.b[1199]" in text
    assert "Created a.b[0]" not in text
    assert "and 1,100 more" in text
    await site.world.finish(job)
    first = await site.owner.get(here)
    assert "Created a.b[0] " in text_of(first)
    assert "1–200 of 1,200" in text_of(first)  # noqa: RUF001 - as it is written there
    assert f'href="{here}?applied=2#run-apply"' in first
    last = text_of(await site.owner.get(f"{here}?applied=6"))
    assert "Created a.b[1199]" in last
    assert "Next" not in last.split("of 1,200")[1].split("Plan")[0]


async def test_wherever_a_run_of_a_repository_is_shown_it_is_by_who_pushed(site: Site) -> None:
    run_id = await planned(site)
    async with transaction(site.world.platform.sessions) as session:
        run = await session.get_one(Run, run_id)
        run.created_by = SYSTEM.id
        await factories.make_ingress(
            session, run.configuration_version_id, branch="main", sender_name="Ann Pusher"
        )
    here = await site.place()
    shown = text_of(await site.owner.get(f"{here}/runs/{run_id}"))
    assert re.search(r"Queued .{0,20}by Ann Pusher", shown), shown
    for path in (here, f"{here}/runs", f"/organizations/{site.world.organization}/runs"):
        assert "Ann Pusher" in text_of(await site.owner.get(path)), path
