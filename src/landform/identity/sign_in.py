"""Passwords and codes at the door: tried at a bounded rate, failures told, a session when right."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import policy, second_factor, throttle, users
from landform.identity.actor import SYSTEM, Actor
from landform.identity.events import CodeRefused, PasswordRefused
from landform.identity.models import User
from landform.identity.sessions import awaiting_code, open_session
from landform.kit import events
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import UnauthenticatedError


@dataclass(frozen=True)
class Entry:
    """Somebody who is in, or almost.

    Attributes:
        secret: of the browser's session.
        awaits_code: it is not one yet: the code of the second factor is missing.
    """

    user: User
    secret: str
    awaits_code: bool = False


async def sign_in(sessions: Sessions, username: str, password: str, *, address: str) -> Entry:
    """Open a browser session of the user whose password this is.

    Args:
        address: where the attempt comes from.

    Raises:
        TooManyError: too many failed before it.
        UnauthenticatedError: no such user, another password, a suspended user, or one who may
            not sign in by password.
    """
    await check_password(sessions, username, password, address=address)
    async with transaction(sessions) as session:
        user = await _named(session, username)
        if not await policy.may_use_password(session, user):
            raise UnauthenticatedError("The username or the password is wrong.")
        awaits = await second_factor.is_on(session, user.id)
        return Entry(user, await open_session(session, user, awaits_code=awaits), awaits)


async def give_code(
    sessions: Sessions, keyring: Keyring, secret: str, code: str, *, address: str
) -> Entry:
    """Open the session, with another secret, of whoever had the password and has now the code.

    Args:
        secret: of the session that awaits the code.
        address: where the attempt comes from.

    Raises:
        TooManyError: too many failed before it.
        UnauthenticatedError: a wrong code, or it took too long.
    """
    async with transaction(sessions) as session:
        _, user = await awaiting_code(session, secret)
    await check_code(sessions, keyring, user, code, address=address)
    async with transaction(sessions) as session:
        row, user = await awaiting_code(session, secret)
        await session.delete(row)
        return Entry(user, await open_session(session, user))


async def check_code(
    sessions: Sessions, keyring: Keyring, user: User, code: str, *, address: str
) -> None:
    """Pass if this is a code of the user's second factor; else raise as `give_code`.

    Counted apart from passwords: a right password must not forgive wrong codes.
    """
    counted = f"{user.id} code"
    async with transaction(sessions) as session:
        await throttle.count(session, username=counted, address=address)
    try:
        async with transaction(sessions) as session:
            await second_factor.check(session, keyring, user.id, code)
            await throttle.forgive(session, username=counted, address=address)
    except UnauthenticatedError:
        async with transaction(sessions) as session:
            events.publish(
                session,
                CodeRefused(actor_id=SYSTEM.id, organization_id=None, subject_id=user.id),
            )
        raise


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
