from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import sessions as browser
from landform.identity.models import BrowserSession
from landform.identity.users import actor_of
from landform.kit.clock import now
from landform.kit.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from landform.kit.events import ORIGIN, EventRow, Origin
from tests.factories import make_user


async def test_a_browser_session_lasts_twelve_hours(session: AsyncSession) -> None:
    user = await make_user(session)
    secret = await browser.open_session(session, user)
    actor, row = await browser.session_actor(session, secret)
    assert actor == actor_of(user)
    assert actor.token_id is None
    assert abs(row.expires_at - now() - timedelta(hours=12)) < timedelta(minutes=1)
    assert secret.encode() not in row.secret_hash
    row.expires_at = now() - timedelta(seconds=1)
    with pytest.raises(UnauthenticatedError, match="sign in again"):
        await browser.session_actor(session, secret)


async def test_signing_in_again_clears_expired_sessions_and_keeps_live_ones(
    session: AsyncSession,
) -> None:
    user, other = await make_user(session), await make_user(session)
    for owner in (user, other, user):
        await browser.open_session(session, owner)
    rows = list(await session.scalars(select(BrowserSession).order_by(BrowserSession.created_at)))
    rows[0].expires_at = now()
    await browser.open_session(session, user)
    ids = set(await session.scalars(select(BrowserSession.id)))
    assert rows[0].id not in ids
    assert {rows[1].id, rows[2].id} < ids


async def test_a_closed_session_is_over_and_closing_it_again_does_not_matter(
    session: AsyncSession,
) -> None:
    secret = await browser.open_session(session, await make_user(session))
    await browser.close(session, secret)
    with pytest.raises(UnauthenticatedError):
        await browser.session_actor(session, secret)
    await browser.close(session, secret)


async def test_a_suspended_user_is_out(session: AsyncSession) -> None:
    user = await make_user(session)
    secret = await browser.open_session(session, user)
    user.is_suspended = True
    with pytest.raises(UnauthenticatedError):
        await browser.session_actor(session, secret)


@pytest.mark.parametrize("secret", ["", "x", "\0", "x" * 100_000])
async def test_an_unknown_secret_is_no_session(session: AsyncSession, secret: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await browser.session_actor(session, secret)


async def test_a_user_sees_where_they_are_signed_in_and_nobody_else_s(
    session: AsyncSession,
) -> None:
    user, other = await make_user(session), await make_user(session)
    with origin(address="192.0.2.7", agent="Browser/1 \x1b[2J" + "x" * 400):
        await browser.open_session(session, user)
    await browser.open_session(session, other)
    (row,) = await browser.list_(session, actor_of(user))
    assert (row.user_id, row.address) == (user.id, "192.0.2.7")
    assert row.agent.startswith("Browser/1 [2Jx")
    assert len(row.agent) == 200
    with pytest.raises(ForbiddenError, match="signed-in user"):
        await browser.list_(session, replace(actor_of(user), token_id="at-1"))


async def test_a_session_that_is_used_was_seen_lately(session: AsyncSession) -> None:
    user = await make_user(session)
    secret = await browser.open_session(session, user)
    _, row = await browser.session_actor(session, secret)
    for silent, noted in ((timedelta(minutes=4), False), (timedelta(minutes=6), True)):
        row.seen_at = before = now() - silent
        await session.flush()
        await browser.session_actor(session, secret)
        await session.refresh(row)
        assert (row.seen_at > before) is noted


async def test_a_session_is_ended_from_another_and_told(session: AsyncSession) -> None:
    user, other = await make_user(session), await make_user(session)
    here, there = [await browser.open_session(session, user) for _ in range(2)]
    _, row = await browser.session_actor(session, there)
    with pytest.raises(NotFoundError):
        await browser.revoke(session, actor_of(other), row.id)
    with pytest.raises(ForbiddenError):
        await browser.revoke(session, replace(actor_of(user), token_id="at-1"), row.id)
    await browser.revoke(session, actor_of(user), row.id)
    with pytest.raises(UnauthenticatedError):
        await browser.session_actor(session, there)
    await browser.session_actor(session, here)
    event = await session.scalar(select(EventRow).where(EventRow.name == "SessionRevoked"))
    assert event is not None
    assert (event.subject_id, event.payload["session_id"]) == (user.id, row.id)


async def test_all_other_sessions_are_ended_at_once(session: AsyncSession) -> None:
    user, other = await make_user(session), await make_user(session)
    secrets = [await browser.open_session(session, user) for _ in range(3)]
    theirs = await browser.open_session(session, other)
    assert await browser.revoke_others(session, actor_of(user), secrets[1]) == 2
    for secret in (secrets[0], secrets[2]):
        with pytest.raises(UnauthenticatedError):
            await browser.session_actor(session, secret)
    for secret in (secrets[1], theirs):
        await browser.session_actor(session, secret)


async def test_of_very_many_sessions_those_seen_longest_ago_end(session: AsyncSession) -> None:
    user = await make_user(session)
    first = await browser.open_session(session, user)
    _, row = await browser.session_actor(session, first)
    row.seen_at = now() - timedelta(minutes=1)
    for _ in range(50):
        newest = await browser.open_session(session, user)
    assert len(await browser.list_(session, actor_of(user))) == 50
    await browser.session_actor(session, newest)
    with pytest.raises(UnauthenticatedError):
        await browser.session_actor(session, first)


@contextmanager
def origin(**parts: str) -> Iterator[None]:
    token = ORIGIN.set(Origin(**parts))
    try:
        yield
    finally:
        ORIGIN.reset(token)
