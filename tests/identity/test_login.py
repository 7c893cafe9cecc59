import asyncio
import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import login, tokens
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import ApiToken, LoginCode
from landform.identity.users import actor_of
from landform.kit.clock import now
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ForbiddenError, InvalidError, UnauthenticatedError
from tests.factories import make_user

VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
CLIENT = "terraform-cli"
REDIRECT = "http://localhost:10000/login"


async def _code(session: AsyncSession, actor: Actor) -> str:
    return await login.create_code(session, actor, CLIENT, REDIRECT, CHALLENGE)


async def test_a_code_is_exchanged_for_a_token_named_after_terraform_login(
    session: AsyncSession,
) -> None:
    user = await make_user(session)
    code = await _code(session, actor_of(user))
    secret = await login.exchange(session, code, VERIFIER, CLIENT, REDIRECT)
    actor = await tokens.authenticate(session, secret)
    assert actor.id == user.id
    token = await session.get_one(ApiToken, actor.token_id)
    assert token.description == "terraform login"


async def test_a_code_is_good_once(session: AsyncSession) -> None:
    code = await _code(session, actor_of(await make_user(session)))
    await login.exchange(session, code, VERIFIER, CLIENT, REDIRECT)
    with pytest.raises(UnauthenticatedError, match="log in again"):
        await login.exchange(session, code, VERIFIER, CLIENT, REDIRECT)


async def test_of_two_exchanges_at_once_one_wins(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        code = await _code(session, actor_of(await make_user(session)))

    async def exchange() -> str:
        async with transaction(sessions) as session:
            return await login.exchange(session, code, VERIFIER, CLIENT, REDIRECT)

    outcomes = await asyncio.gather(*(exchange() for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, UnauthenticatedError) for outcome in outcomes) == 4
    async with transaction(sessions) as session:
        assert len((await session.scalars(select(ApiToken))).all()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "x" * 43},
        {"code": "\0"},
        {"verifier": "w" * 43},
        {"verifier": VERIFIER[:-1]},
        {"verifier": ""},
        {"client_id": "another"},
        {"redirect_uri": "http://127.0.0.1:10000/login"},
    ],
)
async def test_an_exchange_that_does_not_fit_is_refused(
    session: AsyncSession, wrong: dict[str, Any]
) -> None:
    code = await _code(session, actor_of(await make_user(session)))
    fitting = {
        "code": code,
        "verifier": VERIFIER,
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
    }
    with pytest.raises(UnauthenticatedError):
        await login.exchange(session, **(fitting | wrong))


async def test_a_code_lives_five_minutes(session: AsyncSession) -> None:
    user = await make_user(session)
    code = await _code(session, actor_of(user))
    row = (await session.scalars(select(LoginCode))).one()
    assert abs(row.expires_at - now() - timedelta(minutes=5)) < timedelta(seconds=10)
    await session.execute(update(LoginCode).values(expires_at=now()))
    with pytest.raises(UnauthenticatedError):
        await login.exchange(session, code, VERIFIER, CLIENT, REDIRECT)


async def test_expired_codes_are_swept_when_another_is_made(session: AsyncSession) -> None:
    actor = actor_of(await make_user(session))
    await _code(session, actor)
    await session.execute(update(LoginCode).values(expires_at=now()))
    await _code(session, actor)
    assert len((await session.scalars(select(LoginCode))).all()) == 1


async def test_a_suspended_user_s_code_is_worthless(session: AsyncSession) -> None:
    user = await make_user(session)
    code = await _code(session, actor_of(user))
    user.is_suspended = True
    with pytest.raises(UnauthenticatedError, match="suspended"):
        await login.exchange(session, code, VERIFIER, CLIENT, REDIRECT)


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:1024/login",
        "http://localhost:65535/login",
        "http://127.0.0.1:10010/login",
    ],
)
def test_a_command_line_on_the_same_machine_may_have_the_code(uri: str) -> None:
    login.check_redirect(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://localhost:10000/login",
        "http://localhost/login",
        "http://localhost:80/login",
        "http://localhost:1023/login",
        "http://localhost:65536/login",
        "http://localhost:10000/other",
        "http://localhost:10000/login/",
        "http://localhost:10000/login?next=x",
        "http://localhost:10000/login#x",
        "http://localhost:10000@evil.example/login",
        "http://evil.example:10000/login",
        "http://localhost.evil.example:10000/login",
        "http://user@localhost:10000/login",
        "http://LOCALHOST:10000/login",
        "http://localhost:010000/login",
        "http://localhost:\uff110000/login",
        "http://[::1]:10000/login",
        "http://localhost:x/login",
        "http://[/login",
        "javascript:alert(1)",
    ],
)
async def test_nobody_else_may_have_the_code(session: AsyncSession, uri: str) -> None:
    actor = actor_of(await make_user(session))
    with pytest.raises(InvalidError, match="http://localhost:PORT/login") as refused:
        await login.create_code(session, actor, CLIENT, uri, CHALLENGE)
    assert refused.value.pointer == "redirect_uri"


@pytest.mark.parametrize("challenge", ["", "plain", CHALLENGE + "=", CHALLENGE[:-1] + "+"])
async def test_a_challenge_must_be_of_method_s256(session: AsyncSession, challenge: str) -> None:
    actor = actor_of(await make_user(session))
    with pytest.raises(InvalidError, match="S256"):
        await login.create_code(session, actor, CLIENT, REDIRECT, challenge)


async def test_only_a_user_in_a_browser_approves_a_login(session: AsyncSession) -> None:
    user = await make_user(session)
    for actor in (
        Actor(kind=ActorKind.USER, id=user.id, token_id="at-1"),
        Actor(kind=ActorKind.TEAM, id="team-1", organization_id="org-1"),
    ):
        with pytest.raises(ForbiddenError, match="browser"):
            await _code(session, actor)
