"""Setting schedules: who may, and for whom they act."""

from typing import Any

import pytest
from sqlalchemy import select

from landform.access.errors import DeniedError
from landform.identity.actor import Actor, ActorKind
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.runs import deletion
from landform.schedules import queries, service
from landform.schedules.models import Schedule
from landform.schedules.service import ScheduleSettings
from landform.workspaces.models import Workspace
from landform.workspaces.run_kinds import RunKind
from tests import factories
from tests.world import World


async def set_up(world: World, actor: Actor | None = None, **given: Any) -> Schedule:
    settings = ScheduleSettings(**{"cron": "30 3 * * *", "run_kind": RunKind.PLAN, **given})
    return await world.on_workspace(service.create_schedule, actor, given=settings)


async def somebody(world: World, level: str, custom: dict[str, Any] | None = None) -> Actor:
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        return await factories.make_actor(session, workspace, level, custom)


async def test_a_schedule_acts_for_whoever_set_it_and_says_when(world: World) -> None:
    row = await set_up(world, time_zone="Europe/Berlin", description="  Drift")
    assert (row.acts_for_kind, row.acts_for_id) == (ActorKind.USER, world.owner.id)
    assert row.next_at is not None
    assert row.next_at.minute == 30
    [created] = await world.events(row.id)
    assert created.name == "ScheduleCreated"


async def test_whoever_sets_it_anew_is_whom_it_acts_for(world: World) -> None:
    row = await set_up(world)
    other = await somebody(world, "admin")
    given = ScheduleSettings(run_kind=RunKind.DESTROY)
    row = await world.on_workspace(service.update_schedule, other, schedule=row, given=given)
    assert (row.acts_for_id, row.created_by, row.updated_by) == (other.id, world.owner.id, other.id)


async def test_to_set_one_takes_the_workspaces_settings_and_its_runs(world: World) -> None:
    for level in ("read", "plan", "write"):
        with pytest.raises(DeniedError, match="change the workspace's settings"):
            await set_up(world, await somebody(world, level))
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        its_token = factories.organization_actor(organization)
    with pytest.raises(DeniedError, match="queue plans"):
        await set_up(world, its_token)
    with pytest.raises(DeniedError, match="queue applies"):
        await set_up(world, its_token, run_kind=RunKind.APPLY)
    async with transaction(world.platform.sessions) as session:
        stranger = await factories.make_user(session)
        nobody = Actor(kind=ActorKind.USER, id=stranger.id)
    with pytest.raises(NotFoundError):
        await set_up(world, nobody)


async def test_who_may_not_run_may_still_switch_it_off_and_take_it_away(world: World) -> None:
    row = await set_up(world)
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        its_token = factories.organization_actor(organization)
    off = ScheduleSettings(enabled=False)
    row = await world.on_workspace(service.update_schedule, its_token, schedule=row, given=off)
    assert (row.next_at, row.acts_for_id) == (None, world.owner.id)
    on = ScheduleSettings(enabled=True)
    with pytest.raises(ForbiddenError):
        await world.on_workspace(service.update_schedule, its_token, schedule=row, given=on)
    await world.on_workspace(service.delete_schedule, its_token, schedule=row)
    with pytest.raises(NotFoundError):
        await world.on_workspace(service.delete_schedule, its_token, schedule=row)


async def test_a_token_of_the_platform_is_nobody_to_act_for(world: World) -> None:
    system = Actor(kind=ActorKind.SYSTEM, id="landform")
    with pytest.raises(ForbiddenError, match="a person or a team"):
        await set_up(world, system)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"cron": None}, "cron"),
        ({"cron": "* * * * *"}, "cron"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"run_kind": None}, "run_kind"),
        ({"description": "x" * 501}, "description"),
    ],
)
async def test_what_cannot_be_is_refused_where_it_is(
    world: World, given: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidError) as failure:
        await set_up(world, **given)
    assert failure.value.pointer == pointer


async def test_a_destroy_is_not_scheduled_where_none_is_allowed(world: World) -> None:
    guarded = await world.beside(allow_destroy_plan=False)
    with pytest.raises(InvalidError, match="does not allow destroy plans"):
        await set_up(guarded, run_kind=RunKind.CONFIRMED_DESTROY)


async def test_a_workspace_has_twenty_schedules_at_most(world: World) -> None:
    for _ in range(queries.PER_WORKSPACE):
        await set_up(world)
    with pytest.raises(ConflictError, match="at most 20"):
        await set_up(world)


async def test_schedules_end_with_their_workspace(world: World) -> None:
    await set_up(world)
    await world.on_workspace(deletion.delete_workspace, force=True)
    async with transaction(world.platform.sessions) as session:
        assert (await session.scalars(select(Schedule))).all() == []
