"""Reads of the fleet."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.fleet.models import Presence
from landform.identity.actor import Actor
from landform.kit.db import database_now
from landform.kit.errors import ForbiddenError
from landform.kit.pagination import Page, Paged, fetch_page


async def present(session: AsyncSession) -> Sequence[Presence]:
    """Return the processes that live, as far as is known; for operators, who need no actor."""
    query = _alive(await database_now(session))
    return (await session.scalars(query.order_by(Presence.kind, Presence.started_at))).all()


async def list_processes(session: AsyncSession, actor: Actor, page: Page) -> Paged[Presence]:
    """Return the processes that live; for site admins.

    Raises:
        ForbiddenError: `actor` is not one.
    """
    if not actor.is_site_admin:
        raise ForbiddenError("Only a site admin can see the platform's processes.")
    query = _alive(await database_now(session))
    return await fetch_page(session, query, page, Presence.kind, Presence.started_at, Presence.id)


def _alive(moment: datetime) -> Select[Presence]:
    return select(Presence).where(Presence.expires_at > moment)
