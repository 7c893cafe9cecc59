"""Passwords at the door: checked at a bounded rate, every failure told, a session when right."""

from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import throttle, users
from landform.identity.actor import SYSTEM, Actor
from landform.identity.events import PasswordRefused
from landform.identity.models import User
from landform.identity.sessions import open_session
from landform.kit import events
from landform.kit.db import Sessions, transaction
from landform.kit.errors import UnauthenticatedError


async def sign_in(
    sessions: Sessions, username: str, password: str, *, address: str
) -> tuple[User, str]:
    """Open a browser session of the user whose password this is; return both.

    Args:
        address: where the attempt comes from.

    Raises:
        TooManyError: too many failed before it.
        UnauthenticatedError: no such user, another password, or a suspended user.
    """
    await check_password(sessions, username, password, address=address)
    async with transaction(sessions) as session:
        user = await _named(session, username)
        return user, await open_session(session, user)


async def check_own_password(
    sessions: Sessions, actor: Actor, password: str, *, address: str
) -> None:
    """Pass if this is the password of `actor`, a user; else raise as `sign_in`."""
    await check_password(sessions, actor.name, password, address=address)


async def check_password(sessions: Sessions, username: str, password: str, *, address: str) -> None:
    """Pass if this is the user's password; else raise as `sign_in`."""
    async with transaction(sessions) as session:
        await throttle.count(session, username=username, address=address)
    try:
        async with transaction(sessions) as session:
            await users.sign_in(session, username, password)
            await throttle.forgive(session, username=username, address=address)
    except UnauthenticatedError:
        async with transaction(sessions) as session:
            user = await users.by_username(session, username)
            events.publish(
                session,
                PasswordRefused(
                    actor_id=SYSTEM.id,
                    organization_id=None,
                    subject_id="" if user is None else user.id,
                ),
            )
        raise


async def _named(session: AsyncSession, username: str) -> User:
    user = await users.by_username(session, username)
    if user is None:  # deleted since
        raise UnauthenticatedError("The username or the password is wrong.")
    return user
