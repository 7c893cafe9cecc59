"""Phases of a workspace in execution mode agent are its pool's, and nobody else's."""

from typing import Any

import pytest
from sqlalchemy import text

from landform.agents.queries import get_pool
from landform.contract import LostLeaseError, Outcome, Phase
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, InvalidError, LandformError
from landform.runs import attempts, pools, queries
from landform.runs.models import Run
from landform.workspaces import service as workspaces
from landform.workspaces.models import ExecutionMode
from landform.workspaces.settings import WorkspaceSettings
from tests import factories
from tests.files import make_state
from tests.runs.pools import Member, Pool
from tests.world import World


@pytest.fixture
async def pool(world: World) -> Pool:
    return await Pool.make(world)


@pytest.fixture
async def far(pool: Pool) -> World:
    """A workspace that runs in the pool."""
    return await pool.workspace()


async def jobs(world: World) -> int:
    async with transaction(world.platform.sessions) as session:
        counted = await session.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
    return int(counted or 0)


async def change(world: World, **settings: Any) -> None:
    wanted = WorkspaceSettings(**settings)
    await world.on_workspace(workspaces.update_workspace, settings=wanted)


async def delete(pool: Pool) -> None:
    async with transaction(pool.world.platform.sessions) as session:
        row = await get_pool(session, pool.world.owner, pool.id)
        await pools.delete_pool(session, pool.world.owner, row)


async def reason(world: World, run_id: str) -> str:
    async with transaction(world.platform.sessions) as session:
        run = await session.get_one(Run, run_id)
        return (await queries.wait_reasons(session, [run]))[run_id]


async def test_no_worker_is_told_of_an_agents_phase_or_can_take_it(pool: Pool, far: World) -> None:
    before = await jobs(far)
    run_id = await far.create()
    assert await far.sweep() == 0
    assert await jobs(far) == before
    assert await far.begin(run_id) is None
    assert (await far.lease(run_id)).epoch == 0
    assert await Member(pool).begin(run_id) is not None


async def test_no_agent_can_take_the_phase_of_a_worker_or_of_another_pool(
    pool: Pool, far: World
) -> None:
    ordinary, of_pool = await pool.world.create(), await far.create()
    stranger = Member(await Pool.make(pool.world))
    assert await Member(pool).begin(ordinary) is None
    assert await stranger.begin(of_pool) is None
    assert await stranger.begin(ordinary) is None
    assert await pool.world.begin(ordinary) is not None
    assert await Member(pool).begin(of_pool) is not None


async def test_an_apply_goes_where_its_plan_was_made_whatever_the_workspace_is_set_to_since(
    pool: Pool, far: World
) -> None:
    run_id = await far.create()
    await far.finish(await Member(pool).must_begin(run_id))
    await change(far, execution_mode="remote")
    assert (await far.workspace()).agent_pool_id is None
    await far.confirm(run_id)
    assert await far.begin(run_id, Phase.APPLY) is None
    job = await Member(pool).must_begin(run_id, Phase.APPLY)
    await far.finish(job)
    assert await far.status(run_id) == "applied"
    assert await far.begin(await far.create()) is not None  # the next one is a worker's


async def test_a_plan_whose_agent_is_silent_is_tried_again_in_its_pool(
    pool: Pool, far: World
) -> None:
    run_id = await far.create()
    dead = await Member(pool).must_begin(run_id)
    await far.expire(dead)
    assert await far.sweep() == 1
    assert await far.begin(run_id) is None
    again = await Member(pool).must_begin(run_id)
    assert again.epoch == dead.epoch + 1
    with pytest.raises(LostLeaseError):
        await far.finish(dead)
    await far.finish(again)
    assert await far.status(run_id) == "planned"


async def test_an_apply_whose_agent_is_silent_is_never_begun_again(pool: Pool, far: World) -> None:
    run_id = await far.create(auto_apply=True)
    await far.finish(await Member(pool).must_begin(run_id))
    job = await Member(pool).must_begin(run_id, Phase.APPLY)
    await far.expire(job)
    assert await far.sweep() == 1
    assert await far.status(run_id) == "errored"
    assert await Member(pool).begin(run_id, Phase.APPLY) is None
    assert (await far.workspace()).is_locked
    with pytest.raises(LostLeaseError):
        await attempts.put_state(far.platform, job, make_state(1), final=True)


async def test_a_run_says_whether_an_agent_is_there_to_wait_for(pool: Pool, far: World) -> None:
    run_id = await far.create()
    assert "none of pool" in await reason(far, run_id)
    await Member(pool).join()
    assert "to be free" in await reason(far, run_id)
    assert await reason(pool.world, await pool.world.create()) == "Waiting for a worker."


async def test_a_pool_that_is_in_use_is_not_deleted(pool: Pool, far: World) -> None:
    run_id = await far.create()
    job = await Member(pool).must_begin(run_id)
    with pytest.raises(ConflictError, match="is not over"):
        await delete(pool)
    await far.finish(job)
    await change(far, execution_mode="remote")
    with pytest.raises(ConflictError, match=f"Run {run_id} is in agent pool"):
        await delete(pool)  # its apply would be nobody's
    await far.discard(run_id)
    await change(far, execution_mode="agent", agent_pool_id=pool.id)
    with pytest.raises(ConflictError, match="Workspaces run in agent pool"):
        await delete(pool)
    await change(far, execution_mode="remote")
    await delete(pool)


async def test_a_workspace_from_which_its_pool_was_taken_starts_no_run_there(
    pool: Pool, far: World
) -> None:
    run_id = await far.create()
    await pool.change(excluded_workspaces=[far.workspace_id])
    with pytest.raises(ConflictError, match="not for this workspace any more"):
        await far.create()
    await far.finish(await Member(pool).must_begin(run_id), Outcome.ERRORED)  # what was there ends


async def test_a_mode_and_a_pool_go_together(pool: Pool, far: World) -> None:
    with pytest.raises(InvalidError, match="needs an agent pool"):
        await change(pool.world, execution_mode="agent")
    with pytest.raises(InvalidError, match="mode agent only"):
        await change(pool.world, agent_pool_id=pool.id)
    with pytest.raises(InvalidError, match="mode agent only"):
        await change(far, execution_mode="local", agent_pool_id=pool.id)
    await change(far, execution_mode="local")
    assert (await far.workspace()).agent_pool_id is None


async def test_a_pool_of_another_organization_is_as_good_as_none(world: World) -> None:
    async with transaction(world.platform.sessions) as session:
        organization = await factories.make_organization(session)
        owner = await factories.make_owner(session, organization)
    theirs = await Pool.make(
        World(world.platform, organization.id, organization.name, "", owner, "")
    )
    said = []
    for pool_id in (theirs.id, "apool-NobodyHasThisId0", "\0"):
        with pytest.raises(InvalidError) as refused:
            await change(world, execution_mode="agent", agent_pool_id=pool_id)
        said.append(str(refused.value).replace(pool_id, "it"))
    assert len(set(said)) == 1


SCOPES: dict[str, tuple[dict[str, Any], bool]] = {
    "all": ({}, True),
    "none": ({"organization_scoped": False}, False),
    "this workspace": ({"organization_scoped": False, "allowed_workspaces": ["this"]}, True),
    "another workspace": ({"organization_scoped": False, "allowed_workspaces": ["other"]}, False),
    "its project": ({"organization_scoped": False, "allowed_projects": ["project"]}, True),
    "all but this": ({"excluded_workspaces": ["this"]}, False),
    "its project but this": (
        {
            "organization_scoped": False,
            "allowed_projects": ["project"],
            "excluded_workspaces": ["this"],
        },
        False,
    ),
}


@pytest.mark.parametrize(("settings", "may"), SCOPES.values(), ids=SCOPES)
async def test_a_pool_says_which_workspaces_may_run_in_it(
    world: World, settings: dict[str, Any], may: bool
) -> None:
    ids = {
        "this": world.workspace_id,
        "other": (await world.beside()).workspace_id,
        "project": (await world.workspace()).project_id,
    }
    meant = {
        name: [ids[each] for each in value] if isinstance(value, list) else value
        for name, value in settings.items()
    }
    pool = await Pool.make(world, **meant)
    try:
        await change(world, execution_mode="agent", agent_pool_id=pool.id)
    except LandformError:
        assert not may
    else:
        assert may
        assert (await world.workspace()).execution_mode is ExecutionMode.AGENT
