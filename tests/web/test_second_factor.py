"""Signing in with a second factor, as a browser does."""

import re
from collections.abc import AsyncIterator

import httpx2
import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from landform.identity.passwords import hash_password
from landform.identity.throttle import ACCOUNT
from landform.identity.users import actor_of
from landform.kit.db import transaction
from tests import factories
from tests.api.tfe.server import Server, mint, open_server
from tests.web.pages import text_of
from tests.world import World

PASSWORD = "a password of my own"
FORM = {"username": "alice", "password": PASSWORD}
HERE = "/account/two-factor"


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    async with open_server(app, world, database_url) as opened:
        async with transaction(world.platform.sessions) as session:
            await factories.make_user(session, "alice", password_hash=await hash_password(PASSWORD))
        yield opened


def form_token(page: httpx2.Response) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page.text)
    assert found, page.text
    return found[1]


async def send(server: Server, path: str, **fields: str) -> httpx2.Response:
    """Fill in a form of the page about second factors."""
    token = form_token(await server.http.get(HERE))
    return await server.http.post(path, data={"form_token": token, **fields})


async def set_up(server: Server) -> tuple[pyotp.TOTP, list[str]]:
    """Turn it on in a browser, and sign out; the authenticator's present code is used."""
    await server.http.post("/login", data=FORM)
    page = await send(server, HERE)
    secret = re.search(r'id="secret">(\w+)<', page.text)
    assert secret
    totp = pyotp.TOTP(secret[1])
    page = await send(server, f"{HERE}/confirm", code=totp.now())
    codes = re.search(r'id="recovery">([^<]+)<', page.text)
    assert codes, page.text
    server.http.cookies.clear()
    return totp, codes[1].split()


async def give_code(server: Server, code: str) -> httpx2.Response:
    return await server.http.post("/login/code", data={"code": code, "then": "/organizations"})


async def is_signed_in(server: Server) -> bool:
    return (await server.http.get(HERE)).status_code == 200


async def test_the_password_alone_opens_nothing(server: Server) -> None:
    _, codes = await set_up(server)
    answer = await server.http.post("/login", data={**FORM, "then": "/organizations"})
    assert answer.headers["location"] == "/login/code?then=%2Forganizations"
    assert not await is_signed_in(server)
    before = server.http.cookies["landform_session"]
    refused = await give_code(server, "123456")
    assert (refused.status_code, "code is wrong" in refused.text) == (401, True)
    assert not await is_signed_in(server)
    answer = await give_code(server, codes[0])
    assert (answer.status_code, answer.headers["location"]) == (303, "/organizations")
    assert await is_signed_in(server)
    assert server.http.cookies["landform_session"] != before
    server.http.cookies.clear()
    server.http.cookies.set("landform_session", before)
    assert (await give_code(server, codes[1])).status_code == 401
    assert not await is_signed_in(server)


async def test_a_code_without_the_password_opens_nothing(server: Server) -> None:
    _, codes = await set_up(server)
    answer = await give_code(server, codes[0])
    assert (answer.status_code, "sign in again" in answer.text) == (401, True)


async def test_guessing_codes_slows_down_though_the_password_is_right_each_time(
    server: Server,
) -> None:
    _, codes = await set_up(server)
    for _ in range(ACCOUNT.free + 1):
        await server.http.post("/login", data=FORM)
        assert (await give_code(server, "000000")).status_code == 401
    async with transaction(server.world.platform.sessions) as session:
        waits = text("UPDATE password_attempts SET wait_until = now() + interval '50 min'")
        await session.execute(waits)
        told = text("SELECT count(*) FROM events WHERE name = 'CodeRefused'")
        assert await session.scalar(told) == ACCOUNT.free + 1
    answer = await give_code(server, codes[0])
    assert answer.status_code == 429
    assert 40 * 60 < int(answer.headers["Retry-After"]) <= 50 * 60


async def test_it_is_removed_with_both_factors_and_not_with_one(server: Server) -> None:
    _, codes = await set_up(server)
    await server.http.post("/login", data=FORM)
    await give_code(server, codes[0])
    right = {"password": PASSWORD, "code": codes[1]}
    for field, wrong in (("password", "x"), ("code", "000000")):
        refused = await send(server, f"{HERE}/remove", **(right | {field: wrong}))
        tag = refused.text[: refused.text.index("autofocus")].rpartition("<")[2]
        assert (refused.status_code, f'name="{field}"' in tag) == (422, True)
        assert "is wrong" in text_of(refused.text[refused.text.index(f'id="e-{field}"') :])
        assert "Recovery codes left: 9" in text_of((await server.http.get(HERE)).text)
    await send(server, f"{HERE}/remove", **right)
    server.http.cookies.clear()
    answer = await server.http.post("/login", data={**FORM, "then": "/organizations"})
    assert answer.headers["location"] == "/organizations"
    assert await is_signed_in(server)


async def test_a_site_admin_removes_it_for_who_lost_everything(server: Server) -> None:
    await set_up(server)
    async with transaction(server.world.platform.sessions) as session:
        query = text("SELECT id FROM users WHERE username = 'alice'")
        user_id = await session.scalar(query)
        boss = await factories.make_user(session, "boss", is_site_admin=True)
    path = f"/api/v2/admin/users/{user_id}/actions/disable_two_factor"
    token = await mint(server.world, actor_of(boss))
    answer = await server.http.post(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    await server.http.post("/login", data=FORM)
    assert await is_signed_in(server)


async def test_a_mistyped_code_shows_the_same_secret_again(server: Server) -> None:
    await server.http.post("/login", data=FORM)
    page = await send(server, HERE)
    shown = re.findall(r'id="secret">(\w+)<', page.text)
    page = await send(server, f"{HERE}/confirm", code="000000")
    assert re.findall(r'id="secret">(\w+)<', page.text) == shown
    assert "This is not the code." in page.text.partition('id="e-code">')[2][:100]
    assert page.status_code == 422
    page = await send(server, f"{HERE}/confirm", code=pyotp.TOTP(shown[0]).now())
    assert 'id="recovery"' in page.text
    page = await send(server, f"{HERE}/confirm", code="000000")
    assert shown[0] not in page.text
