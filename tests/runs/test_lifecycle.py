"""A run from its creation to its end, through the services."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from landform.contract import Counts, Created, Outcome, Phase
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.runs import attempts, creation, locks, queries, service
from landform.runs.creation import RunVariable
from landform.runs.errors import IllegalStepError, StalePlanError
from landform.runs.status import PhaseStatus, RunStatus
from landform.states.models import StateStatus, StateVersion
from landform.toolchain.versions import Tool
from landform.workspaces.models import LockHolder
from tests import factories
from tests.files import make_state, resource
from tests.world import World


async def test_a_run_is_planned_confirmed_and_applied(world: World) -> None:
    run_id = await world.create(message="first")
    assert await world.status(run_id) == "plan_queued"
    job = await world.must_begin(run_id)
    assert (job.version, job.epoch) == ("1.11.4", 1)
    assert await world.status(run_id) == "planning"
    await world.finish(job, counts=Counts(additions=2, changes=1))
    assert await world.status(run_id) == "planned"
    plan = await world.phase(run_id)
    assert (plan.status, plan.additions, plan.changes) == (PhaseStatus.FINISHED, 2, 1)

    await world.confirm(run_id)
    assert await world.status(run_id) == "apply_queued"
    await world.apply(run_id, make_state(1, resources=[resource()]))
    run = await world.run(run_id)
    assert (run.status.value, run.confirmed_by) == ("applied", world.owner.id)
    state = await world.current_state()
    assert (state.run_id, state.serial, state.resource_count) == (run_id, 1, 1)
    assert not (await world.workspace()).is_locked


async def test_every_status_a_run_passed_has_its_time_and_its_event(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    await world.apply(run_id)
    passed = [
        *("plan_queued", "planning", "planned", "confirmed"),
        *("apply_queued", "applying", "applied"),
    ]
    run = await world.run(run_id)
    assert set(run.status_timestamps) == {f"{status.replace('_', '-')}-at" for status in passed}
    events = await world.events(run_id)
    assert [e.payload["status"] for e in events if e.name == "RunMoved"] == passed
    assert [e.name for e in events if e.name != "RunMoved"] == ["RunCreated", "RunConfirmed"]


async def test_auto_apply_confirms_a_plan_with_changes_by_itself(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    run = await world.run(run_id)
    assert (run.status.value, run.confirmed_by) == ("apply_queued", "landform")


async def test_the_workspace_s_auto_apply_holds_unless_the_run_says_otherwise(
    world: World,
) -> None:
    other = await world.beside(auto_apply=True)
    by_default, refused = await other.create(), await other.create(auto_apply=False)
    assert (await other.run(by_default)).auto_apply
    assert not (await other.run(refused)).auto_apply


async def test_whoever_may_only_plan_cannot_have_a_plan_applied_by_auto_apply(
    world: World,
) -> None:
    other = await world.beside(auto_apply=True)
    async with world.platform.sessions.begin() as session:
        planner = await factories.make_actor(session, await other.workspace(), "plan")
    run_id = await other.create(planner)
    assert not (await other.run(run_id)).auto_apply
    with pytest.raises(ForbiddenError, match="auto-apply"):
        await other.create(planner, auto_apply=True)


async def test_a_plan_without_changes_ends_the_run(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id, has_changes=False)
    assert await world.status(run_id) == "planned_and_finished"
    assert not (await world.workspace()).is_locked


async def test_an_empty_plan_is_applied_when_that_was_allowed(world: World) -> None:
    run_id = await world.create(allow_empty_apply=True)
    await world.plan(run_id, has_changes=False)
    assert await world.status(run_id) == "planned"
    await world.confirm(run_id)
    await world.apply(run_id)
    assert await world.status(run_id) == "applied"


async def test_a_run_of_a_speculative_configuration_only_plans(world: World) -> None:
    speculative = await world.configure(speculative=True)
    for asked in (None, False, True):
        run_id = await world.create(
            configuration_version_id=speculative, plan_only=asked, auto_apply=True
        )
        run = await world.run(run_id)
        assert run.plan_only
        assert not run.auto_apply
    await world.plan(run_id)
    assert await world.status(run_id) == "planned_and_finished"


async def test_a_plan_only_run_cannot_be_confirmed(world: World) -> None:
    run_id = await world.create(plan_only=True)
    await world.plan(run_id)
    with pytest.raises(IllegalStepError, match="planned_and_finished"):
        await world.confirm(run_id)


async def test_a_saved_plan_waits_without_holding_the_workspace(world: World) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    assert await world.status(saved) == "planned_and_saved"
    assert not (await world.workspace()).is_locked
    other = await world.create()
    assert await world.status(other) == "plan_queued"

    await world.confirm(saved)
    assert await world.status(saved) == "confirmed"
    await world.plan(other, has_changes=False)
    assert await world.status(saved) == "apply_queued"
    assert (await world.workspace()).lock_holder_id == saved
    await world.apply(saved)
    assert await world.status(saved) == "applied"


async def test_a_saved_plan_can_be_discarded(world: World) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    await world.discard(saved)
    assert await world.status(saved) == "discarded"


async def test_a_confirmed_saved_plan_goes_before_plans_that_wait(world: World) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    holding, waiting = await world.create(), await world.create()
    await world.confirm(saved)
    await world.plan(holding, has_changes=False)
    assert await world.status(saved) == "apply_queued"
    assert await world.status(waiting) == "pending"


async def test_a_discarded_run_gives_the_turn_to_the_next(world: World) -> None:
    first, second = await world.create(), await world.create()
    await world.plan(first)
    assert await world.status(second) == "pending"
    await world.discard(first)
    assert await world.status(first) == "discarded"
    assert await world.status(second) == "plan_queued"
    assert (await world.workspace()).lock_holder_id == second


async def test_a_run_that_waits_can_be_discarded(world: World) -> None:
    await world.create()
    waiting = await world.create()
    await world.discard(waiting)
    assert await world.status(waiting) == "discarded"


async def test_the_second_of_two_confirms_is_refused(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id)
    await world.confirm(run_id)
    before = await world.snapshot()
    with pytest.raises(IllegalStepError, match="apply_queued and so cannot be confirmed"):
        await world.confirm(run_id)
    assert await world.snapshot() == before


async def test_a_plan_that_changes_nothing_is_not_confirmed(world: World) -> None:
    run_id = await world.create(save_plan=True)
    await world.plan(run_id, has_changes=False)
    assert await world.status(run_id) == "planned_and_finished"
    with pytest.raises(IllegalStepError, match="planned_and_finished"):
        await world.confirm(run_id)


async def test_a_saved_plan_that_changes_nothing_can_be_applied_where_that_was_asked_for(
    world: World,
) -> None:
    run_id = await world.create(save_plan=True, allow_empty_apply=True)
    await world.plan(run_id, has_changes=False)
    await world.confirm(run_id)
    assert await world.status(run_id) == "apply_queued"


async def test_a_stale_plan_is_refused_and_left_as_it_is(world: World) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    await world.on_workspace(locks.lock, reason="")
    await world.save_state(make_state(1), serial=1)
    before = await world.snapshot()
    with pytest.raises(StalePlanError, match="Discard the run and plan again"):
        await world.confirm(saved)
    assert await world.snapshot() == before


async def test_saved_plans_are_discarded_when_the_state_moves(world: World) -> None:
    other, begun = await world.create(save_plan=True), await world.create(save_plan=True)
    await world.plan(other)
    job = await world.must_begin(begun)
    applied = await world.create(save_plan=True)
    await world.plan(applied)
    await world.confirm(applied)
    await world.apply(applied, make_state(1))
    await world.finish(job)
    for run_id in (other, begun):
        run = await world.run(run_id)
        assert run.status.value == "discarded"
        assert "The state of workspace" in run.error
        assert (await world.phase(run_id, Phase.APPLY)).status is PhaseStatus.UNREACHABLE
    fresh = await world.create(save_plan=True)
    await world.plan(fresh)
    await world.plan(await world.create(plan_only=True))
    assert await world.status(fresh) == "planned_and_saved"


@pytest.mark.parametrize("unlock", [locks.unlock, locks.force_unlock])
async def test_saved_plans_are_discarded_when_a_command_line_moved_the_state(
    world: World, unlock: Callable[..., Awaitable[object]]
) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    await world.on_workspace(locks.lock, reason="")
    await world.save_state(make_state(1), serial=1)
    await world.on_workspace(unlock)
    assert await world.status(saved) == "discarded"


async def test_a_confirmed_plan_that_went_stale_in_the_queue_is_not_applied(world: World) -> None:
    one, two = await world.create(save_plan=True), await world.create(save_plan=True)
    for run_id in (one, two):
        await world.plan(run_id)
        await world.confirm(run_id)
    await world.apply(one, make_state(1))
    assert await world.status(two) == "apply_queued"
    assert await world.begin(two, Phase.APPLY) is None
    run = await world.run(two)
    assert run.status.value == "errored"
    assert "changed after the plan was made" in run.error
    assert (await world.phase(two, Phase.APPLY)).status is PhaseStatus.ERRORED
    assert not (await world.workspace()).is_locked


async def test_a_plan_that_fails_ends_the_run_with_its_reason(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id, outcome=Outcome.ERRORED, error="main.tf:1: no.", has_changes=False)
    run = await world.run(run_id)
    assert (run.status.value, run.error) == ("errored", "main.tf:1: no.")
    assert (await world.phase(run_id)).status is PhaseStatus.ERRORED
    assert (await world.phase(run_id, Phase.APPLY)).status is PhaseStatus.UNREACHABLE
    assert await world.is_sealed(run_id, Phase.APPLY)
    assert not (await world.workspace()).is_locked


async def test_an_apply_that_lost_objects_leaves_the_workspace_locked(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    lost = Created(address="terraform_data.one", id_value="1")
    await world.finish(job, Outcome.ERRORED, error="disk full", maybe_not_in_state=[lost])
    workspace = await world.workspace()
    assert (workspace.lock_holder_kind, workspace.lock_holder_id) == (LockHolder.RUN, run_id)
    [kept] = (await world.phase(run_id, Phase.APPLY)).maybe_not_in_state
    assert kept["address"] == "terraform_data.one"
    waiting = await world.create()
    assert await world.status(waiting) == "pending"
    async with world.platform.sessions() as session:
        reasons = await queries.wait_reasons(session, [await world.run(waiting)])
    assert reasons[waiting] == (
        f"Waiting for somebody to unlock the workspace: the state may lack what {run_id} made."
    )


async def test_an_apply_whose_state_is_in_doubt_leaves_the_workspace_locked(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await world.finish(job, Outcome.ERRORED, error="It was not saved.", state_in_doubt=True)
    assert (await world.workspace()).lock_holder_id == run_id


async def test_a_version_that_cannot_be_had_ends_the_run_and_says_so_in_its_log(
    world: World,
) -> None:
    async def unknown(tool: Tool, version: str) -> str:
        raise InvalidError("There is no terraform 9.9.9.")

    run_id = await world.create(terraform_version="9.9.9")
    assert await world.begin(run_id, resolve=unknown) is None
    run = await world.run(run_id)
    assert (run.status.value, run.error) == ("errored", "There is no terraform 9.9.9.")
    assert await world.log(run_id) == b"Error: There is no terraform 9.9.9.\n"
    assert await world.is_sealed(run_id)


async def test_the_apply_uses_the_version_that_the_plan_found(world: World) -> None:
    run_id = await world.create(terraform_version="~> 1.11", auto_apply=True)
    await world.plan(run_id)
    assert (await world.run(run_id)).tool_version == "1.11.4"
    assert (await world.must_begin(run_id, Phase.APPLY)).version == "1.11.4"


async def test_snapshots_of_an_apply_become_one_chain_of_states(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    for serial in (1, 2, 2):
        await attempts.put_state(world.platform, job, make_state(serial), final=False)
    assert (await world.current_state()).is_intermediate
    await attempts.put_state(world.platform, job, make_state(2), final=True)
    await world.finish(job)
    assert not (await world.current_state()).is_intermediate
    async with world.platform.sessions() as session:
        ids = await queries.state_ids(session, [run_id, "run-none"])
    assert list(ids) == [run_id]
    assert [(await world.state(each)).serial for each in ids[run_id]] == [1, 2]


async def test_only_an_apply_may_write_state_or_offer_one(world: World) -> None:
    run_id = await world.create()
    job = await world.must_begin(run_id)
    with pytest.raises(InvalidError, match="Only an apply"):
        await attempts.put_state(world.platform, job, make_state(1), final=True)
    with pytest.raises(InvalidError, match="Only an apply"):
        await attempts.offer_state(world.platform, job, make_state(1))


async def test_a_state_that_came_too_late_is_kept_beside_the_others(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await attempts.put_state(world.platform, job, make_state(1), final=False)
    await world.expire(job)
    await world.sweep()
    await attempts.offer_state(world.platform, job, make_state(2))
    assert (await world.current_state()).serial == 1
    async with world.platform.sessions() as session:
        query = select(StateVersion).where(StateVersion.status == StateStatus.OFFERED)
        [offered] = await session.scalars(query)
    assert await world.platform.store.get(offered.path) == make_state(2)
    [event] = await world.events(offered.id)
    assert event.name == "StateOffered"


async def test_what_a_worker_is_told_holds_the_variables_of_workspace_and_run(
    world: World,
) -> None:
    run_id = await world.create(
        variables=[RunVariable("color", '"red"')],
        target_addrs=["terraform_data.one"],
        refresh=False,
    )
    job = await world.must_begin(run_id)
    [variable] = job.variables
    assert (variable.key, variable.value, variable.hcl) == ("color", '"red"', True)
    assert (list(job.options.target_addrs), job.options.refresh) == (["terraform_data.one"], False)
    assert job.context["organization"] == world.organization
    run = await world.run(run_id)
    assert b"red" not in (run.sealed_variables or b"red")
    assert creation.open_variables(world.platform.keyring, run) == [RunVariable("color", '"red"')]


async def test_a_remark_with_a_step_becomes_a_comment(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id)
    async with world.platform.sessions.begin() as session:
        await service.discard(session, world.owner, run_id, comment="Not on a Friday.")
        run = await queries.get(session, world.owner, run_id)
        [comment] = await queries.comments_of(session, run)
    assert (comment.body, comment.author_id) == ("Not on a Friday.", world.owner.id)


@pytest.mark.parametrize("body", ["", "  \n", "x" * 10_001])
async def test_a_comment_is_neither_empty_nor_endless(world: World, body: str) -> None:
    run_id = await world.create()
    async with world.platform.sessions.begin() as session:
        with pytest.raises(InvalidError, match="1 to 10,000"):
            await service.add_comment(session, world.owner, run_id, body)


async def test_a_step_with_an_endless_remark_is_refused_and_not_taken(world: World) -> None:
    run_id = await world.create()
    await world.plan(run_id)
    with pytest.raises(InvalidError, match="1 to 10,000"):
        async with world.platform.sessions.begin() as session:
            await service.discard(session, world.owner, run_id, comment="x" * 10_001)
    assert (await world.run(run_id)).status is RunStatus.PLANNED


async def test_a_run_of_a_workspace_nobody_told_the_actor_of_is_not_there(world: World) -> None:
    run_id = await world.create()
    async with world.platform.sessions.begin() as session:
        comment = await service.add_comment(session, world.owner, run_id, "Hello.")
        stranger = await factories.make_owner(session, await factories.make_organization(session))
    for step in (service.confirm, service.discard, service.cancel, service.force_cancel):
        with pytest.raises(NotFoundError, match=f"no run {run_id}"):
            await world.say(step, run_id, stranger)
    plan = world.phase_id(run_id, Phase.PLAN)
    async with world.platform.sessions() as session:
        with pytest.raises(NotFoundError, match=f"no run {run_id}"):
            await queries.get(session, stranger, run_id)
        with pytest.raises(NotFoundError, match=f"no plan {plan}"):
            await queries.get_phase(session, stranger, plan, Phase.PLAN)
        with pytest.raises(NotFoundError, match=f"no comment {comment.id}"):
            await queries.comment(session, stranger, comment.id)
        assert await queries.get_many(session, stranger, [run_id]) == []
        assert await queries.get_phases(session, stranger, [plan]) == []
