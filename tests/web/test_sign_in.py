"""The door as a browser sees it: failures slow down, and a password of one's own comes first."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from landform.identity import login, sessions, tokens, users
from landform.identity.actor import ActorKind
from landform.identity.first_admin import FIRST_ADMIN
from landform.identity.passwords import hash_password
from landform.identity.throttle import ACCOUNT
from landform.kit.db import transaction
from landform.kit.errors import ForbiddenError
from tests import factories
from tests.api.tfe.server import Server, open_server
from tests.matrix.table import routes_of
from tests.world import World

FIRST = "printed at the start"
OWN = "a password of my own"
DOORS = (
    *("/login/code", "/login/with/{provider_id}", "/login/callback/{provider_id}"),
    "/login/saml/{provider_id}",
)
FORM = {"username": "alice", "password": FIRST}


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    async with open_server(app, world, database_url) as opened:
        async with transaction(world.platform.sessions) as session:
            user = await factories.make_user(
                session, "alice", is_site_admin=True, password_hash=await hash_password(FIRST)
            )
            user.must_change_password = True
        yield opened


async def test_a_browser_that_fails_too_often_is_told_how_long_to_wait(server: Server) -> None:
    for _ in range(ACCOUNT.free + 1):
        answer = await server.http.post("/login", data={**FORM, "password": "wrong"})
        assert answer.status_code == 401
    async with transaction(server.world.platform.sessions) as session:
        await session.execute(
            text("UPDATE password_attempts SET wait_until = clock_timestamp() + interval '50 min'")
        )
    answer = await server.http.post("/login", data=FORM)
    assert answer.status_code == 429
    assert 40 * 60 < int(answer.headers["Retry-After"]) <= 50 * 60
    assert "Too many failed attempts" in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_token_is_not_enough_to_try_passwords_by(server: Server) -> None:
    body = {
        "data": {
            "type": "users",
            "attributes": {
                "current_password": "wrong",
                "password": OWN,
                "password_confirmation": OWN,
            },
        }
    }
    headers = {"Authorization": f"Bearer {server.owner.token}"}
    for _ in range(ACCOUNT.free + 1):
        answer = await server.http.patch("/api/v2/account/password", json=body, headers=headers)
        assert answer.status_code == 422
    async with transaction(server.world.platform.sessions) as session:
        await session.execute(
            text("UPDATE password_attempts SET wait_until = clock_timestamp() + interval '50 min'")
        )
    answer = await server.http.patch("/api/v2/account/password", json=body, headers=headers)
    assert answer.status_code == 429
    assert 40 * 60 < int(answer.headers["Retry-After"]) <= 50 * 60


async def test_nothing_is_shown_before_a_password_of_ones_own_is_set(server: Server) -> None:
    answer = await server.http.post("/login", data=FORM)
    assert answer.headers["location"].startswith("/password?")
    shown = []
    for method, path in routes_of(server.app):
        if path.startswith(("/api/", "/scim/", "/_signed", "/.well-known", "/static", "/openapi")):
            continue
        address = path.replace("{", "").replace("}", "")
        query = "?redirect_uri=http://localhost:10000/login&code_challenge=x"
        page = await server.http.request(method, address + query)
        to = page.headers.get("location", "")
        if page.status_code == 401 and path not in DOORS:
            continue  # for clients with a token, and a browser's cookie is none
        if not (page.status_code == 303 and to.startswith("/password?")):
            shown.append(path)
    assert set(shown) <= {
        *("/login", *DOORS, "/logout", "/password", "/oauth/token", "/oauth/exchange"),
        *("/healthz", "/readyz", "/metrics"),
        # Doors for providers, each with a proof of its own.
        *("/callback/v1/vcs/{vcs_id}", "/hooks/vcs/{hook_id}", "/webhook/v2/{hook_id}"),
        "/invitation/{secret}",  # for who has no account yet
    }
    page = await server.http.get("/password")
    token = page.text.partition('name="form_token" value="')[2].partition('"')[0]
    form = {"form_token": token, "old": FIRST, "password": OWN, "again": OWN, "then": "/"}
    answer = await server.http.post("/password", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    home = await server.http.get("/", follow_redirects=True)
    assert (home.status_code, home.url.path != "/password") == (200, True)


async def test_no_token_is_made_before_a_password_of_ones_own_is_set(server: Server) -> None:
    async with transaction(server.world.platform.sessions) as session:
        user = await users.sign_in(session, "alice", FIRST)
        actor, _ = await sessions.session_actor(session, await sessions.open_session(session, user))
        with pytest.raises(ForbiddenError, match="password of your own first"):
            await tokens.issue(session, actor, owner_kind=ActorKind.USER, owner_id=user.id)
        with pytest.raises(ForbiddenError, match="password of your own first"):
            await login.create_code(
                session, actor, "terraform-cli", "http://localhost:10000/login", "c" * 43
            )
        by_token = replace(actor, token_id="at-1")
        await tokens.issue(session, by_token, owner_kind=ActorKind.USER, owner_id=user.id)


async def test_the_one_time_password_is_spoken_of_until_the_first_admin_has_an_own(
    server: Server,
) -> None:
    said = "its one-time password was printed"
    assert said not in (await server.http.get("/login")).text
    async with transaction(server.world.platform.sessions) as session:
        first = await factories.make_user(session, FIRST_ADMIN, is_site_admin=True)
        first.must_change_password = True
    assert said in (await server.http.get("/login")).text


async def test_what_is_wrong_with_a_password_is_said_beside_its_field(server: Server) -> None:
    page = (await server.http.post("/login", data={**FORM, "password": "wrong"})).text
    assert "is wrong." in page.partition('id="e-password">')[2][:60]
    assert 'value="alice"' in page
    assert "Forgot your password?" in page
    await server.http.post("/login", data=FORM)
    token = re.findall(
        r'name="form_token" value="(\w+)"', (await server.http.get("/password")).text
    )
    given = {"form_token": token[0], "old": "wrong", "password": OWN, "again": OWN, "then": "/"}
    page = (await server.http.post("/password", data=given)).text
    assert "not the password that you signed in with" in page.partition('id="e-old">')[2][:80]
    given |= {"old": FIRST, "again": f"{OWN}!"}
    page = (await server.http.post("/password", data=given)).text
    assert "not the same" in page.partition('id="e-again">')[2][:60]
    given |= {"password": "short", "again": "short"}
    page = (await server.http.post("/password", data=given)).text
    assert "12" in page.partition('id="e-password">')[2][:120]


async def test_who_sends_a_form_signed_out_comes_back_to_its_page(server: Server) -> None:
    for path, page in (
        ("/account/tokens", "/account/tokens"),
        ("/account/tokens/at-1/delete", "/account/tokens"),
        ("/organizations/acme/vcs/oc-1/connect", "/organizations/acme/vcs/oc-1"),
        ("/theme", "/"),
    ):
        answer = await server.http.post(path, data={"form_token": "0"})
        assert answer.headers["location"] == f"/login?{urlencode({'then': page})}", path
    assert "nothing was changed" in (await server.http.get("/login")).text
