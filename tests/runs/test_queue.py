"""Whose turn it is in a workspace, and what those who wait are told."""

import asyncio

import pytest

from landform.contract import Phase
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError
from landform.runs import deletion, queries, service
from landform.runs import locks as run_locks
from landform.runs.errors import IllegalStepError
from landform.states.document import md5_of
from landform.states.service import Announcement, announce
from landform.workspaces import locks
from tests import factories
from tests.files import make_state, resource
from tests.world import World


async def reason(world: World, run_id: str) -> str:
    async with transaction(world.platform.sessions) as session:
        run = await queries.get(session, world.owner, run_id)
        return (await queries.wait_reasons(session, [run]))[run.id]


async def test_runs_are_planned_in_the_order_they_came(world: World) -> None:
    runs = [await world.create() for _ in range(4)]
    for index, run_id in enumerate(runs):
        assert [await world.status(each) for each in runs[index:]] == [
            "plan_queued",
            *["pending"] * (len(runs) - index - 1),
        ]
        await world.plan(run_id, has_changes=False)


async def test_plan_only_runs_do_not_queue(world: World) -> None:
    await world.create()
    looking = [await world.create(plan_only=True) for _ in range(2)]
    assert [await world.status(each) for each in looking] == ["plan_queued"] * 2
    for run_id in looking:
        assert await world.begin(run_id) is not None


async def test_a_locked_workspace_holds_its_queue_and_says_so(world: World) -> None:
    await world.on_workspace(run_locks.lock, reason="moving house")
    run_id = await world.create()
    assert await world.status(run_id) == "pending"
    assert await reason(world, run_id) == (
        f"Waiting for the workspace to be unlocked by {world.owner.id}: moving house"
    )
    looking = await world.create(plan_only=True)
    assert await world.status(looking) == "plan_queued"
    await world.on_workspace(run_locks.unlock)
    assert await world.status(run_id) == "plan_queued"


async def test_every_run_that_waits_says_for_what(world: World) -> None:
    first = await world.create()
    assert await reason(world, first) == "Waiting for a worker."
    second, third = await world.create(), await world.create()
    assert await reason(world, second) == f"Waiting for {first}, which is plan_queued."
    await world.plan(first)
    assert await reason(world, first) == "Waiting for somebody to confirm or discard the plan."
    assert await reason(world, third) == f"Waiting for {first}, which is planned."
    await world.confirm(first)
    assert await reason(world, first) == "Waiting for a worker."
    await world.apply(first)
    assert await reason(world, first) == ""
    coming = await world.announce_configuration()
    early = await world.create(configuration_version_id=coming)
    assert await reason(world, early) == "Waiting for the configuration to be uploaded."


async def test_a_run_whose_configuration_is_still_coming_holds_nobody_up(world: World) -> None:
    coming = await world.announce_configuration()
    early = await world.create(configuration_version_id=coming)
    late = await world.create()
    assert await world.status(late) == "plan_queued"
    await world.upload_configuration(coming)
    assert await world.status(early) == "pending"
    await world.plan(late, has_changes=False)
    assert await world.status(early) == "plan_queued"


async def test_a_run_that_waits_knows_how_many_go_before_it(world: World) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    runs = [await world.create(), await world.create(plan_only=True)]
    runs += [await world.create() for _ in range(2)]
    async with transaction(world.platform.sessions) as session:
        found = await queries.positions(session, await world.runs())
    assert found == {runs[2]: 1, runs[3]: 2}


async def test_a_run_locks_its_workspace_until_it_ends(world: World) -> None:
    run_id = await world.create()
    with pytest.raises(ConflictError, match=f"Workspace already locked: .* by Run {run_id}"):
        await world.on_workspace(locks.lock)
    with pytest.raises(ConflictError, match=f"Unable to unlock: .* by Run {run_id}"):
        await world.on_workspace(run_locks.unlock)
    with pytest.raises(ConflictError, match="cancel or discard the run"):
        await world.on_workspace(run_locks.force_unlock)
    await world.cancel(run_id)
    assert not (await world.workspace()).is_locked


async def test_a_broken_lock_lets_the_queue_go_on(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        other = await factories.make_actor(session, await world.workspace(), "write")
    await world.on_workspace(run_locks.lock, other, reason="")
    run_id = await world.create()
    with pytest.raises(ForbiddenError):
        await world.on_workspace(run_locks.force_unlock, other)
    await world.on_workspace(run_locks.force_unlock)
    assert await world.status(run_id) == "plan_queued"


async def test_a_state_that_is_still_pending_keeps_the_lock_with_the_words_clients_look_for(
    world: World,
) -> None:
    await world.on_workspace(run_locks.lock, reason="")
    announced = Announcement(serial=1, md5=md5_of(make_state(1)), lineage="lineage-1")
    state = await world.on_workspace(announce, announcement=announced)
    with pytest.raises(ConflictError, match="latest state version is still pending"):
        await world.on_workspace(run_locks.unlock)
    await world.on_workspace(run_locks.force_unlock)
    assert (await world.state(state.id)).status.value == "discarded"
    assert not (await world.workspace()).is_locked


async def test_who_may_not_unlock_is_not_told_what_is_pending(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        reader = await factories.make_actor(session, await world.workspace(), "read")
        writer = await factories.make_actor(session, await world.workspace(), "write")
    await world.on_workspace(run_locks.lock, reason="")
    announced = Announcement(serial=1, md5="0" * 32, lineage="lineage-1")
    await world.on_workspace(announce, announcement=announced)
    for step in (run_locks.unlock, run_locks.force_unlock):
        with pytest.raises(ForbiddenError):
            await world.on_workspace(step, reader)
    with pytest.raises(ConflictError, match=f"Unable to unlock: .* {world.owner.id}"):
        await world.on_workspace(run_locks.unlock, writer)


async def test_of_two_confirms_at_once_one_goes_through(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id)
    found = await asyncio.gather(
        *(world.say(service.confirm, run_id) for _ in range(4)), return_exceptions=True
    )
    assert [type(each) for each in found].count(IllegalStepError) == 3
    assert found.count(None) == 1
    assert await world.status(run_id) == "apply_queued"
    assert (await world.lease(run_id, Phase.APPLY)).epoch == 0


async def test_runs_created_at_once_give_one_the_turn(world: World) -> None:
    runs = await asyncio.gather(*(world.create() for _ in range(5)))
    statuses = [await world.status(each) for each in runs]
    assert sorted(statuses) == ["pending"] * 4 + ["plan_queued"]
    by_number = sorted([await world.run(each) for each in runs], key=lambda run: run.number)
    assert by_number[0].status.value == "plan_queued"


async def test_a_workspace_at_work_is_not_deleted(world: World) -> None:
    run_id = await world.create()
    with pytest.raises(ConflictError, match=f"being processed by run {run_id}"):
        await world.on_workspace(deletion.delete_workspace, force=True)
    await world.cancel(run_id)
    await world.on_workspace(deletion.delete_workspace, force=False)


async def test_a_workspace_that_manages_something_is_deleted_only_by_force(world: World) -> None:
    await world.on_workspace(locks.lock)
    await world.save_state(make_state(1, resources=[resource(instances=3)]), serial=1)
    with pytest.raises(ConflictError, match="locked; unlock it first"):
        await world.on_workspace(deletion.delete_workspace, force=False)
    await world.on_workspace(run_locks.unlock)
    with pytest.raises(ConflictError, match="still manages 3 resources"):
        await world.on_workspace(deletion.delete_workspace, force=False)
    await world.on_workspace(deletion.delete_workspace, force=True)
