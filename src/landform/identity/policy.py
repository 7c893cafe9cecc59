"""Whether people may sign in by password, and who may when nobody may."""

from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import users
from landform.identity.actor import Actor
from landform.identity.events import SignInPolicyChanged
from landform.identity.models import SignInPolicy, User
from landform.kit import events
from landform.kit.errors import ForbiddenError, InvalidError

_ONLY = 1  # there is one row


async def get_policy(session: AsyncSession) -> SignInPolicy:
    """Return the policy; as long as nobody set it, passwords are for everybody."""
    return await session.get(SignInPolicy, _ONLY) or SignInPolicy(id=_ONLY, local_sign_in=True)


async def set_policy(
    session: AsyncSession, actor: Actor, *, is_on: bool, break_glass: str
) -> SignInPolicy:
    """Set it. For a caller who knows that there is another way to sign in.

    Args:
        break_glass: name of the one user who may still sign in by password; needed to switch it
            off.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: that user could not do anything in an emergency.
    """
    if not actor.is_site_admin:
        raise ForbiddenError("Only a site admin can do this.")
    user = await users.by_username(session, break_glass) if break_glass else None
    if break_glass and user is None:
        raise InvalidError(f"There is no user {break_glass[:80]}.", pointer="break_glass")
    if user is not None and not _can_help(user):
        raise InvalidError(
            f"{user.username} could not help in an emergency: it takes a site admin who is not"
            " suspended and has a password.",
            pointer="break_glass",
        )
    if not is_on and user is None:
        raise InvalidError(
            "Name the site admin who can still sign in by password when the provider is away.",
            pointer="break_glass",
        )
    row = await session.get(SignInPolicy, _ONLY, with_for_update=True)
    if row is None:
        row = SignInPolicy(id=_ONLY, local_sign_in=True)
        session.add(row)
    row.local_sign_in = is_on
    row.break_glass_user_id = user.id if user is not None else None
    await session.flush()
    events.publish(
        session,
        SignInPolicyChanged(
            actor_id=actor.id,
            organization_id=None,
            subject_id=row.break_glass_user_id or "",
            local_sign_in=is_on,
        ),
    )
    return row


async def may_use_password(session: AsyncSession, user: User) -> bool:
    """Tell whether the user may sign in by password."""
    found = await get_policy(session)
    return found.local_sign_in or found.break_glass_user_id == user.id


def _can_help(user: User) -> bool:
    return user.is_site_admin and not user.is_suspended and user.password_hash is not None
