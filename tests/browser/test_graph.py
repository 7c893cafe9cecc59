"""The graph of a state: drawn, folded, and read by who sees no picture."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from landform.runs import locks
from tests.browser.conftest import Desk
from tests.browser.test_pages import faults
from tests.files import make_state, resource


def network(count: int) -> list[dict[str, Any]]:
    """Return this many resources in modules, most of which need others."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        module = f"module.part{number % 12}" + (".module.inner" if number % 3 else "")
        made = {**resource(f"thing{number}"), "module": module, "type": f"cloud_{number % 7}"}
        if number > 12:
            other = found[number // 2]
            made["instances"][0]["dependencies"] = [
                f"{other['module']}.{other['type']}.{other['name']}"
            ]
        found.append(made)
    return found


async def kept(desk: Desk, resources: list[dict[str, Any]]) -> str:
    await desk.world.on_workspace(locks.lock, reason="")
    return await desk.world.save_state(make_state(resources=resources), serial=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_five_hundred_resources_are_drawn_folded_found_and_unfolded(
    desk: Desk, scheme: str
) -> None:
    state_id = await kept(desk, network(500))
    page = await desk.sit(color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda failure: said.append(str(failure)))
    await page.goto(f"{await desk.place()}/states/{state_id}")
    await page.get_by_role("link", name="Graph").click()
    picture = page.locator("#graph")
    await expect(picture.locator("canvas").first).to_be_visible()
    assert int(await picture.get_attribute("data-boxes") or "") <= 60
    assert await faults(page) == []
    await picture.get_by_label("Find a resource").fill("thing499")
    side = picture.locator("[data-graph=side]")
    await side.get_by_role("button", name="module.part7.module.inner.cloud_2.thing499").click()
    await expect(side).to_contain_text("Needs")
    await expect(side).to_contain_text("thing249")
    started = await page.evaluate("performance.now()")
    await picture.get_by_role("button", name="Unfold all").click()
    await expect(picture.get_by_role("status")).to_contain_text("500 of 500")
    assert await page.evaluate("performance.now()") - started < 15_000
    await picture.get_by_role("button", name="Fold all", exact=True).click()
    await expect(picture.get_by_role("status")).to_contain_text("0 of 500")
    assert said == []


async def seen(page: Page) -> dict[str, float]:
    """Return where what is drawn lies in its frame, and how large."""
    box: dict[str, float] = await page.locator("[data-graph=canvas]").evaluate(
        """canvas => {
            const { cy } = canvas._cyreg;
            const { x1, x2, y1, y2 } = cy.elements().renderedBoundingBox();
            return { x1, y1, right: cy.width() - x2, below: cy.height() - y2, zoom: cy.zoom() };
        }"""
    )
    return box


@pytest.mark.parametrize("count", [20, 500])
async def test_on_a_phone_the_picture_opens_readable_and_whole_or_says_how_to_move_it(
    desk: Desk, count: int
) -> None:
    state_id = await kept(desk, network(count))
    page = await desk.sit(viewport={"width": 390, "height": 800})
    await page.goto(f"{await desk.place()}/states/{state_id}/graph")
    status = page.locator("#graph").get_by_role("status")
    await expect(status).to_contain_text(f"of {count} resources")
    at = await seen(page)
    assert at["zoom"] >= 0.55
    is_whole = min(at["x1"], at["right"], at["y1"], at["below"]) >= 0
    assert is_whole != ("use the arrow keys" in await status.inner_text())
    assert is_whole or count > 20


async def test_the_picture_is_moved_and_zoomed_by_keys(desk: Desk) -> None:
    state_id = await kept(desk, network(20))
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/states/{state_id}/graph")
    await page.get_by_label("The resources below, drawn").focus()
    before = await seen(page)
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowDown")
    moved = await seen(page)
    assert (before["x1"] - moved["x1"], before["y1"] - moved["y1"]) == pytest.approx((60, 60))
    await page.keyboard.press("+")
    assert (await seen(page))["zoom"] > before["zoom"]
    await page.keyboard.press("0")
    whole = await seen(page)
    assert min(whole["x1"], whole["right"], whole["y1"], whole["below"]) >= 0


async def test_the_list_says_the_same_without_scripts_and_by_keyboard(desk: Desk) -> None:
    state_id = await kept(desk, network(20))
    page = await desk.sit(java_script_enabled=False, viewport={"width": 390, "height": 800})
    await page.goto(f"{await desk.place()}/states/{state_id}/graph")
    await expect(page.locator("#graph")).to_be_hidden()
    item = page.get_by_role("listitem").filter(has_text="cloud_5.thing19")
    needed = item.get_by_role("link", name="module.part9.cloud_2.thing9")
    await needed.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[id='module.part9.cloud_2.thing9']")).to_be_in_viewport()
    wide = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wide
