"""Somebody leaves: nothing of theirs opens anything from this moment."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import tokens, users
from landform.identity.actor import Actor
from landform.identity.models import ApiToken, LoginCode, User


async def shut_out(session: AsyncSession, actor: Actor, user: User) -> None:
    """Suspend the user, and withdraw every token, session and login code of theirs for good.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: `actor` is `user`.
    """
    await users.suspend(session, actor, user)
    await session.execute(delete(LoginCode).where(LoginCode.user_id == user.id))
    for token in (await session.scalars(select(ApiToken).where(ApiToken.user_id == user.id))).all():
        await tokens.drop(session, actor, token)
