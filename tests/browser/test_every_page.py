"""Every page there is, by the application's own routes: axe-core finds nothing, in both themes.

A new page is visited as soon as it has its line in `tests/matrix/routes.txt`. What is no page says
so here, with what it is instead.
"""

import dataclasses
from http import HTTPStatus
from typing import Final

import pytest
from fastapi import FastAPI
from playwright.async_api import Page

from landform.web import router
from tests.browser.conftest import Desk
from tests.browser.test_pages import faults
from tests.matrix.table import Line, read, routes_of
from tests.matrix.walk import make_ground, paths_of

RUN: Final = "/app/{organization}/{workspace}/runs/{run_id}"
STATE: Final = "/app/{organization}/{workspace}/states/{state_id}"
NOT_PAGES: Final = {
    "/healthz": "for machines",
    "/readyz": "for machines",
    "/metrics": "for machines",
    "/": "leads on",
    "/login/code": "leads to the sign-in, but in the middle of one; test_sign_in is there then",
    "/login/with/{provider_id}": "leads to the provider",
    "/login/callback/{provider_id}": "leads on",
    "/login/saml/{provider_id}": "for machines",
    "/callback/v1/vcs/{vcs_id}": "leads on",
    "/search/found": "a part of a page",
    f"{RUN}/plan": "a part of a page",
    "/organizations/{organization}/workspaces/new/repository/branches": "a part of a page",
    f"{RUN}/events": "a stream",
    f"{RUN}/log/{{name}}/download": "a file",
    "/app/{organization}/{workspace}/events": "a stream",
    "/app/{organization}/{workspace}/runs/events": "a stream",
    "/app/{organization}/{workspace}/states/events": "a stream",
    "/follow": "a stream",
    "/organizations/events": "a stream",
    "/organizations/{organization}/runs/events": "a stream",
    "/organizations/{organization}/workspaces/events": "a stream",
    f"{STATE}/download": "a file",
    f"{STATE}/graph.json": "data",
}
# Pages that look otherwise by their query, or that only strangers see.
MORE: Final = (
    "/organizations/{organization}/vcs/new?kind=ado_services",
    "/organizations/{organization}/vcs/new?kind=ado_services&way=entra-oauth",
    "/site/sign-in/new?kind=okta",
    "/site/sign-in/new?kind=saml",
    "/site/sign-in/{saml_provider}",
    "/app/{organization}?q=no-such-workspace",
    "/app/acme-void",
    f"{RUN}?ask=confirm",
)
PARTS: Final = 4  # of the walk, for as many processes


def lines() -> list[Line]:
    """Return a line of the matrix for each route that is a page."""
    known = {line.path: line for line in reversed(read()) if line.method == "GET"}
    web = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    web.include_router(router)
    pages = [path for method, path in routes_of(web) if method == "GET" and path not in NOT_PAGES]
    unknown = [path for path in pages if path not in known]
    assert not unknown, f"Nobody visits these pages: give them a line in routes.txt: {unknown}"
    return [known[path] for path in pages]


def test_what_is_said_to_be_no_page_is_a_route() -> None:
    web = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    web.include_router(router)
    assert not NOT_PAGES.keys() - {path for _, path in routes_of(web)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
async def test_no_page_has_a_fault_that_axe_finds_nor_scrolls_sideways(
    part: int, desk: Desk, app: FastAPI
) -> None:
    place = await make_ground(desk.world.platform)
    asked = [*lines(), *(of_path(each) for each in MORE)][part::PARTS]
    page = await desk.sit(place.world.owner)
    found = []
    for line, path in zip(asked, await paths_of(app, place, asked), strict=True):
        answer = await page.goto(path)
        assert answer is not None
        wanted = line.cells.get("site", "ok")
        status = HTTPStatus.OK if wanted == "ok" else int(wanted)
        kind = answer.headers.get("content-type", "")
        assert (answer.status, kind.partition(";")[0]) == (status, "text/html"), path
        found += [f"{path}: {fault}" for fault in await faults_of(page)]
    assert found == []


async def faults_of(page: Page) -> list[str]:
    """Return what is wrong with a page in light and dark, and on a phone."""
    found = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {fault}" for fault in await faults(page)]
    size = page.viewport_size
    await page.set_viewport_size({"width": 390, "height": 800})
    found += [f"phone: {fault}" for fault in await faults(page)]
    if not await page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        found.append("phone: it scrolls sideways")
    await page.set_viewport_size(size or {"width": 1280, "height": 800})
    return found


def of_path(text: str) -> Line:
    """Return the line of a path with a query."""
    path, _, query = text.partition("?")
    known = next((line for line in read() if (line.method, line.path) == ("GET", path)), None)
    line = known or Line("GET", path, {}, {})
    return dataclasses.replace(line, query=query)


@pytest.mark.parametrize("path", ["/login", "/welcome", "/organizations/acme/nowhere"])
async def test_what_strangers_see_has_no_such_fault_either(path: str, desk: Desk) -> None:
    page = await (await desk.stranger()).new_page()
    await page.goto(path)
    assert await faults_of(page) == []
