"""Browser sessions: a random secret in a cookie, its hash in a row, 12 hours of life."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor
from landform.identity.credentials import LONGEST, digest, new_secret
from landform.identity.events import SignedIn, SignedOut
from landform.identity.models import BrowserSession, User
from landform.identity.users import actor_of
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import UnauthenticatedError

LIFE: Final = timedelta(hours=12)


async def open_session(session: AsyncSession, user: User) -> str:
    """Begin a browser session of `user`, who has just signed in, and return its secret."""
    await session.execute(
        delete(BrowserSession).where(
            BrowserSession.user_id == user.id, BrowserSession.expires_at <= now()
        )
    )
    secret = new_secret()
    row = BrowserSession(user_id=user.id, secret_hash=digest(secret), expires_at=now() + LIFE)
    session.add(row)
    await session.flush()
    events.publish(
        session,
        SignedIn(actor_id=user.id, organization_id=None, subject_id=user.id, session_id=row.id),
    )
    return secret


async def session_actor(session: AsyncSession, secret: str) -> tuple[Actor, BrowserSession]:
    """Return who is signed in with `secret`.

    Raises:
        UnauthenticatedError: no such session, an expired one, or a suspended user's.
    """
    found = await _find(session, secret)
    if found is None or found[0].expires_at <= now() or found[1].is_suspended:
        raise UnauthenticatedError("Your session has ended; sign in again.")
    row, user = found
    return actor_of(user), row


async def close(session: AsyncSession, secret: str) -> None:
    """End the browser session; one that is not there counts as ended."""
    found = await _find(session, secret)
    if found is None:
        return
    row, user = found
    await session.delete(row)
    events.publish(
        session,
        SignedOut(actor_id=user.id, organization_id=None, subject_id=user.id, session_id=row.id),
    )


async def _find(session: AsyncSession, secret: str) -> tuple[BrowserSession, User] | None:
    if len(secret) > LONGEST:
        return None
    query = (
        select(BrowserSession, User)
        .join(User, User.id == BrowserSession.user_id)
        .where(BrowserSession.secret_hash == digest(secret))
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])
