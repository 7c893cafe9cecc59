from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import sessions as browser
from landform.identity.models import BrowserSession
from landform.identity.users import actor_of
from landform.kit.clock import now
from landform.kit.errors import UnauthenticatedError
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
