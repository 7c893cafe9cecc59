"""Attempts whose worker went silent: a plan is tried again, an apply never is."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from landform.contract import Artefact, LogStream, Outcome, Phase
from landform.dispatch.models import Lease, LeaseState
from landform.kit.db import transaction
from landform.runs import attempts
from landform.runs.status import PhaseStatus
from landform.runs.sweep import MAX_PLAN_ATTEMPTS
from landform.workspaces.models import LockHolder
from tests.files import make_state, resource
from tests.world import World


async def test_an_interrupted_plan_is_tried_again_as_often_as_allowed(world: World) -> None:
    run_id = await world.create()
    for attempt in range(1, MAX_PLAN_ATTEMPTS + 1):
        job = await world.must_begin(run_id)
        assert job.epoch == attempt
        await world.expire(job)
        assert await world.sweep() == 1
    run = await world.run(run_id)
    assert run.status.value == "errored"
    assert "stopped answering while it planned" in run.error
    assert (await world.phase(run_id)).status is PhaseStatus.ERRORED
    assert not (await world.workspace()).is_locked
    interruptions = [e for e in await world.events(run_id) if e.name == "PhaseInterrupted"]
    assert [e.payload["tried_again"] for e in interruptions] == [True, True, False]


async def test_the_log_of_a_plan_that_was_tried_again_tells_both_tries(world: World) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await world.append(job, 0, b"first try\n")
    await world.expire(job)
    await world.sweep()
    again = await world.must_begin(run_id)
    await world.append(again, 0, b"second try\n")
    await world.finish(again)
    assert await world.log(run_id) == (
        b"first try\nThe worker stopped answering; planning again.\nsecond try\n"
    )


async def test_files_of_the_try_that_ended_the_plan_are_the_ones_that_count(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    job = await world.must_begin(run_id)
    await attempts.put(world.platform, job, Artefact.PLAN, b"first")
    await world.expire(job)
    await world.sweep()
    again = await world.must_begin(run_id)
    await attempts.put(world.platform, again, Artefact.PLAN, b"second")
    await world.finish(again)
    applying = await world.must_begin(run_id, Phase.APPLY)
    assert await attempts.fetch(world.platform, applying, Artefact.PLAN) == b"second"


async def test_a_plan_that_waits_for_its_confirmation_waits_for_ever(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id)
    async with transaction(world.platform.sessions) as session:
        await session.execute(text("UPDATE runs SET created_at = created_at - interval '1 year'"))
        moved = "queued_at - interval '1 year'"
        await session.execute(text(f"UPDATE leases SET queued_at = {moved}"))
    assert await world.sweep() == 0
    assert await world.status(run_id) == "planned"
    await world.confirm(run_id)
    assert await world.status(run_id) == "apply_queued"


async def test_an_interrupted_plan_that_was_to_stop_is_canceled(world: World) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await world.cancel(run_id)
    await world.expire(job)
    await world.sweep()
    assert await world.status(run_id) == "canceled"


async def test_an_interrupted_apply_is_never_tried_again(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await attempts.put_state(world.platform, job, make_state(1), final=False)
    await world.expire(job)
    assert await world.sweep() == 1
    run = await world.run(run_id)
    assert run.status.value == "errored"
    assert "may not be in it" in run.error
    assert run.error in (await world.log(run_id, Phase.APPLY)).decode()
    assert await world.is_sealed(run_id, Phase.APPLY)
    assert await world.begin(run_id, Phase.APPLY) is None
    workspace = await world.workspace()
    assert (workspace.lock_holder_kind, workspace.lock_holder_id) == (LockHolder.RUN, run_id)
    assert (await world.current_state()).serial == 1


async def test_objects_that_an_interrupted_apply_made_and_no_state_holds_are_named(
    world: World,
) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    kept = make_state(1, resources=[resource("kept")])
    await attempts.put_state(world.platform, job, kept, final=False)
    lines = [
        {
            "type": "apply_complete",
            "hook": {
                "resource": {"addr": f"terraform_data.{name}"},
                "action": "create",
                "id_key": "id",
                "id_value": value,
            },
        }
        for name, value in (("kept", "0"), ("lost", "77"))
    ]
    said = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    await world.append(job, 0, said, LogStream.JSON)
    await world.expire(job)
    await world.sweep()
    [lost] = (await world.phase(run_id, Phase.APPLY)).maybe_not_in_state
    assert (lost["address"], lost["id_value"]) == ("terraform_data.lost", "77")


async def test_the_queue_goes_on_after_a_plan_that_was_given_up(world: World) -> None:
    run_id, after = await world.create(), await world.create()
    for _ in range(MAX_PLAN_ATTEMPTS):
        await world.expire(await world.must_begin(run_id))
        await world.sweep()
    assert await world.status(after) == "plan_queued"


async def test_a_worker_that_ends_early_leaves_its_phase_to_the_next_sweep(world: World) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    assert await world.sweep() == 0
    await attempts.forfeit(world.platform, job)
    assert await world.sweep() == 1
    assert (await world.lease(run_id)).state is LeaseState.QUEUED


async def test_a_phase_whose_job_was_lost_is_rung_for_again(world: World) -> None:
    run_id = await world.create()
    async with world.platform.sessions.begin() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs"))
    assert await world.sweep() == 0, "it has only just been queued"
    async with world.platform.sessions.begin() as session:
        lease = await session.get_one(Lease, world.phase_id(run_id, Phase.PLAN))
        lease.queued_at -= timedelta(seconds=10)
    assert await world.sweep() == 1
    assert await world.sweep() == 0, "there is a job now"
    async with world.platform.sessions.begin() as session:
        jobs = await session.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
    assert jobs == 1


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_a_sweep_leaves_what_is_over_alone(world: World, outcome: Outcome) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    await world.finish(job, outcome)
    await world.expire(job)
    before = await world.snapshot()
    assert await world.sweep() == 0
    assert await world.snapshot() == before
