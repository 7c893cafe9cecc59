"""The field in which HCL is typed: by the keyboard, with a long value, and without scripts."""

import gzip
from pathlib import Path

from playwright.async_api import Page, expect

from landform.kit.db import transaction
from landform.variables import service
from landform.variables.service import VariableSettings
from landform.workspaces.models import Workspace
from tests.browser.conftest import Desk
from tests.browser.test_every_page import faults_of
from tests.browser.test_following import add_variable, change_variable
from tests.browser.test_keyboard import tab_to

STATIC = Path(__file__).parents[2] / "src/landform/web/static"
BUDGET_BYTES = 150 * 1000  # gzipped, of a page without the graph
FOCUSED = "document.activeElement.name"


async def open_page(desk: Desk, *, scripts: bool = True) -> Page:
    page = await desk.sit(java_script_enabled=scripts)
    await page.goto(f"{await desk.place()}/variables")
    return page


async def made(page: Page) -> None:
    """Wait until the field is an editor, which it becomes once it is near."""
    await page.locator("#f-value").scroll_into_view_if_needed()
    await expect(page.locator("#f-value-editor .prism-code-editor")).to_be_visible()


async def height(page: Page) -> float:
    box = await page.locator("#f-value-editor").bounding_box()
    assert box is not None
    return box["height"]


async def test_wrong_hcl_is_shown_while_typing_and_right_hcl_is_saved_by_keyboard_alone(
    desk: Desk,
) -> None:
    page = await open_page(desk)
    await tab_to(page, "Key")
    await page.keyboard.type("sizes")
    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUSED) == "value"
    await page.keyboard.type("[1, 2]")
    said = page.locator("#f-value-said")
    await expect(said).to_contain_text("Tick HCL")
    await tab_to(page, "HCL")
    await page.keyboard.press("Space")
    await expect(said).to_have_text("This is a list of 2.")
    for _ in range(3):
        await page.keyboard.press("Shift+Tab")
    assert await page.evaluate(FOCUSED) == "value"
    await page.keyboard.press("Control+End")
    await page.keyboard.press("Backspace")
    await page.keyboard.type(" 3]")
    await expect(said).to_contain_text("Line 1, column 7: Expected ] or a comma here")
    field = page.get_by_label("Value", exact=True).last
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_attribute("aria-describedby", "f-value-said")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("[1, 2, 3]")
    await expect(said).to_have_text("This is a list of 3.")
    await expect(field).to_have_attribute("aria-invalid", "false")
    await tab_to(page, "Add the variable")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("sizes was added.")).to_be_visible()
    await expect(page.locator("details", has_text="sizes").first).to_contain_text("[1, 2, 3]")


async def test_tab_leaves_the_field_both_ways_and_enter_keeps_the_indentation(desk: Desk) -> None:
    page = await open_page(desk)
    await made(page)
    await page.get_by_label("HCL", exact=True).check()
    field = page.locator("#f-value")
    await field.focus()
    await page.keyboard.type("{")
    await page.keyboard.press("Enter")
    await page.keyboard.type("a = [")
    await page.keyboard.press("Enter")
    await page.keyboard.type("1,")
    await page.keyboard.press("Enter")
    await page.keyboard.type("2")
    assert await field.input_value() == "{\n  a = [\n    1,\n    2"
    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUSED) == "description"
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate(FOCUSED) == "value"
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate(FOCUSED) == "key"


async def test_the_field_is_coloured_grows_and_has_no_fault_that_axe_finds(desk: Desk) -> None:
    page = await open_page(desk)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    await page.reload()
    await made(page)
    await page.get_by_label("HCL", exact=True).check()
    field = page.locator("#f-value")
    low = await height(page)
    value = '{\n  # why\n  zones = ["a", "b"]\n  count = 3 /* of them */\n  on    = true\n  '
    await field.fill(f'{value}name  = "x-${{1 + 2}}"\n  bad ~\n}}')
    await expect(page.locator("#f-value-said .said-line")).to_be_visible()
    await expect(page.locator("hcl-editor .wrong-line")).to_contain_text("bad")
    assert await height(page) > 2 * low
    for kind in ("comment", "string", "number", "boolean", "property"):
        await expect(page.locator(f"hcl-editor .token.{kind}").first).to_be_visible()
    await page.locator("#f-content").fill('region = "eu-1"\n')
    await expect(page.locator("#f-content-said")).to_contain_text("1 added")
    assert await faults_of(page) == []
    assert refused == []  # the content security policy among others


async def test_a_file_is_previewed_as_it_is_chosen(desk: Desk) -> None:
    page = await open_page(desk)
    file = {
        "name": "a.tfvars",
        "mimeType": "text/plain",
        "buffer": b'region = "eu-1"\nsizes = [1]\n',
    }
    await page.get_by_label("A file").set_input_files(file)  # type: ignore[arg-type] # it is one
    await expect(page.locator("#f-content-said")).to_contain_text("2 added")
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_text("Imported: 2 added.")).to_be_visible()


async def test_without_scripts_a_file_is_previewed_and_a_value_refused_with_its_line(
    desk: Desk,
) -> None:
    page = await open_page(desk, scripts=False)
    await page.get_by_label("Or its lines").fill('region = "eu-1"\n')
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#f-content-said")).to_contain_text("1 added")
    assert await page.get_by_label("Or its lines").input_value() == 'region = "eu-1"\n'
    await page.get_by_label("Key", exact=True).fill("sizes")
    await page.get_by_label("Value", exact=True).fill("[1,\n 2 3]")
    await page.get_by_label("HCL", exact=True).check()
    await page.get_by_role("button", name="Add the variable").click()
    await expect(page.locator("#f-value-said .said-line")).to_contain_text("2 3]")
    assert await page.get_by_label("Value", exact=True).input_value() == "[1,\n 2 3]"


async def test_what_another_changes_comes_into_the_editor_around_what_is_typed(
    desk: Desk,
) -> None:
    region = await add_variable(desk, "region", '"eu-1"')
    await add_variable(desk, "zone", "a")
    page = await open_page(desk)
    for key in ("region", "zone"):
        await page.locator("summary", has_text=key).click()
    lines = page.locator("details .pce-line")
    await expect(lines).to_have_text(['"eu-1"\n', "a\n"])
    typed = page.locator("details", has_text="zone").locator("textarea[name=value]")
    await typed.click()
    await page.keyboard.press("End")
    await page.keyboard.type("bc")
    await change_variable(desk, region, VariableSettings(value='"eu-2"', hcl=True))
    await expect(lines).to_have_text(['"eu-2"\n', "abc\n"])
    await expect(page.locator("details .token.string")).to_have_text('"eu-2"')
    await page.keyboard.type("d")
    await expect(lines).to_have_text(['"eu-2"\n', "abcd\n"])
    assert await typed.input_value() == "abcd"


async def test_a_long_value_does_not_hang_the_page(desk: Desk) -> None:
    long = (
        "[\n" + "".join(f'  {{ name = "n{n}", sizes = [1, 2, 3] }},\n' for n in range(2600)) + "]"
    )
    assert len(long) > 100_000
    given = VariableSettings(key="long", value=long, category="terraform", hcl=True)
    keyring = desk.world.platform.keyring
    async with transaction(desk.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, (await desk.world.workspace()).id)
        await service.create_variable(session, keyring, desk.world.owner, workspace, given)
    page = await open_page(desk)
    await page.locator("summary", has_text="long").click()
    field = page.get_by_label("Value", exact=True).first
    await expect(page.locator("details .token.string").first).to_be_visible()
    await field.focus()
    await page.keyboard.type("[ [")
    said = page.locator("details [aria-live]")
    await expect(said).to_contain_text("This [ is never closed")


def test_what_such_a_page_loads_is_within_the_budget() -> None:
    names = ("app.css", "app.js", "hcl.css", "hcl.js")
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes(), 6)) for name in names}
    assert sum(sizes.values()) < BUDGET_BYTES, sizes
