"""What a browser shows of a form that was refused."""

import re

from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.test_every_page import faults_of


async def test_a_refused_form_of_a_page_with_many_keeps_what_was_typed(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/teams")
    made = page.locator("form").filter(has=page.get_by_role("button", name="Create team"))
    await made.locator("[name=name]").fill("owners")
    await made.locator("select").first.select_option(index=1)
    chosen = await made.locator("select").first.input_value()
    await made.get_by_role("button", name="Create team").click()
    await expect(made.locator("[name=name]")).to_have_accessible_description(re.compile("owners"))
    await expect(made.locator("[name=name]")).to_be_focused()
    await expect(made.locator("[name=name]")).to_have_value("owners")
    await expect(made.locator("select").first).to_have_value(chosen)
    assert await faults_of(page) == []
    await page.goto(page.url)
    await expect(made.locator("[name=name]")).to_have_value("")
