"""Pages that change under their reader: what is typed, open or in focus stays as it is."""

from fastapi import FastAPI
from playwright.async_api import Page, expect
from sqlalchemy import delete

from landform.access import teams
from landform.access.models import Team
from landform.access.teams import TeamSettings
from landform.identity.models import BrowserSession
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.variables import service as variables
from landform.variables.service import VariableSettings
from landform.workspaces import projects
from landform.workspaces.projects import ProjectSettings
from tests.browser.conftest import Desk
from tests.browser.test_lists import hide
from tests.web.listening import until


async def add_variable(desk: Desk, key: str, value: str = "1") -> str:
    world = desk.world
    async with transaction(world.platform.sessions) as session:
        settings = VariableSettings(key=key, value=value, category="terraform")
        made = await variables.create_variable(
            session, world.platform.keyring, world.owner, await world.workspace(), settings
        )
        return made.row.id


async def change_variable(desk: Desk, variable_id: str, settings: VariableSettings) -> None:
    world = desk.world
    async with transaction(world.platform.sessions) as session:
        await variables.update_variable(
            session,
            world.platform.keyring,
            world.owner,
            await world.workspace(),
            variable_id,
            settings,
        )


async def delete_variable(desk: Desk, variable_id: str) -> None:
    world = desk.world
    async with transaction(world.platform.sessions) as session:
        await variables.delete_variable(session, world.owner, await world.workspace(), variable_id)


async def add_team(desk: Desk, name: str) -> None:
    world = desk.world
    async with transaction(world.platform.sessions) as session:
        settings = TeamSettings(name=name, visibility="organization")
        await teams.create_team(session, world.owner, world.organization_id, settings)


async def at_the_variables(desk: Desk) -> Page:
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/variables")
    return page


async def test_a_variable_of_another_s_shows_up_while_one_is_typed(desk: Desk) -> None:
    await add_variable(desk, "middle")
    page = await at_the_variables(desk)
    await page.locator("summary", has_text="middle").click()
    value = page.locator("details[open].fold textarea[name=value]")
    await value.fill("half a wo")
    key = page.get_by_label("Key", exact=True).last
    await key.click()
    await key.press_sequentially("my_ke")
    await page.evaluate("window.scrollTo(0, 60)")
    await page.evaluate("window.stays = document.activeElement")
    await add_variable(desk, "before_the_other")
    await expect(page.locator("summary", has_text="before_the_other")).to_be_visible()
    assert await page.evaluate("document.activeElement === window.stays")
    await page.keyboard.type("y")
    assert await key.input_value() == "my_key"
    opened = page.locator("details[open].fold")
    await expect(opened).to_have_count(1)
    await expect(opened.locator("summary")).to_contain_text("middle")
    assert await value.input_value() == "half a wo"


async def test_of_a_form_only_the_field_that_is_typed_in_stays_and_says_so(desk: Desk) -> None:
    variable_id = await add_variable(desk, "region", "eu-1")
    page = await at_the_variables(desk)
    await page.locator("summary", has_text="region").click()
    row = page.locator("details[open].fold")
    await row.locator("textarea[name=value]").fill("mine")
    await row.locator("[name=description]").click()
    theirs = VariableSettings(value="theirs", description="where it runs")
    await change_variable(desk, variable_id, theirs)
    await expect(row.locator("[name=description]")).to_have_value("where it runs")
    await expect(row.locator("textarea[name=value]")).to_have_value("mine")
    await expect(row.get_by_role("status")).to_contain_text("theirs")
    await row.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("region was changed.")).to_be_visible()
    row = page.locator("details.fold", has_text="region")
    await expect(row.locator("[name=description]")).to_have_value("where it runs")
    await expect(row.locator("textarea[name=value]")).to_have_value("mine")


async def test_a_form_whose_thing_is_deleted_stays_until_nothing_is_typed_in_it(
    desk: Desk,
) -> None:
    variable_id = await add_variable(desk, "doomed", "eu-1")
    page = await at_the_variables(desk)
    await page.locator("summary", has_text="doomed").click()
    value = page.locator("details[open].fold textarea[name=value]")
    await value.fill("mine")
    await delete_variable(desk, variable_id)
    note = page.get_by_role("status").filter(has_text="What you typed is still here")
    await expect(note).to_be_visible()
    assert await value.input_value() == "mine"
    await value.fill("eu-1")
    await expect(page.locator("summary", has_text="doomed")).to_have_count(0)
    await expect(note).to_have_count(0)


async def test_what_is_chosen_in_boxes_and_lists_stays_chosen(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/teams")
    await page.get_by_label("Name", exact=True).fill("mine")
    await page.get_by_label("Visible to").select_option("organization")
    await add_team(desk, "theirs")
    await expect(page.get_by_role("link", name="theirs")).to_be_visible()
    await expect(page.get_by_label("Visible to")).to_have_value("organization")
    await page.get_by_role("button", name="Create team").click()
    await expect(page.get_by_text("Team mine was created.")).to_be_visible()
    await page.get_by_role("checkbox", name="See every project").check()
    async with transaction(desk.world.platform.sessions) as session:
        row = await session.get_one(Team, page.url.rpartition("/")[2])
        settings = TeamSettings(organization_access=["manage-teams"])
        await teams.update_team(session, desk.world.owner, row, settings)
    await expect(page.get_by_role("checkbox", name="Manage teams")).to_be_checked()
    await expect(page.get_by_role("checkbox", name="See every project")).to_be_checked()


async def test_a_page_in_the_background_is_not_followed_and_catches_up_when_seen(
    desk: Desk, app: FastAPI
) -> None:
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/projects")
    await until_followed(app, 1)
    await hide(page, is_hidden=True)
    await until_followed(app, 0)
    async with transaction(desk.world.platform.sessions) as session:
        organization = await session.get_one(Organization, desk.world.organization_id)
        settings = ProjectSettings(name="meanwhile", description="")
        await projects.create_project(session, desk.world.owner, organization, settings)
    await hide(page, is_hidden=False)
    await expect(page.get_by_role("link", name="meanwhile", exact=True)).to_be_visible()


async def until_followed(app: FastAPI, count: int) -> None:
    """Wait until this many streams listen for changes."""
    waiters = app.state.process.listener._waiters
    await until(lambda: len({one for those in waiters.values() for one in those}) == count)


async def test_who_is_signed_out_elsewhere_is_told_and_keeps_what_they_typed(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/teams")
    name = page.get_by_label("Name", exact=True)
    await name.fill("half a wo")
    async with transaction(desk.world.platform.sessions) as session:
        await session.execute(delete(BrowserSession))
    await add_team(desk, "theirs")
    await expect(page.get_by_role("status").first).to_be_visible()
    assert await name.input_value() == "half a wo"
    await page.get_by_role("status").get_by_role("link").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
