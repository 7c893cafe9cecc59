"""What a site admin does for people: an account with a one-time password, and another of those."""

import secrets
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import users
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.errors import ForbiddenError, InvalidError

_PASSWORD_BYTES: Final = 15


async def make_account(
    session: AsyncSession, actor: Actor, *, username: str, email: str, is_site_admin: bool = False
) -> tuple[User, str]:
    """Make a user, and return their one-time password, which cannot be had again.

    The address is how organizations find whom they let in, so it must be there and be theirs.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: the name or the address is malformed, or somebody else's.
    """
    _require_site_admin(actor)
    email = email.strip()
    if "@" not in email:
        raise InvalidError("An address is of the form name@example.com.", pointer="email")
    taken = select(User.id).where(func.lower(User.email) == email.lower()).limit(1)
    if "\0" not in email and await session.scalar(taken) is not None:
        raise InvalidError(f"Another user has the address {email}.", pointer="email")
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    user = await users.create_user(
        session,
        actor,
        username=username,
        password=password,
        email=email,
        is_site_admin=is_site_admin,
        must_change_password=True,
    )
    return user, password


async def reset_password(session: AsyncSession, actor: Actor, user: User) -> str:
    """Give the user a one-time password in place of theirs, and end their sessions; return it.

    Their second factor stays, and so do their tokens.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: `actor` is `user`, who can change it as everybody can.
    """
    _require_site_admin(actor)
    if actor.id == user.id:
        raise InvalidError("Change your own password with the present one.")
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    await users.set_password(session, actor, user, password)
    return password


def _require_site_admin(actor: Actor) -> None:
    if not actor.is_site_admin:
        raise ForbiddenError("Only a site admin can do this.")
