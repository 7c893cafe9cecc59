"""Reads of the audit trail."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.events import EventRow
from landform.kit.pagination import Page, Paged, fetch_page


async def trail(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    *,
    since: datetime | None = None,
    event: str = "",
    actor_id: str = "",
    subject_id: str = "",
    page: Page,
) -> Paged[EventRow]:
    """Return what happened in the organization, newest first.

    Args:
        since: only what happened at that moment or later.
        event: only events in whose name this is, in any case: `run`, `denied`.
        actor_id: only what this actor did.
        subject_id: only what happened to this.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        ForbiddenError: `actor` may not read its audit trail.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.READ_AUDIT_TRAIL, place)
    query = select(EventRow).where(EventRow.organization_id == organization_id)
    if since is not None:
        query = query.where(EventRow.at >= since)
    if event:
        query = query.where(EventRow.name.icontains(event, autoescape=True))
    if actor_id:
        query = query.where(EventRow.actor_id == actor_id)
    if subject_id:
        query = query.where(EventRow.subject_id == subject_id)
    return await fetch_page(session, query, page, EventRow.id.desc())
