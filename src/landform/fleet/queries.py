"""Reads of the fleet."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.fleet.models import Presence
from landform.kit.db import database_now


async def present(session: AsyncSession) -> Sequence[Presence]:
    """Return the processes that live, as far as is known; for operators, who need no actor."""
    moment = await database_now(session)
    query = select(Presence).where(Presence.expires_at > moment)
    return (await session.scalars(query.order_by(Presence.kind, Presence.started_at))).all()
