"""Browser sessions: a random secret in a cookie, its hash in a row, 12 hours of life.

A user sees where they are signed in, and can end each session from any other.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import LONGEST, digest, new_secret
from landform.identity.events import SessionRevoked, SignedIn, SignedOut
from landform.identity.models import BrowserSession, User
from landform.identity.users import actor_of
from landform.kit import events
from landform.kit.clock import now
from landform.kit.db import if_writable
from landform.kit.errors import ForbiddenError, NotFoundError, UnauthenticatedError

LIFE: Final = timedelta(hours=12)
CODE_LIFE: Final = timedelta(minutes=10)

_SEEN_EVERY: Final = timedelta(minutes=5)
_AGENT: Final = 200  # characters
_MOST: Final = 50


async def open_session(session: AsyncSession, user: User, *, awaits_code: bool = False) -> str:
    """Begin a browser session of `user`, who has just signed in, and return its secret.

    Of more than 50, those that were seen longest ago end.

    Args:
        awaits_code: the second factor is still to come; see `BrowserSession`.
    """
    newest = (
        select(BrowserSession.id)
        .where(BrowserSession.user_id == user.id, BrowserSession.awaits_code == awaits_code)
        .order_by(BrowserSession.seen_at.desc(), BrowserSession.id)
        .limit(_MOST - 1)
    )
    is_past = BrowserSession.expires_at <= now()
    # Each kind by itself: who has but the password must not sign its owner out.
    is_too_many = and_(BrowserSession.awaits_code == awaits_code, BrowserSession.id.not_in(newest))
    await session.execute(
        delete(BrowserSession).where(BrowserSession.user_id == user.id, or_(is_past, is_too_many))
    )
    secret = new_secret()
    origin = events.ORIGIN.get()
    row = BrowserSession(
        user_id=user.id,
        secret_hash=digest(secret),
        address=origin.address,
        agent="".join(c for c in origin.agent if c.isprintable())[:_AGENT],
        awaits_code=awaits_code,
        expires_at=now() + (CODE_LIFE if awaits_code else LIFE),
    )
    session.add(row)
    await session.flush()
    if not awaits_code:
        events.publish(
            session,
            SignedIn(actor_id=user.id, organization_id=None, subject_id=user.id, session_id=row.id),
        )
    return secret


async def awaiting_code(session: AsyncSession, secret: str) -> tuple[BrowserSession, User]:
    """Return the session with `secret` that waits for a code, and whose it is.

    Raises:
        UnauthenticatedError: there is none, or its time is over.
    """
    found = await _find(session, secret)
    if found is None or not found[0].awaits_code or _is_over(*found):
        raise UnauthenticatedError("It took too long; sign in again.")
    return found


async def session_actor(session: AsyncSession, secret: str) -> tuple[Actor, BrowserSession]:
    """Return who is signed in with `secret`.

    Raises:
        UnauthenticatedError: no such session, an expired one, or a suspended user's.
    """
    found = await _find(session, secret)
    if found is None or found[0].awaits_code or _is_over(*found):
        raise UnauthenticatedError("Your session has ended; sign in again.")
    row, user = found
    if row.seen_at <= now() - _SEEN_EVERY:
        await _note_seen(session, row)
    return actor_of(user), row


async def list_(session: AsyncSession, actor: Actor) -> Sequence[BrowserSession]:
    """Return the browsers in which `actor` is signed in, the one seen last first.

    Raises:
        ForbiddenError: `actor` is not a user.
    """
    _require_user(actor)
    query = (
        select(BrowserSession)
        .where(
            BrowserSession.user_id == actor.id,
            BrowserSession.expires_at > now(),
            ~BrowserSession.awaits_code,
        )
        .order_by(BrowserSession.seen_at.desc(), BrowserSession.id)
    )
    return (await session.scalars(query)).all()


async def revoke(session: AsyncSession, actor: Actor, session_id: str) -> None:
    """End one of the actor's own sessions.

    Raises:
        ForbiddenError: `actor` is not a user.
        NotFoundError: it is over, or somebody else's.
    """
    _require_user(actor)
    row = await session.get(BrowserSession, session_id, with_for_update=True)
    if row is None or row.user_id != actor.id:
        raise NotFoundError("There is no such session.")
    await _revoke(session, actor, row)


async def revoke_others(session: AsyncSession, actor: Actor, secret: str) -> int:
    """End all of the actor's sessions but the one with `secret`; return how many those were.

    Raises:
        ForbiddenError: `actor` is not a user.
    """
    _require_user(actor)
    query = (
        select(BrowserSession)
        .where(BrowserSession.user_id == actor.id, BrowserSession.secret_hash != digest(secret))
        .with_for_update()
    )
    others = (await session.scalars(query)).all()
    for row in others:
        await _revoke(session, actor, row)
    return len(others)


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


async def _revoke(session: AsyncSession, actor: Actor, row: BrowserSession) -> None:
    await session.delete(row)
    events.publish(
        session,
        SessionRevoked(
            actor_id=actor.id, organization_id=None, subject_id=row.user_id, session_id=row.id
        ),
    )


async def _note_seen(session: AsyncSession, row: BrowserSession) -> None:
    # One that another request is writing is skipped: it notes the same minutes.
    free = (
        select(BrowserSession.id)
        .where(BrowserSession.id == row.id)
        .with_for_update(skip_locked=True)
    )
    async with if_writable(session):
        await session.execute(
            update(BrowserSession).where(BrowserSession.id.in_(free)).values(seen_at=now()),
            execution_options={"synchronize_session": False},
        )
        await events.tell(session, row.user_id, "identity")


def _is_over(row: BrowserSession, user: User) -> bool:
    return row.expires_at <= now() or user.is_suspended


def _require_user(actor: Actor) -> None:
    # A leaked token must not be enough to sign its owner out.
    if actor.kind is not ActorKind.USER or actor.token_id is not None:
        raise ForbiddenError("Only a signed-in user has sessions, and only their own.")


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
