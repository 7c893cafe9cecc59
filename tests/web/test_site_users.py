"""The page on which a site admin makes users and helps those who cannot come in."""

import re

import httpx2
from sqlalchemy import select

from landform.identity.models import User
from landform.identity.passwords import hash_password
from landform.identity.users import actor_of
from landform.kit.db import transaction
from tests import factories
from tests.web.pages import Browser, Site

HERE = "/site/users"


async def admin_of(site: Site) -> Browser:
    async with transaction(site.world.platform.sessions) as session:
        admin = actor_of(await factories.make_user(session, "boss", is_site_admin=True))
    return await site.browser(admin)


def shown(page: str) -> str:
    password = re.search(r'id="password">([^<]+)<', page)
    assert password, page
    return password[1]


async def signs_in(site: Site, name: str, password: str) -> httpx2.Response:
    return await site.nobody().post("/login", data={"username": name, "password": password})


async def test_a_user_is_made_with_a_one_time_password(site: Site) -> None:
    browser = await admin_of(site)
    page = await browser.post(HERE, {"username": "bob", "email": "bob@example.com"})
    password = shown(page)
    assert password not in await browser.get(HERE)
    answer = await signs_in(site, "bob", password)
    assert answer.headers["location"].startswith("/password?")
    page = await browser.post(HERE, {"username": "eve", "email": "BOB@example.com"}, status=422)
    assert "Another user has the address" in page


async def test_a_password_is_reset_and_nothing_of_the_old_one_opens(site: Site) -> None:
    browser = await admin_of(site)
    async with transaction(site.world.platform.sessions) as session:
        ann = await factories.make_user(
            session, "ann", password_hash=await hash_password("the one of before")
        )
    theirs = await site.browser(actor_of(ann))
    await theirs.get("/account/tokens")
    password = shown(await browser.post(f"{HERE}/{ann.id}", {"deed": "password"}, of=HERE))
    assert (await theirs.http.get("/account/tokens")).status_code == 303
    assert (await signs_in(site, "ann", "the one of before")).status_code == 401
    answer = await signs_in(site, "ann", password)
    assert answer.headers["location"].startswith("/password?")
    async with transaction(site.world.platform.sessions) as session:
        own = await session.scalar(select(User.id).where(User.username == "boss"))
    page = await browser.post(f"{HERE}/{own}", {"deed": "password"}, of=HERE)
    assert "with the present one" in page


async def test_a_user_is_suspended_and_reinstated(site: Site) -> None:
    browser = await admin_of(site)
    async with transaction(site.world.platform.sessions) as session:
        ann = await factories.make_user(
            session, "ann", password_hash=await hash_password("a password of ann")
        )
    path = f"{HERE}/{ann.id}"
    assert "ann is suspended" in await browser.post(path, {"deed": "suspend"}, of=HERE)
    assert (await signs_in(site, "ann", "a password of ann")).status_code == 401
    assert "can sign in again" in await browser.post(path, {"deed": "reinstate"}, of=HERE)
    assert (await signs_in(site, "ann", "a password of ann")).status_code == 303
    page = await browser.post(path, {"deed": "second-factor"}, of=HERE, status=404)
    assert "no second factor" in page
