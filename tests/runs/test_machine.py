"""Several runs on one workspace, walked at random through the real services, beside a model."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from landform.contract import Created, LostLeaseError, Outcome, Phase, PhaseJob
from landform.dispatch.models import LeaseState
from landform.kit.crypto import Keyring
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.errors import ConflictError
from landform.kit.storage import Store
from landform.runs import attempts, locks
from landform.runs.attempts import Limits, Platform
from landform.runs.status import FINAL, RUNNING, PhaseStatus
from tests.files import make_state
from tests.runs.model import OVER, PERSON, Model, ModelRun, Refused
from tests.world import World

T = TypeVar("T")
EXAMPLES, STEPS = 20, 35
CHOICE = st.integers(min_value=0, max_value=1000)
HOLDER: Final = text("SELECT lock_holder_id FROM workspaces WHERE id = :workspace")
PHASES: Final = text(
    """
    SELECT runs.id, runs.status, run_phases.status, leases.state,
        (SELECT count(*) = 2 AND bool_and(logs.is_sealed) FROM logs
         WHERE logs.phase_id = run_phases.id)
    FROM runs JOIN run_phases ON run_phases.run_id = runs.id
    LEFT JOIN leases ON leases.phase_id = run_phases.id
    WHERE runs.workspace_id = :workspace
    """
)


class Machine(RuleBasedStateMachine):
    """Takes each step on model and services, and compares all there is to see after it."""

    def __init__(self, runner: asyncio.Runner, platform: Platform) -> None:
        super().__init__()
        self._runner = runner
        self.world = self._do(World.make(platform))
        self.model = Model()
        self.alive: dict[str, PhaseJob] = {}
        self.stale: list[PhaseJob] = []

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    @rule(
        kind=st.sampled_from(["ordinary", "ordinary", "ordinary", "plan-only", "saved"]),
        auto_apply=st.booleans(),
    )
    def create(self, kind: str, *, auto_apply: bool) -> None:
        run_id = self._do(
            self.world.create(
                plan_only=kind == "plan-only", save_plan=kind == "saved", auto_apply=auto_apply
            )
        )
        self.model.create(ModelRun(run_id, kind, auto_apply))

    @precondition(lambda self: self._queued())
    @rule(choice=CHOICE)
    def begin(self, choice: int) -> None:
        run = self._pick(self._queued(), choice)
        phase = Phase.PLAN if run.status == "plan_queued" else Phase.APPLY
        job = self._do(self.world.begin(run.id, phase))
        assert (job is not None) == self.model.begin(run)
        if job is not None:
            self.alive[run.id] = job

    @precondition(lambda self: self._queued())
    @rule(choice=CHOICE)
    def work(self, choice: int) -> None:
        """Do what is most often done: a phase from begin to end."""
        self.begin(choice)
        if self.alive:
            self.finish(choice, Outcome.FINISHED, has_changes=True, lost=False)

    @precondition(lambda self: self.alive)
    @rule(
        choice=CHOICE,
        outcome=st.sampled_from([*[Outcome.FINISHED] * 4, Outcome.ERRORED, Outcome.CANCELED]),
        has_changes=st.sampled_from([True, True, True, False]),
        lost=st.booleans(),
    )
    def finish(self, choice: int, outcome: Outcome, *, has_changes: bool, lost: bool) -> None:
        run, job = self._at_work(choice)
        lost = lost and job.phase is Phase.APPLY and outcome is not Outcome.FINISHED
        maybe = [Created(address="a.b")] if lost else []
        self._do(self.world.finish(job, outcome, has_changes=has_changes, maybe_not_in_state=maybe))
        self.model.finish(run, outcome.value, has_changes=has_changes, lost=lost)
        self.stale.append(self.alive.pop(run.id))

    @precondition(lambda self: self.model.holder == PERSON or self._applies())
    @rule(choice=CHOICE)
    def write_state(self, choice: int) -> None:
        serial = self.model.state + 1
        raw = make_state(serial)
        if applies := self._applies():
            job = self._pick(applies, choice)
            self._do(attempts.put_state(self.world.platform, job, raw, final=True))
        else:
            self._do(self.world.save_state(raw, serial=serial))
        self.model.write_state()

    @precondition(lambda self: self.model.runs)
    @rule(choice=CHOICE, step=st.sampled_from(["confirm", "confirm", "discard", "cancel"]))
    def decide(self, choice: int, step: str) -> None:
        run = self._pick(self._not_over(choice) or self.model.runs, choice)
        self._both(
            lambda: getattr(self.model, step)(run), lambda: getattr(self.world, step)(run.id)
        )

    @rule(step=st.sampled_from(["lock", "unlock", "force_unlock"]))
    def use_lock(self, step: str) -> None:
        options: dict[str, Any] = {"reason": ""} if step == "lock" else {}
        self._both(
            getattr(self.model, step),
            lambda: self.world.on_workspace(getattr(locks, step), **options),
        )

    @precondition(lambda self: self.alive)
    @rule(choice=CHOICE)
    def lose_worker(self, choice: int) -> None:
        run, job = self._at_work(choice)
        self._do(self.world.expire(job))
        assert self._do(self.world.sweep()) == 1
        self.model.lose_worker(run)
        self.stale.append(self.alive.pop(run.id))

    @precondition(lambda self: self.stale)
    @rule(choice=CHOICE, phase=st.sampled_from(Phase))
    def come_too_late(self, choice: int, phase: Phase) -> None:
        """An attempt that is over wants to go on; a job that came twice is begun again."""
        job = self._pick(self.stale, choice)
        try:
            self._do(attempts.renew(self.world.platform, job))
        except LostLeaseError:
            pass
        else:
            raise AssertionError(f"{job.phase_id} was renewed by attempt {job.epoch}")
        run = self._pick(self.model.runs, choice)
        if run.status != f"{phase}_queued":
            assert self._do(self.world.begin(run.id, phase)) is None

    # ── what holds after each ───────────────────────────────────────────────────────────────────

    @invariant()
    def all_stands_as_the_model_says(self) -> None:
        holder, phases = self._do(self._look())
        found = {run_id: status for run_id, status, *_ in phases}
        assert found == {run.id: run.status for run in self.model.runs}
        person = self.world.owner.id
        assert holder == (person if self.model.holder == PERSON else self.model.holder)
        turns = [run.id for run in self.model.runs if run.takes_turn]
        assert turns in ([], [holder]), "one run has the turn, and the lock with it"
        for _, status, phase_status, lease, is_sealed in phases:
            assert (lease == LeaseState.LEASED) == (phase_status == PhaseStatus.RUNNING)
            if lease == LeaseState.LEASED:
                assert status in RUNNING
            if status in FINAL:
                assert lease in (None, LeaseState.ENDED)
                assert is_sealed
                assert phase_status != PhaseStatus.PENDING
            if lease == LeaseState.ENDED:
                assert is_sealed

    # ── tools ───────────────────────────────────────────────────────────────────────────────────

    async def _look(self) -> tuple[str | None, list[tuple[Any, ...]]]:
        async with transaction(self.world.platform.sessions) as session:
            holder = await session.scalar(HOLDER, {"workspace": self.world.workspace_id})
            rows = await session.execute(PHASES, {"workspace": self.world.workspace_id})
            return holder, [tuple(row) for row in rows]

    def _both(
        self, on_model: Callable[[], None], on_services: Callable[[], Awaitable[object]]
    ) -> None:
        """Take a step on both; what the model refuses the services must, with a conflict."""
        try:
            on_model()
        except Refused:
            try:
                self._do(_awaited(on_services()))
            except ConflictError:
                return
            raise AssertionError("the services did what the model refuses") from None
        self._do(_awaited(on_services()))

    def _at_work(self, choice: int) -> tuple[ModelRun, PhaseJob]:
        run_id = self._pick(list(self.alive), choice)
        [run] = [run for run in self.model.runs if run.id == run_id]
        return run, self.alive[run_id]

    def _not_over(self, choice: int) -> list[ModelRun]:
        """Return what a step may still change; now and then nothing, so that the rest is tried."""
        return [run for run in self.model.runs if choice % 7 and run.status not in OVER]

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _applies(self) -> list[PhaseJob]:
        return [job for job in self.alive.values() if job.phase is Phase.APPLY]

    def _queued(self) -> list[ModelRun]:
        return [run for run in self.model.runs if run.status.endswith("_queued")]

    @staticmethod
    def _pick(among: Sequence[T], choice: int) -> T:
        return among[choice % len(among)]


async def _awaited(awaitable: Awaitable[object]) -> None:
    await awaitable


def test_runs_of_a_workspace_do_as_the_model_says(
    database_url: str, store: Store, keyring: Keyring
) -> None:
    with asyncio.Runner() as runner:
        engine = make_engine(database_url)
        platform = Platform(
            sessions=make_sessions(engine),
            store=store,
            keyring=keyring,
            limits=Limits(lease_s=3600.0),
        )

        class Bound(Machine):
            def __init__(self) -> None:
                super().__init__(runner, platform)

        try:
            run_state_machine_as_test(
                Bound,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[HypothesisPhase.generate],  # to shrink what fails takes minutes
                ),
            )
        finally:
            runner.run(engine.dispose())
