"""What a run uses of variables and variable sets, and that nobody changes it meanwhile."""

from sqlalchemy import func, select

from landform.contract import Phase
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs.creation import RunVariable
from landform.runs.models import RunInputs
from landform.variables import service, sets
from landform.variables.service import VariableSettings
from landform.variables.sets import SetSettings
from landform.workspaces.models import Workspace
from tests.world import World


async def _share(world: World, name: str, key: str, value: str, *, priority: bool = False) -> str:
    """Make a global set with one variable, and return the variable's id."""
    keyring = world.platform.keyring
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        settings = SetSettings(name=name, is_global=True, is_priority=priority)
        row = await sets.create_set(session, world.owner, organization, settings)
        given = VariableSettings(key=key, value=value, category="terraform", sensitive=True)
        made = await service.create_variable(session, keyring, world.owner, row, given)
        return made.row.id


async def _set(world: World, key: str, value: str) -> str:
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        given = VariableSettings(key=key, value=value, category="terraform")
        made = await service.create_variable(
            session, world.platform.keyring, world.owner, workspace, given
        )
        return made.row.id


async def _kept(world: World) -> int:
    async with transaction(world.platform.sessions) as session:
        return await session.scalar(select(func.count()).select_from(RunInputs)) or 0


async def test_a_run_uses_variable_sets_its_workspaces_variables_and_its_own(world: World) -> None:
    await _share(world, "plain", "from_set", "1")
    await _share(world, "weak", "region", "set")
    await _set(world, "region", "workspace")
    await _set(world, "color", "workspace")
    await _set(world, "size", "workspace")
    await _share(world, "strong", "size", "priority", priority=True)
    run_id = await world.create(
        variables=[RunVariable("color", '"run"'), RunVariable("size", '"run"')]
    )
    job = await world.must_begin(run_id)
    assert {one.key: one.value for one in job.variables} == {
        "from_set": "1",
        "region": "workspace",
        "color": '"run"',
        "size": "priority",
    }


async def test_what_a_plan_was_given_its_apply_is_given_whatever_is_changed_meanwhile(
    world: World,
) -> None:
    await _share(world, "shared", "a", "before")
    own = await _set(world, "b", "before")
    run_id = await world.create()
    planned = await world.must_begin(run_id)
    await world.finish(planned)
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        keyring = world.platform.keyring
        after = VariableSettings(value="after")
        await service.update_variable(session, keyring, world.owner, workspace, own, after)
    await _share(world, "strong", "a", "after", priority=True)
    await world.confirm(run_id)
    applied = await world.must_begin(run_id, Phase.APPLY)
    assert applied.variables == planned.variables
    assert {one.key: one.value for one in applied.variables} == {"a": "before", "b": "before"}
    await world.finish(applied)
    following = await world.must_begin(await world.create())
    assert {one.key: one.value for one in following.variables} == {"a": "after", "b": "after"}


async def test_a_plan_that_begins_again_is_given_the_same(world: World) -> None:
    own = await _set(world, "b", "before")
    run_id = await world.create()
    first = await world.must_begin(run_id)
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        await service.delete_variable(session, world.owner, workspace, own)
    await world.expire(first)
    await world.sweep()
    again = await world.must_begin(run_id)
    assert again.epoch > first.epoch
    assert again.variables == first.variables


async def test_nothing_is_kept_of_what_a_run_used_once_it_is_over(world: World) -> None:
    await _set(world, "b", "before")
    applied, discarded = [await world.create() for _ in range(2)]
    await world.plan(applied)
    assert await _kept(world) == 1
    await world.confirm(applied)
    await world.apply(applied)
    assert await _kept(world) == 0
    await world.plan(discarded)
    assert await _kept(world) == 1
    await world.discard(discarded)
    assert await _kept(world) == 0
