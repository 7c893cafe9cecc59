"""Lists in a real browser: rows change in place, and who is at work in them is not disturbed."""

from playwright.async_api import Page, expect

from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.web.lists import HUB
from landform.workspaces import locks, tags
from landform.workspaces.models import Workspace
from landform.workspaces.tags import Tag
from tests import factories
from tests.browser.conftest import Desk
from tests.web.listening import until


async def add(desk: Desk, *names: str) -> None:
    async with transaction(desk.world.platform.sessions) as session:
        organization = await session.get_one(Organization, desk.world.organization_id)
        for name in names:
            made = await factories.make_workspace(session, organization, name)
            await tags.update_bindings(session, desk.world.owner, made, [Tag("fresh")])


async def until_watched(seats: int) -> None:
    await until(lambda: sum(len(each.seats) for each in HUB.watches.values()) == seats)


async def hide(page: Page, *, is_hidden: bool) -> None:
    """Send the page to the background, or bring it back, as a browser tells its scripts."""
    await page.evaluate(
        "value => { Object.defineProperty(document, 'hidden', {value, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        is_hidden,
    )


async def test_rows_change_in_place_under_focus_scroll_and_typing(desk: Desk) -> None:
    await add(desk, *(f"row-{number:02}" for number in range(40)))
    page = await desk.sit()
    await page.goto(f"/app/{desk.world.organization}")
    await page.get_by_label("Name", exact=True).fill("half a word")
    link = page.get_by_role("link", name="row-30", exact=True)
    await link.focus()
    await page.evaluate("window.scrollTo(0, 500)")
    await page.evaluate("window.stays = document.activeElement")
    scrolled = await page.evaluate("window.scrollY")
    async with transaction(desk.world.platform.sessions) as session:
        query = await session.get_one(Workspace, desk.world.workspace_id)
        await locks.lock(session, desk.world.owner, query, "for a test")
    mine = (await desk.world.workspace()).name
    await expect(page.locator(f"#row-{mine}")).to_contain_text("locked")
    await add(desk, "a-new-one")
    await expect(page.locator("#row-a-new-one")).to_be_visible()
    assert await page.evaluate("document.activeElement === window.stays")
    assert abs(await page.evaluate("window.scrollY") - scrolled) < 80  # the new row is above
    assert await page.get_by_label("Name", exact=True).input_value() == "half a word"


async def test_a_list_in_the_background_is_not_watched_and_catches_up_when_seen(
    desk: Desk,
) -> None:
    page = await desk.sit()
    await page.goto(f"/app/{desk.world.organization}")
    await until_watched(1)
    await hide(page, is_hidden=True)
    await until_watched(0)
    await add(desk, "meanwhile")
    await hide(page, is_hidden=False)
    await expect(page.locator("#row-meanwhile")).to_be_visible()


async def test_many_are_tagged_by_keyboard_and_what_was_chosen_stays_chosen(desk: Desk) -> None:
    await add(desk, "one", "two", "three")
    page = await desk.sit()
    await page.goto(f"/app/{desk.world.organization}")
    for name in ("one", "two"):
        await page.get_by_label(f"Choose {name}", exact=True).focus()
        await page.keyboard.press("Space")
    await add(desk, "arrived-meanwhile")
    await expect(page.locator("#row-arrived-meanwhile")).to_be_visible()
    assert await page.locator("input[name=workspace]:checked").count() == 2
    await expect(page.locator("[data-chosen]")).to_have_text("2 chosen")
    await page.get_by_label("Tags", exact=True).last.focus()
    await page.keyboard.type("env=prod")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Done at 2 of 2 workspaces.")).to_be_visible()
    await expect(page.locator("#row-one")).to_contain_text("env=prod")
    await expect(page.locator("#row-three")).not_to_contain_text("env=prod")
