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
from landform.identity import passwords
from landform.identity.actor import SYSTEM
from landform.identity.models import User
from landform.kit.db import transaction
from landform.settings import Settings
from landform.vcs.reach import Reach
from landform.wiring import make_federation, make_reach
from tests.browser.conftest import Desk
from tests.browser.test_every_page import faults_of
from tests.standins.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider
from tests.standins.saml_provider import saml_provider

PASSWORD = "correct horse battery staple"


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


async def test_who_was_signed_out_over_a_form_finds_it_as_they_left_it(desk: Desk) -> None:
    async with transaction(desk.world.platform.sessions) as session:
        user = await session.get_one(User, desk.world.owner.id)
        user.username, user.password_hash = "ada", await passwords.hash_password(PASSWORD)
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/workspaces/new?project=")
    await page.get_by_label("Name", exact=True).fill("typed-before")
    await page.get_by_label("Engine").select_option("tofu")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Create the workspace").click()
    await expect(page.get_by_text("nothing was changed. Sign in, and send it")).to_be_visible()
    await page.get_by_label("User name").fill("ada")
    await page.get_by_label("Password").fill("mistyped")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Password")).to_be_focused()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("is back, but for secrets")).to_be_visible()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("typed-before")
    await expect(page.get_by_label("Engine")).to_have_value("tofu")
    assert await faults_of(page) == []
    await page.get_by_role("button", name="Create the workspace").click()
    await expect(page.get_by_text("typed-before was created.")).to_be_visible()


async def test_what_somebody_else_had_typed_is_not_shown_to_who_signs_in_after(desk: Desk) -> None:
    async with transaction(desk.world.platform.sessions) as session:
        user = await session.get_one(User, desk.world.owner.id)
        user.username, user.password_hash = "ada", await passwords.hash_password(PASSWORD)
    page = await desk.sit()
    await page.goto("/account/tokens")
    await page.locator("[name=description]").fill("of ada")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Create token").click()
    async with transaction(desk.world.platform.sessions) as session:
        user = await session.get_one(User, desk.world.owner.id)
        user.username = "bea"
    await page.get_by_label("User name").fill("bea")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/account/tokens")
    await expect(page.locator("[name=description]")).to_have_value("")


async def test_the_address_of_a_chat_is_kept_nowhere_while_somebody_signs_in_again(
    desk: Desk,
) -> None:
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/settings/notifications")
    await page.locator("[name=name]").fill("typed before")
    await page.locator("[name=url]").fill("https://hooks.chat.example/T0/secret")
    await page.context.clear_cookies()
    await page.locator("[name=url]").press("Enter")
    await page.wait_for_url("**/login?**")
    kept = await page.evaluate("JSON.stringify(sessionStorage)")
    assert "typed before" in kept
    assert "hooks.chat.example" not in kept
