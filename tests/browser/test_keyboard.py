"""The main tasks with the keyboard alone: no pointer, and no focus but by Tab."""

from playwright.async_api import Page, expect

from landform.identity import passwords
from landform.identity.models import User
from landform.kit.db import transaction
from landform.runs import locks
from tests.browser.conftest import Desk
from tests.browser.test_pages import plan
from tests.files import make_state, resource

MOST_TABS = 80
PASSWORD = "correct horse battery staple"
FOCUSED = """() => {
  const one = document.activeElement;
  const label = one.labels?.length ? one.labels[0].innerText : "";
  return (one.getAttribute("aria-label") || label || one.innerText || "").trim();
}"""


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus, visibly, is called `name`."""
    seen = []
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate(FOCUSED))
        if seen[-1].split("\n")[0] == name:
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert await page.evaluate(outline) != "none", f"the focus on {name} cannot be seen"
            return
    raise AssertionError(f"Tab never comes to {name!r}, but to {seen}")


async def test_signing_in(desk: Desk) -> None:
    async with transaction(desk.world.platform.sessions) as session:
        user = await session.get_one(User, desk.world.owner.id)
        user.username, user.password_hash = "ada", await passwords.hash_password(PASSWORD)
    page = await (await desk.stranger()).new_page()
    await page.goto("/login")
    await expect(page.get_by_label("User name")).to_be_focused()  # where the page begins
    await page.keyboard.type("ada")
    await tab_to(page, "Password")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/app/{desk.world.organization}")


async def test_making_a_workspace(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"/app/{desk.world.organization}")
    await tab_to(page, "Skip to the content")
    await page.keyboard.press("Enter")
    await tab_to(page, "New workspace")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/workspaces/new*")
    await tab_to(page, "Name")
    await page.keyboard.type("by-keyboard")
    await tab_to(page, "Create the workspace")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("by-keyboard was created.")).to_be_visible()


async def test_confirming_a_run(desk: Desk) -> None:
    run_id = await plan(desk)
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    await tab_to(page, "Confirm and apply")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.keyboard.press("Enter")  # the focus is where it was
    await tab_to(page, "Comment")
    await page.keyboard.type("Go.")
    await tab_to(page, "Confirm and apply")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Confirmed.")).to_be_visible()
    assert await desk.world.status(run_id) in ("confirmed", "apply_queued")


async def test_setting_a_variable(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/variables")
    await tab_to(page, "Key")
    await page.keyboard.type("region")
    await page.keyboard.press("Tab")
    await page.keyboard.type("eu-1")
    await tab_to(page, "Add the variable")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("region was added.")).to_be_visible()


async def test_going_somewhere_by_the_palette(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"/app/{desk.world.organization}")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("teams")
    await expect(page.locator("#found [role=option]").first).to_contain_text("Teams")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/teams")


async def test_going_back_to_an_older_state(desk: Desk) -> None:
    world = desk.world
    await world.on_workspace(locks.lock, reason="")
    older = await world.save_state(make_state(1), serial=1)
    await world.save_state(make_state(2, resources=[resource("new")]), serial=2)
    await world.on_workspace(locks.unlock)
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/states")
    await tab_to(page, "Serial 1")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/states/{older}")
    await tab_to(page, "Go back to it…")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/rollback")
    await tab_to(page, "Go back to serial 1")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Serial 1 is the newest state again.")).to_be_visible()
    assert (await world.current_state()).serial == 3


async def test_canceling_a_run(desk: Desk) -> None:
    run_id = await desk.world.create()
    await desk.world.must_begin(run_id)
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/runs/{run_id}")
    await tab_to(page, "Cancel")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await tab_to(page, "Cancel")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Asked to stop.")).to_be_visible()
    assert (await desk.world.run(run_id)).cancel_asked_at is not None
