"""The life of a run, as data. An edge that is not in the table does not exist."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """Where a run stands; the values are TFE's."""

    PENDING = "pending"
    PLAN_QUEUED = "plan_queued"
    PLANNING = "planning"
    PLANNED = "planned"
    PLANNED_AND_FINISHED = "planned_and_finished"
    PLANNED_AND_SAVED = "planned_and_saved"
    CONFIRMED = "confirmed"
    APPLY_QUEUED = "apply_queued"
    APPLYING = "applying"
    APPLIED = "applied"
    DISCARDED = "discarded"
    ERRORED = "errored"
    CANCELED = "canceled"


class Step(StrEnum):
    """What can happen to a run."""

    QUEUE_PLAN = "queue its plan"
    START_PLAN = "start its plan"
    REQUEUE_PLAN = "queue its plan again"
    PLAN = "end its plan with changes"
    PLAN_NOTHING = "end its plan with nothing to apply"
    SAVE_PLAN = "save its plan"
    CONFIRM = "be confirmed"
    QUEUE_APPLY = "queue its apply"
    START_APPLY = "start its apply"
    APPLY = "end its apply"
    DISCARD = "be discarded"
    CANCEL = "be canceled"
    FAIL = "fail"


_S = RunStatus

TRANSITIONS: Final[Mapping[tuple[RunStatus, Step], RunStatus]] = {
    (_S.PENDING, Step.QUEUE_PLAN): _S.PLAN_QUEUED,
    (_S.PENDING, Step.DISCARD): _S.DISCARDED,
    (_S.PENDING, Step.CANCEL): _S.CANCELED,
    (_S.PENDING, Step.FAIL): _S.ERRORED,
    (_S.PLAN_QUEUED, Step.START_PLAN): _S.PLANNING,
    (_S.PLAN_QUEUED, Step.CANCEL): _S.CANCELED,
    (_S.PLAN_QUEUED, Step.FAIL): _S.ERRORED,
    (_S.PLANNING, Step.REQUEUE_PLAN): _S.PLAN_QUEUED,
    (_S.PLANNING, Step.PLAN): _S.PLANNED,
    (_S.PLANNING, Step.PLAN_NOTHING): _S.PLANNED_AND_FINISHED,
    (_S.PLANNING, Step.SAVE_PLAN): _S.PLANNED_AND_SAVED,
    (_S.PLANNING, Step.CANCEL): _S.CANCELED,
    (_S.PLANNING, Step.FAIL): _S.ERRORED,
    (_S.PLANNED, Step.CONFIRM): _S.CONFIRMED,
    (_S.PLANNED, Step.DISCARD): _S.DISCARDED,
    (_S.PLANNED_AND_SAVED, Step.CONFIRM): _S.CONFIRMED,
    (_S.PLANNED_AND_SAVED, Step.DISCARD): _S.DISCARDED,
    (_S.CONFIRMED, Step.QUEUE_APPLY): _S.APPLY_QUEUED,
    (_S.CONFIRMED, Step.CANCEL): _S.CANCELED,
    (_S.CONFIRMED, Step.FAIL): _S.ERRORED,
    (_S.APPLY_QUEUED, Step.START_APPLY): _S.APPLYING,
    (_S.APPLY_QUEUED, Step.CANCEL): _S.CANCELED,
    (_S.APPLY_QUEUED, Step.FAIL): _S.ERRORED,
    (_S.APPLYING, Step.APPLY): _S.APPLIED,
    (_S.APPLYING, Step.CANCEL): _S.CANCELED,
    (_S.APPLYING, Step.FAIL): _S.ERRORED,
}

FINAL: Final = frozenset(RunStatus) - {status for status, _ in TRANSITIONS}

# A run in one of these has its workspace's turn: no other may plan to apply, or apply.
HOLDING: Final = frozenset(
    {
        _S.PLAN_QUEUED,
        _S.PLANNING,
        _S.PLANNED,
        _S.APPLY_QUEUED,
        _S.APPLYING,
    }
)

# Statuses in which a process may be at work for the run.
RUNNING: Final = frozenset({_S.PLANNING, _S.APPLYING})


def can(status: RunStatus, step: Step) -> bool:
    """Tell whether `step` leads anywhere from `status`."""
    return (status, step) in TRANSITIONS


class PhaseStatus(StrEnum):
    """Where a plan or an apply stands; the values are TFE's."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    ERRORED = "errored"
    CANCELED = "canceled"
    UNREACHABLE = "unreachable"
