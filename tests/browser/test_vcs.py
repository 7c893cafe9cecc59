"""Connecting a provider in a real browser."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.async_api import Page, expect
from pydantic import SecretStr

from landform.settings import Settings
from landform.wiring import make_reach
from tests.browser.conftest import Desk
from tests.browser.test_pages import faults
from tests.standins.azure_devops import AzureDevOps, azure_devops


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
async def desk(desk: Desk, app: FastAPI, database_url: str) -> AsyncIterator[Desk]:
    """A desk whose server may call services on this machine."""
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    platform = desk.world.platform
    reach = make_reach(settings, platform.sessions, platform.keyring)
    app.state.process = replace(app.state.process, reach=reach)
    yield desk
    await reach.close()


async def test_azure_devops_is_connected_from_choosing_it_to_what_it_may_do(
    desk: Desk, azure: AzureDevOps
) -> None:
    azure.browser = azure.organization("Acme").identity("Ann")
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/vcs")
    await page.get_by_role("link", name="Connect a provider").click()
    await fill_in(page, azure, "Acme")
    assert await faults(page) == []
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_text("Connected. The provider knows us as Ann.")).to_be_visible()
    await page.get_by_role("button", name="Test").click()
    await expect(page.get_by_text("It works. The provider knows us as Ann.")).to_be_visible()
    await expect(page.get_by_text("List repositories")).to_be_visible()
    assert await faults(page) == []


async def fill_in(page: Page, azure: AzureDevOps, account: str) -> None:
    """From the choice of a provider on, describe an application that the stand-in knows."""
    await page.get_by_role("link", name="Azure DevOps Services").click()
    await page.get_by_role("link", name="OAuth application").click()
    callback = await page.get_by_text(re.compile("/callback/v1/vcs/")).inner_text()
    application = azure.oauth.register(callback)
    await page.get_by_label("Azure DevOps organization").fill(account)
    await page.get_by_label("App ID").fill(application.client_id)
    await page.get_by_label("Client secret").fill(application.secret)
    await page.get_by_text("Other addresses").click()
    await page.get_by_label("Address of Azure DevOps").fill(azure.url)
    await page.get_by_label("Address to sign in at").fill(azure.vssps_url)
    await page.get_by_role("button", name="Save, then connect").click()
    await expect(page.get_by_text("Not connected yet")).to_be_visible()
