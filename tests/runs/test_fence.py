"""The fence: an attempt that lost its phase can write nothing more; a repeat changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from landform.contract import (
    Artefact,
    Created,
    LogStream,
    LostLeaseError,
    Outcome,
    Phase,
    PhaseJob,
    PhaseResult,
)
from landform.runs import attempts
from landform.runs.attempt_paths import artefact_path
from landform.runs.attempts import Platform
from landform.runs.service import cancel
from landform.runs.status import PhaseStatus
from tests.files import make_state
from tests.world import World

Write = Callable[[World, PhaseJob], Awaitable[object]]

WRITES: Final[dict[str, Write]] = {
    "renew": lambda world, job: attempts.renew(world.platform, job),
    "fetch": lambda world, job: attempts.fetch(world.platform, job, Artefact.CONFIGURATION),
    "put": lambda world, job: attempts.put(world.platform, job, Artefact.PLAN_JSON, b"stale"),
    "append_log": lambda world, job: world.append(job, 0, b"stale\n"),
    "put_state": lambda world, job: attempts.put_state(
        world.platform, job, make_state(9), final=True
    ),
    "report_created": lambda world, job: attempts.report_created(
        world.platform, job, [Created(address="a.b")]
    ),
    "finish": lambda world, job: attempts.finish(
        world.platform, job, PhaseResult(outcome=Outcome.FINISHED, has_changes=True)
    ),
    "say": lambda world, job: attempts.say(world.platform, job, "stale"),
    "forfeit": lambda world, job: attempts.forfeit(world.platform, job),
}


async def applying(world: World) -> PhaseJob:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    return await world.must_begin(run_id, Phase.APPLY)


@pytest.mark.parametrize("name", sorted(WRITES.keys() - {"put_state"}))
async def test_a_plan_that_was_taken_over_can_write_nothing(world: World, name: str) -> None:
    run_id = await world.create()
    stale = await world.must_begin(run_id)
    await attempts.put(world.platform, stale, Artefact.PLAN_JSON, b"first")
    await world.append(stale, 0, b"first\n")
    await world.expire(stale)
    assert await world.sweep() == 1
    fresh = await world.must_begin(run_id)
    assert fresh.epoch == stale.epoch + 1
    await attempts.put(world.platform, fresh, Artefact.PLAN_JSON, b"second")
    await refuses(world, stale, WRITES[name])
    phase = await world.phase(run_id)
    assert phase.artefacts == {Artefact.PLAN_JSON.value: fresh.epoch}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_an_apply_that_was_given_up_on_can_write_nothing(world: World, write: Write) -> None:
    stale = await applying(world)
    await world.append(stale, 0, b"first\n")
    await attempts.put_state(world.platform, stale, make_state(1), final=False)
    await world.expire(stale)
    assert await world.sweep() == 1
    await refuses(world, stale, write)
    assert (await world.current_state()).serial == 1


async def refuses(world: World, job: PhaseJob, write: Write) -> None:
    before = await world.snapshot()
    with pytest.raises(LostLeaseError):
        await write(world, job)
    assert await world.snapshot() == before


@pytest.mark.parametrize("write", [WRITES["put"], WRITES["append_log"]], ids=["put", "append_log"])
async def test_what_an_ended_attempt_wrote_stays_as_it_was(world: World, write: Write) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await attempts.put(world.platform, job, Artefact.PLAN_JSON, b"first")
    await world.append(job, 0, b"first\n")
    await world.finish(job)
    with pytest.raises(LostLeaseError):
        await write(world, job)
    assert await world.log(run_id) == b"first\n"
    path = artefact_path(job.phase_id, Artefact.PLAN_JSON, job.epoch)
    assert await world.platform.store.get(path) == b"first"


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_an_attempt_that_ends_its_phase_twice_is_heard_once(
    world: World, outcome: Outcome
) -> None:
    run_id = await world.create(auto_apply=True)
    job = await world.must_begin(run_id)
    result = PhaseResult(outcome=outcome, has_changes=outcome is Outcome.FINISHED)
    await attempts.finish(world.platform, job, result)
    before = await world.snapshot()
    await attempts.finish(world.platform, job, result)
    assert await world.snapshot() == before


async def test_an_attempt_that_was_ended_by_others_hears_that_its_end_did_not_count(
    world: World,
) -> None:
    job = await applying(world)
    await world.expire(job)
    await world.sweep()
    result = PhaseResult(outcome=Outcome.ERRORED, error="interrupted")
    before = await world.snapshot()
    with pytest.raises(LostLeaseError):
        await attempts.finish(world.platform, job, result)
    assert await world.snapshot() == before


async def test_a_state_that_is_saved_twice_is_kept_once(world: World) -> None:
    job = await applying(world)
    await attempts.put_state(world.platform, job, make_state(1), final=True)
    before = await world.snapshot()
    await attempts.put_state(world.platform, job, make_state(1), final=True)
    assert await world.snapshot() == before


@pytest.mark.parametrize("stream", list(LogStream))
async def test_a_piece_of_log_that_is_told_twice_is_kept_once(
    world: World, stream: LogStream
) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await world.append(job, 0, b"one\n", stream)
    await world.append(job, 4, b"two\n", stream)
    before = await world.snapshot()
    await world.append(job, 0, b"one\n", stream)
    await world.append(job, 4, b"two\n", stream)
    assert await world.snapshot() == before


async def test_of_two_workers_at_once_one_gets_the_phase(world: World) -> None:
    run_id = await world.create()
    jobs = await asyncio.gather(*(world.begin(run_id) for _ in range(4)))
    [job] = [job for job in jobs if job is not None]
    lease = await world.lease(run_id)
    assert (lease.epoch, job.epoch) == (1, 1)
    assert (await world.phase(run_id)).attempts == 1


async def test_of_two_sweeps_at_once_one_takes_the_attempt_over(world: World) -> None:
    run_id = await world.create()
    await world.expire(await world.must_begin(run_id))
    assert sum(await asyncio.gather(*(world.sweep() for _ in range(4)))) == 1
    assert (await world.phase(run_id)).status is PhaseStatus.QUEUED


async def test_of_an_end_and_a_sweep_at_once_one_counts(world: World) -> None:
    job = await applying(world)
    await world.expire(job)
    ended, _ = await asyncio.gather(world.finish(job), world.sweep(), return_exceptions=True)
    status = await world.status(job.run_id)
    if isinstance(ended, LostLeaseError):
        assert status == "errored"
    else:
        assert (ended, status) == (None, "applied")


async def test_of_an_end_and_a_cancel_at_once_no_plan_is_left_waiting_that_was_canceled(
    world: World,
) -> None:
    run_id = await world.create(auto_apply=True)
    job = await world.must_begin(run_id)
    results = await asyncio.gather(
        world.finish(job), world.say(cancel, run_id), return_exceptions=True
    )
    assert results[0] is None
    assert await world.status(run_id) == "canceled"


async def test_a_lease_that_is_over_time_holds_until_somebody_takes_it(world: World) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await world.expire(job)
    await attempts.renew(world.platform, job)
    assert await world.sweep() == 0
    await world.finish(job)
    assert await world.status(run_id) == "planned"


async def test_a_phase_nobody_knows_is_not_begun(platform: Platform) -> None:
    async def resolve(*_: object) -> str:
        raise AssertionError

    begun = await attempts.begin(platform, resolve, phase_id="plan-none", worker_id="w")
    assert begun is None
