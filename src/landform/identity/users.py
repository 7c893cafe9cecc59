"""Users: making them, signing them in, changing their passwords."""

import re
import secrets
from collections.abc import Iterable
from typing import Final

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.events import (
    PasswordChanged,
    UserCreated,
    UserReinstated,
    UserSuspended,
)
from landform.identity.first_admin import FIRST_ADMIN
from landform.identity.models import BrowserSession, User
from landform.identity.passwords import hash_password, verify_password
from landform.kit import events
from landform.kit.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.text import check_text
from landform.kit.unique import unique

_FIRST_ADMIN_LOCK: Final = 0x1AFD0001  # advisory lock that says: somebody is making the admin
_USERNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,39}")
_EMAIL_LIMIT: Final = 254


def actor_of(user: User) -> Actor:
    """Return the actor that `user` is in a browser; an API token adds its own id."""
    return Actor(
        kind=ActorKind.USER,
        id=user.id,
        name=user.username,
        is_site_admin=user.is_site_admin,
    )


async def create_user(
    session: AsyncSession,
    actor: Actor,
    *,
    username: str,
    password: str | None = None,
    email: str = "",
    is_site_admin: bool = False,
    must_change_password: bool = False,
) -> User:
    """Add a user; one without a password can act through tokens only.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: the username is taken or malformed, or the password is too weak.
    """
    _require_site_admin(actor)
    if _USERNAME.fullmatch(username) is None:
        raise InvalidError(
            "A username has 2 to 40 letters, digits, dots, dashes and underscores, and starts"
            " with a letter or digit.",
            pointer="username",
        )
    user = User(
        username=username,
        email=check_text(email, what="The email", limit=_EMAIL_LIMIT, pointer="email"),
        password_hash=None if password is None else await hash_password(password),
        is_site_admin=is_site_admin,
        must_change_password=must_change_password,
    )
    taken = InvalidError(f"The username {username} is taken.", pointer="username")
    async with unique(session, "uq_users_lower_username", taken):
        session.add(user)
    events.publish(
        session,
        UserCreated(
            actor_id=actor.id,
            organization_id=None,
            subject_id=user.id,
            username=username,
            is_site_admin=is_site_admin,
        ),
    )
    return user


async def get(session: AsyncSession, actor: Actor, user_id: str) -> User:
    """Return a user: oneself, or anyone for a site admin.

    Raises:
        NotFoundError: no such user, or not for `actor` to see.
    """
    user = await session.get(User, user_id)
    if user is None or not (_is_site_admin(actor) or actor.id == user.id):
        raise NotFoundError(f"There is no user {user_id}.")
    return user


async def by_username(session: AsyncSession, username: str) -> User | None:
    """Return the user of that name, in whatever case it is written. For services, not surfaces."""
    if "\0" in username:
        return None
    query = select(User).where(func.lower(User.username) == username.lower())
    return (await session.scalars(query)).one_or_none()


async def names_of(session: AsyncSession, user_ids: Iterable[str]) -> dict[str, str]:
    """Return usernames by id, for a caller who found the ids in what the actor may see."""
    query = select(User.id, User.username).where(User.id.in_(set(user_ids)))
    return {row.id: row.username for row in await session.execute(query)}


async def list_(session: AsyncSession, actor: Actor, page: Page) -> Paged[User]:
    """Return users by name; for site admins.

    Raises:
        ForbiddenError: `actor` is not one.
    """
    _require_site_admin(actor)
    return await fetch_page(session, select(User), page, func.lower(User.username))


async def sign_in(session: AsyncSession, username: str, password: str) -> User:
    """Return the user whose password this is; takes as long for a name nobody has.

    Raises:
        UnauthenticatedError: no such user, another password, or a suspended user.
    """
    user = await by_username(session, username)
    matches = await verify_password(None if user is None else user.password_hash, password)
    if user is None or not matches or user.is_suspended:
        raise UnauthenticatedError("The username or the password is wrong.")
    return user


async def change_password(session: AsyncSession, actor: Actor, *, old: str, new: str) -> User:
    """Give the acting user a new password and end their browser sessions.

    Raises:
        ForbiddenError: `actor` is not a user, or a token of one: a leaked token must not be
            enough to take the account over.
        UnauthenticatedError: `old` is not the password.
        InvalidError: `new` is too weak, or the old one again.
    """
    if actor.kind is not ActorKind.USER or actor.token_id is not None:
        raise ForbiddenError("Only a signed-in user can change a password, and only their own.")
    user = await session.get_one(User, actor.id)
    if not await verify_password(user.password_hash, old):
        raise UnauthenticatedError("The present password is wrong.")
    if new == old:
        raise InvalidError("The new password is the old one.", pointer="password")
    await _set_password(session, actor, user, new, must_change=False)
    return user


async def set_password(
    session: AsyncSession, actor: Actor, user: User, new: str, *, must_change: bool = True
) -> None:
    """Give another user a password, to be changed at the next sign-in.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: `new` is too weak.
    """
    _require_site_admin(actor)
    await _set_password(session, actor, user, new, must_change=must_change)


async def suspend(session: AsyncSession, actor: Actor, user: User) -> None:
    """Shut the user out until reinstated; tokens stop working, browser sessions end.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: `actor` is `user`.
    """
    _require_site_admin(actor)
    if actor.id == user.id:
        raise InvalidError("You cannot suspend yourself.")
    user.is_suspended = True
    await _end_sessions(session, user)
    events.publish(
        session, UserSuspended(actor_id=actor.id, organization_id=None, subject_id=user.id)
    )


async def reinstate(session: AsyncSession, actor: Actor, user: User) -> None:
    """Undo `suspend`.

    Raises:
        ForbiddenError: `actor` is not a site admin.
    """
    _require_site_admin(actor)
    user.is_suspended = False
    events.publish(
        session, UserReinstated(actor_id=actor.id, organization_id=None, subject_id=user.id)
    )


async def awaits_first_sign_in(session: AsyncSession) -> bool:
    """Tell whether the first admin has still the one-time password that was printed."""
    query = select(User.id).where(User.username == FIRST_ADMIN, User.must_change_password)
    return await session.scalar(query) is not None


async def ensure_first_admin(session: AsyncSession) -> str | None:
    """Make the site admin `admin` unless there are users; return the one-time password, once.

    Safe when several processes start at once: one of them makes the user and gets the password.
    """
    if await _has_users(session):
        return None
    await session.execute(select(func.pg_advisory_xact_lock(_FIRST_ADMIN_LOCK)))
    if await _has_users(session):
        return None
    password = secrets.token_urlsafe(15)
    await create_user(
        session,
        SYSTEM,
        username=FIRST_ADMIN,
        password=password,
        is_site_admin=True,
        must_change_password=True,
    )
    return password


async def _has_users(session: AsyncSession) -> bool:
    return bool(await session.scalar(select(exists(select(User.id)))))


async def _set_password(
    session: AsyncSession, actor: Actor, user: User, new: str, *, must_change: bool
) -> None:
    user.password_hash = await hash_password(new)
    user.must_change_password = must_change
    await _end_sessions(session, user)
    events.publish(
        session, PasswordChanged(actor_id=actor.id, organization_id=None, subject_id=user.id)
    )


async def _end_sessions(session: AsyncSession, user: User) -> None:
    await session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))


def _is_site_admin(actor: Actor) -> bool:
    return actor.is_site_admin or actor.kind is ActorKind.SYSTEM


def _require_site_admin(actor: Actor) -> None:
    if not _is_site_admin(actor):
        raise ForbiddenError("Only a site admin can do this.")
