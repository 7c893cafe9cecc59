"""Signing in through a provider on another site, as a real browser sends its cookies."""

import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from playwright.async_api import expect
from pydantic import SecretStr

from landform.federation import providers
from landform.federation.kinds import Kind
from landform.federation.settings import ProviderSettings
from landform.identity.actor import SYSTEM
from landform.kit.db import transaction
from landform.settings import Settings
from landform.vcs.reach import Reach
from landform.wiring import make_federation, make_reach
from tests.browser.conftest import Desk
from tests.browser.test_every_page import faults_of
from tests.standins.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider
from tests.standins.saml_provider import saml_provider


async def open_provider(
    app: FastAPI, desk: Desk, database_url: str, kind: Kind, registration: ProviderSettings
) -> Reach:
    """Have the platform know a provider and reach it."""
    platform = desk.world.platform
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    reach = make_reach(settings, platform.sessions, platform.keyring)
    app.state.process = replace(app.state.process, reach=reach, federation=make_federation(reach))
    async with transaction(platform.sessions) as session:
        await providers.create_provider(session, platform.keyring, SYSTEM, kind, registration)
    return reach


async def test_a_browser_goes_to_a_provider_and_comes_back_signed_in(
    app: FastAPI, desk: Desk, database_url: str
) -> None:
    with identity_provider() as idp:
        idp.account.claims["preferred_username"] = "ann"
        registration = ProviderSettings(
            name="Acme", issuer=idp.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        reach = await open_provider(app, desk, database_url, Kind.OIDC, registration)
        # Another site than the provider's, which is at 127.0.0.1.
        here = desk.url.replace("127.0.0.1", "localhost")
        context = await desk.stranger(base_url=here)
        page = await context.new_page()
        await page.goto("/account/tokens")
        await page.get_by_role("link", name="Sign in with Acme").click()
        await page.wait_for_url(f"{here}/account/tokens")
        await expect(page.get_by_label("Account of ann")).to_be_visible()
        kept = {cookie["name"] for cookie in await context.cookies()}
        assert kept == {"landform_session"}
        assert idp.server.asked("POST", "/token")
    await reach.close()


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_a_browser_comes_back_from_a_provider_of_saml_with_scripts_and_without(
    app: FastAPI, desk: Desk, database_url: str, *, has_scripts: bool
) -> None:
    with saml_provider() as idp:
        idp.someone.attributes["username"] = ["ann"]
        registration = ProviderSettings(name="Acme", metadata=idp.metadata())
        reach = await open_provider(app, desk, database_url, Kind.SAML, registration)
        here = desk.url.replace("127.0.0.1", "localhost")
        context = await desk.stranger(base_url=here, java_script_enabled=has_scripts)
        page = await context.new_page()
        await page.goto("/account/tokens")
        await page.get_by_role("link", name="Sign in with Acme").click()
        await page.get_by_role("button", name="Ann").click()
        if not has_scripts:
            await expect(page.get_by_role("heading", name="Signing in")).to_be_visible()
            await page.get_by_role("button", name="Go on").click()
        await page.wait_for_url(f"{here}/account/tokens")
        await expect(page.get_by_label("Account of ann")).to_be_visible()
        kept = {cookie["name"] for cookie in await context.cookies()}
        assert kept == {"landform_session"}
    await reach.close()


async def test_the_page_that_hands_an_answer_over_has_no_fault(
    app: FastAPI, desk: Desk, database_url: str
) -> None:
    with saml_provider() as idp:
        registration = ProviderSettings(name="Acme", metadata=idp.metadata())
        reach = await open_provider(app, desk, database_url, Kind.SAML, registration)
        page = await (await desk.stranger()).new_page()
        script = re.compile(r"/static/app.*\.js")
        await page.route(script, lambda route: route.fulfill(body=""))
        await page.goto("/login")
        await page.get_by_role("link", name="Sign in with Acme").click()
        await page.context.clear_cookies()
        await page.get_by_role("button", name="Ann").click()
        await expect(page.get_by_role("button", name="Go on")).to_be_visible()
        assert await faults_of(page) == []
    await reach.close()
