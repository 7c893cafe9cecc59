"""Schedules set, changed and taken away.

A schedule acts for whoever set it last, so that nobody runs by somebody else's permission: to
change what it does or when is to set it.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor, ActorKind
from landform.kit import events
from landform.kit.db import database_now
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.text import check_text
from landform.schedules import rhythm
from landform.schedules.events import ScheduleChanged, ScheduleCreated, ScheduleDeleted
from landform.schedules.models import Schedule
from landform.schedules.queries import PER_WORKSPACE
from landform.workspaces import rows
from landform.workspaces.models import Workspace
from landform.workspaces.run_kinds import RunKind

_DESCRIPTION_LIMIT: Final = 500
ACTING: Final = frozenset({ActorKind.USER, ActorKind.TEAM})


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """What a client gives of a schedule; None means as it is, or the default.

    Attributes:
        time_zone: by its name, such as `Europe/Berlin`; UTC unless given.
    """

    cron: str | None = None
    time_zone: str | None = None
    run_kind: RunKind | None = None
    description: str | None = None
    enabled: bool | None = None


def permission_for(kind: RunKind) -> Permission:
    """Return what a person needs for a run of that kind to start by itself."""
    return Permission.QUEUE_APPLY if kind.auto_apply else Permission.QUEUE_PLAN


async def create_schedule(
    session: AsyncSession, actor: Actor, workspace: Workspace, given: ScheduleSettings
) -> Schedule:
    """Have runs of the workspace start by themselves, by the permission of `actor`.

    Raises:
        ForbiddenError: `actor` may not change the workspace, or not run what is to be run.
        InvalidError: the rhythm cannot be, or it is not said what is to be run.
        ConflictError: the workspace has as many schedules as it may.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    if not given.cron:
        raise InvalidError("Say when, by a cron expression: 30 3 * * MON-FRI.", pointer="cron")
    if given.run_kind is None:
        raise InvalidError("Say what is to be run.", pointer="run_kind")
    workspace = await rows.locked(session, workspace.id)
    mine = select(func.count()).select_from(Schedule).where(Schedule.workspace_id == workspace.id)
    if (await session.scalar(mine) or 0) >= PER_WORKSPACE:
        raise ConflictError(f"A workspace has at most {PER_WORKSPACE} schedules.")
    row = Schedule(
        workspace_id=workspace.id,
        cron=given.cron,
        time_zone=given.time_zone or "UTC",
        run_kind=given.run_kind,
        enabled=given.enabled is not False,
        acts_for_kind=actor.kind,
        acts_for_id=actor.id,
        created_by=actor.id,
        updated_by=actor.id,
    )
    await _set(session, actor, workspace, row, given)
    session.add(row)
    await session.flush()
    events.publish(
        session,
        ScheduleCreated(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=row.id,
            workspace_id=workspace.id,
            cron=row.cron,
            time_zone=row.time_zone,
            run_kind=row.run_kind,
        ),
    )
    return row


async def update_schedule(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    schedule: Schedule,
    given: ScheduleSettings,
) -> Schedule:
    """Set a schedule of the workspace anew; from then on it acts for `actor`, unless it is off.

    Raises:
        ForbiddenError: `actor` may not change the workspace, or not run what is to be run.
        InvalidError: the rhythm cannot be.
        NotFoundError: it was deleted meanwhile.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    workspace = await rows.locked(session, workspace.id)
    row = await _locked(session, schedule.id)
    if given.enabled is not None:
        row.enabled = given.enabled
    row.run_kind = given.run_kind or row.run_kind
    row.cron, row.time_zone = given.cron or row.cron, given.time_zone or row.time_zone
    row.updated_by = actor.id
    await _set(session, actor, workspace, row, given)
    await session.flush()
    events.publish(
        session,
        ScheduleChanged(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=row.id,
            workspace_id=workspace.id,
            cron=row.cron,
            time_zone=row.time_zone,
            run_kind=row.run_kind,
            enabled=row.enabled,
        ),
    )
    return row


async def delete_schedule(
    session: AsyncSession, actor: Actor, workspace: Workspace, schedule: Schedule
) -> None:
    """Take a schedule of the workspace away; its runs stay.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        NotFoundError: it was deleted meanwhile.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    workspace = await rows.locked(session, workspace.id)
    row = await _locked(session, schedule.id)
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        ScheduleDeleted(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=row.id,
            workspace_id=workspace.id,
            cron=row.cron,
        ),
    )


async def _set(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    row: Schedule,
    given: ScheduleSettings,
) -> None:
    """Check what a schedule now says, and whether `actor`, for whom it acts, may run that."""
    if given.description is not None:
        row.description = check_text(
            given.description,
            what="The description",
            limit=_DESCRIPTION_LIMIT,
            pointer="description",
        )
    moment = await database_now(session)
    read = rhythm.read(row.cron, row.time_zone, moment=moment)
    row.cron = read.expression
    if not row.enabled:
        row.next_at = None
        return
    await require(session, actor, permission_for(row.run_kind), workspace.place)
    if actor.kind not in ACTING:
        raise ForbiddenError("A schedule acts for a person or a team, and this is neither's token.")
    if row.run_kind.is_destroy and not workspace.allow_destroy_plan:
        raise InvalidError(
            f"Workspace {workspace.name} does not allow destroy plans.", pointer="run_kind"
        )
    row.acts_for_kind, row.acts_for_id = actor.kind, actor.id
    row.next_at, row.stopped_reason = read.after(moment), ""


async def _locked(session: AsyncSession, schedule_id: str) -> Schedule:
    row = await session.get(Schedule, schedule_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError(f"There is no schedule {schedule_id}.")
    return row
