"""Reads of schedules, each within what the actor may see."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.schedules.models import Schedule
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace

PER_WORKSPACE: Final = 20
# What a selection of schedules can ask for.
_FIELDS: Final[Columns] = {
    "id": Schedule.id,
    "cron": Schedule.cron,
    "time_zone": Schedule.time_zone,
    "description": Schedule.description,
    "enabled": Schedule.enabled,
    "next_at": Schedule.next_at,
    "created_at": Schedule.created_at,
    "updated_at": Schedule.updated_at,
}


async def select_schedules(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    selection: Selection = EVERYTHING,
    page: Page = Page(size=PER_WORKSPACE),  # noqa: B008 - it is frozen
) -> Paged[Schedule]:
    """Return the schedules of a workspace, those made first before others unless it orders them.

    Raises:
        NotFoundError: `actor` may not know of the workspace.
        ForbiddenError: `actor` may not see its runs.
        MalformedError: the selection compares what cannot be compared.
    """
    await require(session, actor, Permission.READ_RUNS, workspace.place)
    wanted = narrowed(
        select(Schedule).where(Schedule.workspace_id == workspace.id), selection, _FIELDS
    )
    order = (*ordering(selection, _FIELDS), Schedule.created_at, Schedule.id)
    return await fetch_page(session, wanted, page, *order)


async def get(session: AsyncSession, actor: Actor, schedule_id: str) -> Schedule:
    """Return the schedule.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(Schedule, schedule_id)
    if row is None or not await workspaces.may_know(
        session, actor, row.workspace_id, Permission.READ_RUNS
    ):
        raise NotFoundError(f"There is no schedule {schedule_id}.")
    return row


async def of_workspace(
    session: AsyncSession, actor: Actor, workspace: Workspace, schedule_id: str
) -> Schedule:
    """Return the schedule if it is the workspace's.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await get(session, actor, schedule_id)
    if row.workspace_id != workspace.id:
        raise NotFoundError(f"{workspace.name} has no schedule {schedule_id}.")
    return row


async def of_workspaces(
    session: AsyncSession, actor: Actor, found: Sequence[Workspace]
) -> dict[str, Sequence[Schedule]]:
    """Return the schedules of workspaces whose runs `actor` may see, by id of the workspace."""
    ids = [
        each.id
        for each in found
        if await workspaces.may_know(session, actor, each.id, Permission.READ_RUNS)
    ]
    query = (
        select(Schedule)
        .where(Schedule.workspace_id.in_(ids))
        .order_by(Schedule.created_at, Schedule.id)
    )
    rows: dict[str, list[Schedule]] = {}
    for row in await session.scalars(query):
        rows.setdefault(row.workspace_id, []).append(row)
    return {workspace_id: rows.get(workspace_id, []) for workspace_id in ids}
