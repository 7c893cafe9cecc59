"""What the benchmark calls an apply done twice."""

from bench.doubled import doubled
from landform.contract import Phase, PhaseJob
from landform.dispatch.models import Lease, LeaseState
from landform.kit.db import transaction
from landform.runs import attempts
from landform.runs.models import Run
from landform.runs.status import RunStatus
from tests.files import make_state
from tests.world import World


async def applying(world: World) -> PhaseJob:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    return await world.must_begin(run_id, Phase.APPLY)


async def save(world: World, job: PhaseJob, serial: int, *, final: bool = True) -> None:
    await attempts.put_state(world.platform, job, make_state(serial), final=final)


async def doubled_of(world: World, job: PhaseJob) -> list[str]:
    async with transaction(world.platform.sessions) as session:
        return await doubled(session, [job.run_id])


async def test_an_apply_that_began_once_and_saved_snapshots_and_a_state_is_not_doubled(
    world: World,
) -> None:
    job = await applying(world)
    await save(world, job, 1, final=False)
    await save(world, job, 2)
    await world.finish(job)
    assert await doubled_of(world, job) == []


async def test_an_apply_that_left_two_states_is_doubled(world: World) -> None:
    job = await applying(world)
    await save(world, job, 1)
    await save(world, job, 2)
    await world.finish(job)
    assert await doubled_of(world, job) == [job.run_id]


async def test_an_apply_that_two_workers_began_is_doubled(world: World) -> None:
    first = await applying(world)
    async with transaction(world.platform.sessions) as session:  # as no sweep ever does
        lease = await session.get_one(Lease, first.phase_id)
        lease.state = LeaseState.QUEUED
        run = await session.get_one(Run, first.run_id)
        run.status = RunStatus.APPLY_QUEUED
    second = await world.must_begin(first.run_id, Phase.APPLY)
    await save(world, second, 1)
    await world.finish(second)
    assert await doubled_of(world, first) == [first.run_id]
