"""Starts the runs whose time has come; any number of workers do so at once, without a leader.

A tick is dealt with in one transaction, under the lock of the workspace and of the schedule: the
run is made and the schedule's time moved on, or neither. So there is one run per tick, whoever
dies in between; and one only for all that were missed while nobody was there.
"""

import asyncio
import random
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Team
from landform.access.service import may
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit import events
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, database_now, transaction
from landform.kit.errors import LandformError
from landform.runs import creation
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.runs.status import FINAL
from landform.schedules.events import ScheduleStopped
from landform.schedules.models import Schedule
from landform.schedules.rhythm import SHORTEST
from landform.schedules.service import permission_for
from landform.workspaces import rows
from landform.workspaces.models import LockHolder, Workspace

log = structlog.get_logger()

SOURCE: Final = "landform-schedule"
_AT_ONCE: Final = 100
_OUTCOME_LIMIT: Final = 500  # characters


async def tick_forever(sessions: Sessions, keyring: Keyring, *, every_s: float) -> None:
    """Start runs as they come due, until cancelled."""
    while True:
        try:
            await run_due(sessions, keyring)
        except LandformError as failure:
            log.warning("schedules were not looked at", error=str(failure))
        except Exception:  # without it, no schedule runs any more
            log.exception("schedules were not looked at for a reason of ours")
        await asyncio.sleep(every_s)


async def run_due(sessions: Sessions, keyring: Keyring) -> int:
    """Deal with every tick whose time has come; return how many were ours."""
    query = select(Schedule.id, Schedule.workspace_id).where(
        Schedule.next_at <= func.clock_timestamp()
    )
    async with transaction(sessions) as session:
        found = (await session.execute(query.order_by(Schedule.next_at).limit(_AT_ONCE))).all()
    due = [(row[0], row[1]) for row in found]
    random.shuffle(due)  # several workers begin in different places
    count = 0
    for schedule_id, workspace_id in due:
        try:
            async with transaction(sessions) as session:
                count += await _deal_with(session, keyring, schedule_id, workspace_id)
        except LandformError as failure:
            log.warning("a tick was put off", schedule=schedule_id, error=str(failure))
        except Exception:  # it must not keep the others waiting
            log.exception("a tick was put off for a reason of ours", schedule=schedule_id)
    return count


async def _deal_with(
    session: AsyncSession, keyring: Keyring, schedule_id: str, workspace_id: str
) -> bool:
    """Make the run of a tick, or note why there is none; False: somebody else did."""
    workspace = await rows.locked_if_any(session, Workspace.id == workspace_id)
    schedule = await session.get(
        Schedule, schedule_id, with_for_update=True, populate_existing=True
    )
    moment = await database_now(session)
    if workspace is None or schedule is None or schedule.next_at is None:
        return False
    if schedule.next_at > moment:
        return False
    schedule.last_at = schedule.next_at
    following = schedule.rhythm.after(moment)
    while following - schedule.last_at < SHORTEST:
        following = schedule.rhythm.after(following)
    schedule.next_at = following
    actor, reason = await _acting(session, schedule, workspace)
    if actor is None:
        _stop(session, schedule, workspace, reason)
        return True
    outcome = await _held_back(session, schedule, workspace)
    if not outcome:
        outcome = await _start(session, keyring, actor, schedule, workspace)
    schedule.last_outcome = outcome[:_OUTCOME_LIMIT]
    return True


async def _start(
    session: AsyncSession, keyring: Keyring, actor: Actor, schedule: Schedule, workspace: Workspace
) -> str:
    """Create the run; return why it could not be."""
    kind = schedule.run_kind
    new = NewRun(
        message=schedule.message,
        source=SOURCE,
        plan_only=kind.plan_only,
        is_destroy=kind.is_destroy,
        auto_apply=kind.auto_apply,
    )
    try:
        async with session.begin_nested():
            run = await creation.create_run(session, keyring, actor, workspace, new)
    except LandformError as failure:
        return str(failure)
    schedule.last_run_id = run.id
    return ""


async def _acting(
    session: AsyncSession, schedule: Schedule, workspace: Workspace
) -> tuple[Actor | None, str]:
    """Return for whom the schedule acts; or nobody, and why that person may not any more."""
    actor, who = None, "Whoever set the schedule"
    if schedule.acts_for_kind is ActorKind.USER:
        user = await session.get(User, schedule.acts_for_id)
        if user is None:
            return None, f"{who} is not there any more."
        if user.is_suspended:
            return None, f"{user.username}, who set the schedule, was suspended."
        actor, who = actor_of(user), f"{user.username}, who set the schedule,"
    elif schedule.acts_for_kind is ActorKind.TEAM:
        team = await session.get(Team, schedule.acts_for_id)
        if team is not None:
            actor = Actor(
                kind=ActorKind.TEAM,
                id=team.id,
                name=team.name,
                organization_id=team.organization_id,
            )
            who = f"Team {team.name}, whose token set the schedule,"
    if actor is None:
        return None, f"{who} is not there any more."
    wanted = permission_for(schedule.run_kind)
    if not await may(session, actor, wanted, workspace.place):
        return None, f"{who} lacks the permission to {wanted} now."
    return actor, ""


async def _held_back(session: AsyncSession, schedule: Schedule, workspace: Workspace) -> str:
    """Return why a tick is let go by: a lock that lasts, or its last run, which has not ended."""
    by_run = workspace.lock_holder_kind is LockHolder.RUN and not workspace.lock_reason
    if workspace.is_locked and not by_run:
        return "The workspace was locked."
    last = await session.get(Run, schedule.last_run_id) if schedule.last_run_id else None
    if last is not None and last.status not in FINAL:
        return f"Its last run, {last.id}, had not ended."
    return ""


def _stop(session: AsyncSession, schedule: Schedule, workspace: Workspace, reason: str) -> None:
    schedule.enabled, schedule.next_at = False, None
    schedule.stopped_reason = reason
    events.publish(
        session,
        ScheduleStopped(
            actor_id=SYSTEM.id,
            organization_id=workspace.organization_id,
            subject_id=schedule.id,
            workspace_id=workspace.id,
            reason=reason,
        ),
    )
