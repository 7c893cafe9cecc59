"""Runs that start by themselves: once per tick, by the permission of whoever set them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from landform.access.models import TeamMember, WorkspaceGrant
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import User
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import locks
from landform.runs.models import Run
from landform.schedules import service
from landform.schedules.models import Schedule
from landform.schedules.service import ScheduleSettings
from landform.schedules.ticking import run_due
from landform.workspaces.models import Workspace
from landform.workspaces.run_kinds import RunKind
from tests import factories
from tests.schedules.test_service import set_up, somebody
from tests.world import World


async def make_due(world: World, row: Schedule, *, ago: timedelta = timedelta(seconds=1)) -> None:
    async with transaction(world.platform.sessions) as session:
        statement = update(Schedule).where(Schedule.id == row.id)
        await session.execute(statement.values(next_at=now() - ago))


async def tick(world: World) -> int:
    return await run_due(world.platform.sessions, world.platform.keyring)


async def again(world: World, row: Schedule) -> Schedule:
    async with transaction(world.platform.sessions) as session:
        return await session.get_one(Schedule, row.id)


async def end(world: World) -> None:
    for run in await world.runs():
        await world.cancel(run.id)


async def test_a_run_says_why_it_was_started_and_whose_permission_it_uses(world: World) -> None:
    row = await set_up(world, time_zone="Europe/Berlin", description="Looks for drift.")
    assert await tick(world) == 0
    await make_due(world, row)
    assert await tick(world) == 1
    [run] = await world.runs()
    assert run.message == "Scheduled: 30 3 * * * (Europe/Berlin). Looks for drift."
    assert (run.source, run.created_by) == ("landform-schedule", world.owner.id)
    row = await again(world, row)
    assert (row.last_run_id, row.last_outcome) == (run.id, "")
    assert row.next_at is not None
    assert row.next_at > now()


@pytest.mark.parametrize("kind", RunKind)
async def test_what_is_run_is_what_was_said(world: World, kind: RunKind) -> None:
    row = await set_up(world, run_kind=kind)
    await make_due(world, row)
    await tick(world)
    [run] = await world.runs()
    said = (kind.plan_only, kind.is_destroy, kind.auto_apply)
    assert (run.plan_only, run.is_destroy, run.auto_apply) == said


async def test_many_workers_at_once_start_one_run_per_tick(world: World) -> None:
    rows = [await set_up(await world.beside(), cron=f"{minute} 3 * * *") for minute in range(4)]
    for row in rows:
        await make_due(world, row)
    counts = await asyncio.gather(*(tick(world) for _ in range(6)))
    assert sum(counts) == len(rows)
    async with transaction(world.platform.sessions) as session:
        for row in rows:
            last = (await session.get_one(Schedule, row.id)).last_run_id
            assert (await session.get_one(Run, last)).workspace_id == row.workspace_id


async def test_what_was_missed_while_nobody_was_there_is_run_once(world: World) -> None:
    minute = (now().minute + 30) % 60  # none comes while we look
    row = await set_up(world, cron=f"{minute} * * * *")
    await make_due(world, row, ago=timedelta(days=3))
    assert await tick(world) == 1
    assert await tick(world) == 0
    assert len(await world.runs()) == 1


async def test_a_tick_in_a_locked_workspace_is_let_go_by(world: World) -> None:
    row = await set_up(world)
    await world.on_workspace(locks.lock, reason="Hands off.")
    await make_due(world, row)
    assert await tick(world) == 1
    row = await again(world, row)
    assert (row.last_outcome, row.enabled) == ("The workspace was locked.", True)
    await world.on_workspace(locks.unlock)
    assert await tick(world) == 0, "it waits for its next tick"
    await make_due(world, row)
    await tick(world)
    assert len(await world.runs()) == 1
    assert (await again(world, row)).last_outcome == ""


async def test_runs_of_a_schedule_do_not_pile_up(world: World) -> None:
    row = await set_up(world, cron="*/5 * * * *")
    for _ in range(3):
        await make_due(world, row)
        await tick(world)
    [run] = await world.runs()
    assert (await again(world, row)).last_outcome == f"Its last run, {run.id}, had not ended."
    await end(world)
    await make_due(world, row)
    await tick(world)
    assert len(await world.runs()) == 2


async def test_why_no_run_could_be_made_is_kept_and_the_next_tick_tries_again(world: World) -> None:
    local = await world.beside(execution_mode="local")
    row = await set_up(local)
    await make_due(world, row)
    assert await tick(world) == 1
    row = await again(world, row)
    assert "execution mode local" in row.last_outcome
    assert row.enabled
    assert row.next_at is not None


async def lose_membership(world: World, actor: Actor) -> str:
    async with transaction(world.platform.sessions) as session:
        await session.execute(delete(TeamMember).where(TeamMember.user_id == actor.id))
    return "lacks the permission to queue plans now"


async def lose_access(world: World, actor: Actor) -> str:
    async with transaction(world.platform.sessions) as session:
        await session.execute(update(WorkspaceGrant).values(level="read"))
    return "lacks the permission to queue plans now"


async def be_suspended(world: World, actor: Actor) -> str:
    async with transaction(world.platform.sessions) as session:
        (await session.get_one(User, actor.id)).is_suspended = True
    return "was suspended"


async def be_gone(world: World, actor: Actor) -> str:
    async with transaction(world.platform.sessions) as session:
        await session.delete(await session.get_one(User, actor.id))
    return "not there any more"


@pytest.mark.parametrize("loss", [lose_membership, lose_access, be_suspended, be_gone])
async def test_a_schedule_stops_with_a_reason_when_its_person_may_not_run_any_more(
    world: World, loss: Callable[[World, Actor], Awaitable[str]]
) -> None:
    actor = await somebody(world, "admin")
    row = await set_up(world, actor)
    reason = await loss(world, actor)
    await make_due(world, row)
    assert await tick(world) == 1
    assert await world.runs() == []
    row = await again(world, row)
    assert reason in row.stopped_reason
    assert (row.enabled, row.next_at) == (False, None)
    stopped = (await world.events(row.id))[-1]
    assert (stopped.name, stopped.actor_id) == ("ScheduleStopped", "landform")
    on = ScheduleSettings(enabled=True)
    row = await world.on_workspace(service.update_schedule, schedule=row, given=on)
    assert (row.stopped_reason, row.acts_for_id) == ("", world.owner.id)
    assert row.next_at is not None


async def test_a_plan_goes_on_for_whoever_may_only_plan_and_an_apply_does_not(world: World) -> None:
    actor = await somebody(world, "admin")
    plan = await set_up(world, actor)
    apply = await set_up(world, actor, run_kind=RunKind.APPLY)
    async with transaction(world.platform.sessions) as session:
        await session.execute(update(WorkspaceGrant).values(level="plan"))
    await make_due(world, plan)
    await make_due(world, apply)
    assert await tick(world) == 2
    [run] = await world.runs()
    assert run.plan_only
    assert "queue applies" in (await again(world, apply)).stopped_reason


async def test_a_schedule_of_a_teams_token_acts_for_the_team_while_it_is_there(
    world: World,
) -> None:
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        workspace = await session.get_one(Workspace, world.workspace_id)
        team = await factories.make_team(session, organization)
        await factories.grant(session, team, workspace, "admin")
        actor = factories.team_actor(team)
    row = await set_up(world, actor)
    await make_due(world, row)
    await tick(world)
    [run] = await world.runs()
    assert (run.created_by, row.acts_for_kind) == (team.id, ActorKind.TEAM)
    await end(world)
    async with transaction(world.platform.sessions) as session:
        await session.delete(await session.get_one(type(team), team.id))
    await make_due(world, row)
    await tick(world)
    assert "not there any more" in (await again(world, row)).stopped_reason
