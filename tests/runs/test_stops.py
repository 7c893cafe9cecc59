"""Runs that are told to stop, and whether they do."""

from datetime import timedelta

import pytest

from landform.contract import Outcome, Phase, Stop
from landform.dispatch.models import LeaseState
from landform.kit.errors import ConflictError, ForbiddenError
from landform.runs import attempts, service
from landform.runs.errors import IllegalStepError
from landform.runs.models import Run
from landform.runs.status import PhaseStatus
from landform.workspaces.models import LockHolder
from tests import factories
from tests.world import World


async def wait_out(world: World, run_id: str) -> None:
    """Let the time pass after which a run may be force-canceled."""
    async with world.platform.sessions.begin() as session:
        run = await session.get_one(Run, run_id)
        assert run.cancel_asked_at is not None
        run.cancel_asked_at -= service.FORCE_CANCEL_AFTER + timedelta(seconds=1)


async def assert_unreachable(world: World, run_id: str, *phases: Phase) -> None:
    """See that nobody will read the logs of the phases for ever: they are over, and say so."""
    for phase in phases:
        assert (await world.phase(run_id, phase)).status is PhaseStatus.UNREACHABLE
        assert await world.is_sealed(run_id, phase)


async def test_a_run_that_waits_for_its_turn_is_canceled_at_once(world: World) -> None:
    await world.create()
    waiting = await world.create()
    await world.cancel(waiting)
    assert await world.status(waiting) == "canceled"
    assert await world.log(waiting) == b"Canceled before it began.\n"
    await assert_unreachable(world, waiting, *Phase)


async def test_a_run_that_waits_for_its_turn_and_is_discarded_leaves_no_log_open(
    world: World,
) -> None:
    await world.create()
    waiting = await world.create()
    await world.discard(waiting)
    assert await world.log(waiting) == b"Discarded before it began.\n"
    await assert_unreachable(world, waiting, *Phase)


async def test_a_run_whose_plan_is_discarded_or_failed_has_an_apply_that_nobody_waits_for(
    world: World,
) -> None:
    discarded = await world.create()
    await world.plan(discarded)
    await world.discard(discarded)
    failed = await world.create()
    await world.finish(await world.must_begin(failed), Outcome.ERRORED, error="Broke.")
    for run_id in (discarded, failed):
        await assert_unreachable(world, run_id, Phase.APPLY)
    assert await world.log(discarded, Phase.APPLY) == b"Discarded before it began.\n"
    assert await world.log(failed, Phase.APPLY) == b""


async def test_a_plan_that_waits_for_a_worker_is_canceled_at_once(world: World) -> None:
    run_id, after = await world.create(), await world.create()
    await world.cancel(run_id)
    run = await world.run(run_id)
    assert (run.status.value, run.error) == ("canceled", "Canceled before it began.")
    assert (await world.phase(run_id)).status is PhaseStatus.CANCELED
    assert (await world.lease(run_id)).state is LeaseState.ENDED
    assert await world.is_sealed(run_id)
    assert await world.begin(run_id) is None
    assert await world.status(after) == "plan_queued"


async def test_an_apply_that_waits_for_a_worker_is_canceled_at_once(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    await world.cancel(run_id)
    assert await world.status(run_id) == "canceled"
    assert await world.begin(run_id, Phase.APPLY) is None
    assert not (await world.workspace()).is_locked


async def test_a_confirmed_run_that_waits_is_canceled_at_once(world: World) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    await world.create()
    await world.confirm(saved)
    await world.cancel(saved)
    assert await world.status(saved) == "canceled"
    assert await world.log(saved, Phase.APPLY) == b"Canceled before it began.\n"
    await assert_unreachable(world, saved, Phase.APPLY)


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_phase_at_work_is_interrupted_and_ends_canceled(world: World, phase: Phase) -> None:
    run_id = await world.create(auto_apply=True)
    if phase is Phase.APPLY:
        await world.plan(run_id)
    job = await world.must_begin(run_id, phase)
    assert (await attempts.renew(world.platform, job)).stop is Stop.NO
    await world.cancel(run_id)
    assert await world.status(run_id) == ("planning" if phase is Phase.PLAN else "applying")
    assert (await attempts.renew(world.platform, job)).stop is Stop.INTERRUPT
    await world.finish(job, Outcome.CANCELED, error="Interrupted.", has_changes=False)
    assert await world.status(run_id) == "canceled"
    assert (await world.phase(run_id, phase)).status is PhaseStatus.CANCELED
    assert not (await world.workspace()).is_locked


async def test_a_plan_that_ended_before_it_heard_of_the_cancel_is_not_applied(
    world: World,
) -> None:
    run_id = await world.create(auto_apply=True)
    job = await world.must_begin(run_id)
    await world.cancel(run_id)
    await world.finish(job)
    assert await world.status(run_id) == "canceled"
    assert not (await world.workspace()).is_locked


async def test_an_apply_that_ended_before_it_heard_of_the_cancel_is_applied(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await world.cancel(run_id)
    await world.finish(job)
    assert await world.status(run_id) == "applied"


async def test_a_run_is_asked_to_stop_once(world: World) -> None:
    run_id = await world.create()
    await world.must_begin(run_id)
    await world.cancel(run_id)
    with pytest.raises(IllegalStepError):
        await world.cancel(run_id)


async def test_a_plan_that_waits_for_approval_is_discarded_not_canceled(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id)
    with pytest.raises(IllegalStepError, match="planned and so cannot be canceled"):
        await world.cancel(run_id)


async def test_whoever_may_plan_can_stop_their_own_plan_but_no_other(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        planner = await factories.make_actor(session, await world.workspace(), "plan")
        other = await factories.make_actor(session, await world.workspace(), "plan")
    run_id = await world.create(planner)
    with pytest.raises(ForbiddenError):
        await world.say(service.cancel, run_id, other)
    await world.say(service.cancel, run_id, planner)
    assert await world.status(run_id) == "canceled"


async def test_force_cancel_waits_until_the_run_had_time_to_stop(world: World) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    with pytest.raises(ConflictError, match="only 10 s after"):
        await world.say(service.force_cancel, run_id)
    await world.cancel(run_id)
    with pytest.raises(ConflictError, match="only 10 s after"):
        await world.say(service.force_cancel, run_id)
    await wait_out(world, run_id)
    await world.say(service.force_cancel, run_id)
    assert (await attempts.renew(world.platform, job)).stop is Stop.KILL


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_second_force_cancel_ends_the_run_whatever_its_worker_does(
    world: World, phase: Phase
) -> None:
    run_id = await world.create(auto_apply=True)
    if phase is Phase.APPLY:
        await world.plan(run_id)
    await world.must_begin(run_id, phase)
    await world.cancel(run_id)
    await wait_out(world, run_id)
    for _ in range(2):
        await world.say(service.force_cancel, run_id)
    run = await world.run(run_id)
    assert run.status.value == "canceled"
    assert "Force-canceled" in run.error
    assert (await world.lease(run_id, phase)).state is LeaseState.ENDED
    assert await world.is_sealed(run_id, phase)
    assert b"Force-canceled" in await world.log(run_id, phase)
    held = (await world.workspace()).lock_holder_kind
    assert held is (LockHolder.RUN if phase is Phase.APPLY else None)


async def test_force_cancel_is_for_who_administers_the_workspace(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        writer = await factories.make_actor(session, await world.workspace(), "write")
    run_id = await world.create()
    await world.must_begin(run_id)
    await world.cancel(run_id)
    await wait_out(world, run_id)
    with pytest.raises(ForbiddenError):
        await world.say(service.force_cancel, run_id, writer)
