"""The graph of a state: drawn, folded, and read by who sees no picture."""

from typing import Any

import pytest
from playwright.async_api import expect

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
