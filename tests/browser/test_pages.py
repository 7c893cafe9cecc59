"""Whole tasks in a real browser."""

import json
from pathlib import Path

import msgspec
from fastapi import FastAPI
from playwright.async_api import Page, expect

from landform.contract import LogStream, Phase
from landform.kit.db import transaction
from landform.web.live import HUB
from landform.workspaces.models import Workspace
from tests import factories
from tests.browser.conftest import Desk
from tests.web.listening import all_heard, until
from tests.web.pages import Site
from tests.web.test_runs import planned

AXE = Path(__file__).with_name("axe.min.js")  # axe-core 4.14.1, MPL-2.0
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


async def plan(desk: Desk) -> str:
    return await planned(Site(None, desk.world, None))  # type: ignore[arg-type] # only its world


async def test_a_run_is_confirmed_and_its_apply_watched_without_a_reload(desk: Desk) -> None:
    run_id, world = await plan(desk), desk.world
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    await page.locator("#run-head").get_by_text("Confirm and apply").first.click()
    question = page.get_by_role("dialog", name="Apply this plan?")
    await expect(question).to_contain_text("null_resource.old")
    await question.get_by_role("button", name="Confirm and apply").click()
    await expect(page.get_by_text("Confirmed.")).to_be_visible()
    await page.evaluate("window.stays = true")
    job = await world.must_begin(run_id, Phase.APPLY)
    hook = {"resource": {"addr": "null_resource.a"}, "action": "create"}
    line = {"type": "apply_start", "@timestamp": "2026-11-25T10:00:00Z", "hook": hook}
    await world.append(job, 0, msgspec.json.encode(line) + b"\n", LogStream.JSON)
    hostile = b"<img src=x onerror=window.owned=1>\x1b[31m</span><script>window.owned=1</script>\n"
    await world.append(job, 0, hostile)
    await expect(page.locator("#run-apply")).to_contain_text("Creating")
    await expect(page.locator("#lines-apply")).to_contain_text("<img src=x onerror")
    await world.finish(job)
    await expect(page.locator("#run-head .status")).to_have_text("Applied")
    assert await page.evaluate("window.stays && !window.owned")


async def test_many_who_watch_a_run_have_it_read_once_per_change(desk: Desk, app: FastAPI) -> None:
    run_id, world = await plan(desk), desk.world
    await all_heard(Site(app, world, None))  # type: ignore[arg-type] # nobody's browser
    pages = [await desk.sit() for _ in range(3)]
    for page in pages:
        await page.goto(f"{await desk.place()}/runs/{run_id}")
    await until(lambda: run_id in HUB.watches and HUB.watches[run_id].watchers == len(pages))
    await until(lambda: HUB.watches[run_id].version > 0)
    before = HUB.watches[run_id].version
    await world.discard(run_id)
    for page in pages:
        await expect(page.locator("#run-head .status")).to_have_text("Discarded")
    watch = HUB.watches.get(run_id)
    assert watch is None or watch.version - before <= 2


async def test_variables_are_set_by_keyboard_alone(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/variables")
    await page.get_by_label("Key", exact=True).focus()
    await page.keyboard.type("region")
    await page.keyboard.press("Tab")
    await page.keyboard.type("eu-1")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("region was added.")).to_be_visible()


async def test_the_palette_finds_a_workspace_by_keyboard(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto("/organizations")
    await page.keyboard.press("Control+k")
    name = (await desk.world.workspace()).name
    await page.keyboard.type(name)
    first = page.locator("#found [role=option]").first  # of what was typed so far
    await expect(first).to_contain_text(name)
    await expect(first).to_contain_text("Workspace")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**{await desk.place()}")


async def test_a_run_is_discarded_without_scripts(desk: Desk) -> None:
    run_id = await plan(desk)
    page = await desk.sit(java_script_enabled=False)
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    await page.locator("#run-head").get_by_role("button", name="Discard").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(page.get_by_text("Discarded.")).to_be_visible()
    assert await desk.world.status(run_id) == "discarded"


async def test_another_user_sees_only_what_is_theirs(desk: Desk) -> None:
    world, hidden = desk.world, await desk.world.beside(name="hidden")
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        member = await factories.make_actor(session, workspace, "read")
    page = await desk.sit(member)
    await page.goto(f"/app/{world.organization}")
    await expect(page.locator(f"#row-{workspace.name}")).to_be_visible()
    await expect(page.locator("#row-hidden")).to_have_count(0)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("hidden")
    await expect(page.locator("#found")).to_contain_text("Nothing")
    secret = await hidden.create()
    for path in ("", f"/runs/{secret}", "/states", "/variables", "/settings"):
        answer = await page.goto(f"/app/{world.organization}/hidden{path}")
        assert answer is not None
        assert answer.status == 404, path
    await page.goto(f"{await desk.place()}/runs/{await plan(desk)}")
    await expect(page.locator("#run-head .status")).to_have_text("Needs confirmation")
    await expect(page.get_by_role("button", name="Confirm and apply")).to_have_count(0)


async def faults(page: Page) -> list[str]:
    """Return what axe finds; it comes in by the debugger, as the page's own policy forbids it."""
    debugger = await page.context.new_cdp_session(page)
    await debugger.send("Runtime.evaluate", {"expression": AXE.read_text()})
    run = f"axe.run({{runOnly: {json.dumps(RULES)}}}).then(r => JSON.stringify(r.violations))"
    asked = {"expression": run, "awaitPromise": True, "returnByValue": True}
    found = await debugger.send("Runtime.evaluate", asked)
    return [
        f"{each['id']}: {each['nodes'][0]['html']}" for each in json.loads(found["result"]["value"])
    ]


async def test_a_new_notification_asks_only_for_what_its_kind_needs(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/settings/notifications")
    address, token, people = (page.get_by_label(each) for each in ("Address", "Token", "People"))
    for kind, shown in (
        ("slack", [address]),
        ("generic", [address, token]),
        ("email", [people]),
    ):
        await page.get_by_label("Where to").select_option(kind)
        for one in (address, token, people):
            await expect(one).to_be_visible(visible=one in shown)
