"""The state machine, as a table and as walks through it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.runs.errors import IllegalStepError
from landform.runs.models import Run
from landform.runs.status import FINAL, HOLDING, RUNNING, TRANSITIONS, RunStatus, Step, can

STARTS_APPLY = {Step.START_APPLY, Step.APPLY}
ASKS_TO_APPLY = {Step.CONFIRM}


def walk(steps: list[Step]) -> tuple[Run, list[RunStatus]]:
    run = Run(id="run-1", status=RunStatus.PENDING, status_timestamps={})
    seen = [run.status]
    for step in steps:
        if can(run.status, step):
            run.take(step)
            seen.append(run.status)
    return run, seen


@given(st.lists(st.sampled_from(Step), max_size=40))
def test_no_walk_reaches_an_apply_without_a_confirmation(steps: list[Step]) -> None:
    _, seen = walk(steps)
    for status in (RunStatus.APPLY_QUEUED, RunStatus.APPLYING, RunStatus.APPLIED):
        if status in seen:
            assert RunStatus.CONFIRMED in seen[: seen.index(status)]


@given(st.lists(st.sampled_from(Step), max_size=40))
def test_no_walk_applies_twice_or_plans_after_it_was_confirmed(steps: list[Step]) -> None:
    _, seen = walk(steps)
    assert seen.count(RunStatus.APPLYING) <= 1
    if RunStatus.CONFIRMED in seen:
        assert RunStatus.PLANNING not in seen[seen.index(RunStatus.CONFIRMED) :]


@given(st.lists(st.sampled_from(Step), max_size=40), st.sampled_from(Step))
def test_a_run_that_is_over_takes_no_step(steps: list[Step], step: Step) -> None:
    run, _ = walk(steps)
    if run.status in FINAL:
        with pytest.raises(IllegalStepError, match=run.status):
            run.take(step)


@given(st.lists(st.sampled_from(Step), max_size=40))
def test_each_status_passed_through_has_a_time(steps: list[Step]) -> None:
    run, seen = walk(steps)
    passed = {f"{status.replace('_', '-')}-at" for status in seen[1:]}
    assert passed == set(run.status_timestamps)


def test_every_status_that_is_not_over_can_end() -> None:
    for status in set(RunStatus) - FINAL:
        reached, edge = {status}, {status}
        while edge:
            edge = {to for (at, _), to in TRANSITIONS.items() if at in edge} - reached
            reached |= edge
        assert reached & FINAL, f"{status} has no way out"


def test_every_status_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) | {RunStatus.PENDING} == set(RunStatus)


def test_only_these_statuses_end_a_run() -> None:
    assert set(FINAL) == {
        RunStatus.PLANNED_AND_FINISHED,
        RunStatus.APPLIED,
        RunStatus.DISCARDED,
        RunStatus.ERRORED,
        RunStatus.CANCELED,
    }


def test_whatever_runs_has_its_workspace_s_turn() -> None:
    assert RUNNING <= HOLDING
    assert not HOLDING & FINAL
