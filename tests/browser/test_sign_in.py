"""Signing in through a provider on another site, as a real browser sends its cookies."""

from dataclasses import replace

from fastapi import FastAPI
from playwright.async_api import expect
from pydantic import SecretStr

from landform.federation import providers
from landform.federation.kinds import Kind
from landform.federation.settings import ProviderSettings
from landform.identity.actor import SYSTEM
from landform.kit.db import transaction
from landform.settings import Settings
from landform.wiring import make_federation, make_reach
from tests.browser.conftest import Desk
from tests.standins.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider


async def test_a_browser_goes_to_a_provider_and_comes_back_signed_in(
    app: FastAPI, desk: Desk, database_url: str
) -> None:
    platform = desk.world.platform
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    reach = make_reach(settings, platform.sessions, platform.keyring)
    app.state.process = replace(app.state.process, reach=reach, federation=make_federation(reach))
    with identity_provider() as idp:
        idp.account.claims["preferred_username"] = "ann"
        registration = ProviderSettings(
            name="Acme", issuer=idp.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        async with transaction(platform.sessions) as session:
            await providers.create_provider(
                session, platform.keyring, SYSTEM, Kind.OIDC, registration
            )
        # Another site than the provider's, which is at 127.0.0.1.
        here = desk.url.replace("127.0.0.1", "localhost")
        context = await desk.browser.new_context(base_url=here)
        page = await context.new_page()
        await page.goto("/account/tokens")
        await page.get_by_role("link", name="Sign in with Acme").click()
        await page.wait_for_url(f"{here}/account/tokens")
        await expect(page.get_by_label("Account of ann")).to_be_visible()
        kept = {cookie["name"] for cookie in await context.cookies()}
        assert kept == {"landform_session"}
        assert idp.server.asked("POST", "/token")
    await reach.close()
