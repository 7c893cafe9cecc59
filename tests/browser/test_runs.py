"""The page of a run in a real browser: what its reader has chosen stays while the run goes on."""

import asyncio
import re

from playwright.async_api import expect

from landform.kit.db import transaction
from landform.runs import service
from landform.runs.models import Run
from tests.browser.conftest import Desk
from tests.web.pages import Site
from tests.web.test_runs import applying, planned

MANY = {
    "resource_changes": [
        {
            "address": f"null_resource.many[{number}]",
            "change": {"actions": ["create"], "before": None, "after": {"n": f"<{number}>"}},
        }
        for number in range(500)
    ]
}


async def say(desk: Desk, run_id: str, text: str) -> None:
    async with transaction(desk.world.platform.sessions) as session:
        await service.add_comment(session, desk.world.owner, run_id, text)


async def test_what_is_found_in_a_plan_stays_found_and_has_an_address(desk: Desk) -> None:
    run_id = await planned(Site(None, desk.world, None), MANY)  # type: ignore[arg-type] # only its world
    page = await desk.sit()
    here = f"{await desk.place()}/runs/{run_id}"
    rows = page.locator("#changes > details")
    await page.goto(f"{here}?page=2")
    await say(desk, run_id, "Told once the page is followed")
    await expect(page.get_by_text("Told once the page is followed")).to_be_visible()
    await expect(rows.first).to_contain_text("many[200]")
    await expect(page.locator("#changes")).to_contain_text("400 of 500")
    await page.get_by_label("Find an address or value").fill("<499>")
    await expect(rows).to_have_count(1)
    await expect(page).to_have_url(f"{desk.url}{here}?find=%3C499%3E")
    await page.reload()
    await say(desk, run_id, "Told after a reload")
    await expect(page.get_by_text("Told after a reload")).to_be_visible()
    await expect(rows).to_have_count(1)
    await page.get_by_label("Find an address or value").fill("")
    await expect(rows).to_have_count(200)
    await expect(page).to_have_url(f"{desk.url}{here}")


async def test_a_change_that_is_unfolded_stays_so_while_the_run_goes_on(desk: Desk) -> None:
    run_id = await planned(Site(None, desk.world, None), MANY)  # type: ignore[arg-type] # only its world
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    change = page.locator("#changes > details").nth(3)
    await change.locator("summary").click()
    await expect(change).to_contain_text('"<3>"')
    await asyncio.gather(desk.world.confirm(run_id), say(desk, run_id, "Told"))
    await expect(page.get_by_text("Told")).to_be_visible()
    await expect(page.locator("#run-head .status")).to_have_text("Apply queued")
    await expect(change).to_contain_text('"<3>"')


async def test_a_log_that_comes_fast_keeps_its_newest_lines_and_the_browser_up(desk: Desk) -> None:
    run_id = await desk.world.create()
    job = await desk.world.must_begin(run_id)
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    at = 0
    for begin in range(0, 10_000, 1000):
        block = b"".join(b"line %d\n" % number for number in range(begin, begin + 1000))
        await desk.world.append(job, at, block)
        at += len(block)
        shown = page.locator("#lines-plan > .log-line").last
        await expect(shown).to_contain_text(f"line {begin + 999}")
    assert await page.locator("#lines-plan > .log-line").count() <= 1900
    log, below = page.locator("#log-plan .log"), "log => log.scrollHeight - log.scrollTop"
    assert await log.evaluate(below) < 2 * await log.evaluate("log => log.clientHeight")
    await log.evaluate("log => log.scrollTop = 0")
    await expect(page.locator("#log-plan .log[data-follow]")).to_have_count(0)
    await desk.world.append(job, at, b"one more\n")
    await expect(shown).to_contain_text("one more")
    assert await log.evaluate("log => log.scrollTop") == 0


async def test_a_folded_log_comes_when_it_is_opened_linked_to_or_searched_for(desk: Desk) -> None:
    run_id, job = await applying(Site(None, desk.world, None))  # type: ignore[arg-type] # only its world
    here = f"{await desk.place()}/runs/{run_id}"
    page = await desk.sit()
    fold, line = page.locator("#log-plan"), page.locator("#plan-L0")
    await page.goto(here)
    await expect(fold).to_have_js_property("open", value=False)
    await expect(line).to_have_count(0)
    await fold.locator("summary").click()
    await expect(line).to_contain_text("One line")
    await page.goto("about:blank")
    await page.goto(f"{here}#plan-L0")
    await expect(fold.locator(".log-line:target")).to_contain_text("One line")
    await expect(line).to_be_in_viewport()
    await desk.world.finish(job)
    await page.goto("about:blank")
    await page.goto(here)
    await page.keyboard.press("Control+f")
    await expect(line).to_have_count(1)
    await expect(fold).to_have_js_property("open", value=False)
    await fold.locator("summary").click()
    await say(desk, run_id, "Told")
    await expect(page.get_by_text("Told")).to_be_visible()
    await expect(line).to_be_visible()


async def test_what_was_typed_for_a_step_that_somebody_else_took_is_left_to_say(desk: Desk) -> None:
    run_id = await planned(Site(None, desk.world, None))  # type: ignore[arg-type] # only its world
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    await page.get_by_label("Your comment").fill("First.")
    await page.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").get_by_label("Comment").fill("Not on a Friday")
    await desk.world.confirm(run_id)
    left = page.get_by_label("Your comment")
    await expect(left).to_have_value("First.\nNot on a Friday")
    await expect(left).to_be_focused()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("#run-comments")).to_contain_text("Somebody was quicker")
    await page.get_by_role("button", name="Comment", exact=True).click()
    await expect(page.locator("#run-comments li")).to_contain_text("Not on a Friday")


async def test_a_step_that_was_refused_keeps_its_comment_while_the_run_goes_on(desk: Desk) -> None:
    run_id = await planned(Site(None, desk.world, None))  # type: ignore[arg-type] # only its world
    async with transaction(desk.world.platform.sessions) as session:
        (await session.get_one(Run, run_id)).state_version_id = "sv-another"
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Confirm and apply").click()
    await dialog.get_by_label("Comment").fill("go ahead")
    await dialog.get_by_role("button", name="Confirm and apply").click()
    comment = dialog.get_by_label("Comment")
    await expect(comment).to_have_accessible_description(re.compile("changed after it was made"))
    await expect(comment).to_be_focused()
    await dialog.get_by_role("heading").click()
    await say(desk, run_id, "Told")
    await expect(page.locator("#run-comments li")).to_contain_text("Told")
    await expect(comment).to_have_value("go ahead")


async def test_a_folded_log_leads_to_its_page_without_scripts(desk: Desk) -> None:
    run_id, _ = await applying(Site(None, desk.world, None))  # type: ignore[arg-type] # only its world
    page = await desk.sit(java_script_enabled=False)
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    await page.locator("#log-plan summary").click()
    await page.get_by_role("link", name="Show the last lines").click()
    await expect(page.locator("#plan-L0")).to_contain_text("One line")
