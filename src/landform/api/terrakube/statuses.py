"""Terrakube's words for where a job stands (terrakube_backend.md §1.4: JobStatus)."""

from collections.abc import Mapping
from typing import Final

from landform.runs.status import PhaseStatus, RunStatus

NEVER: Final = "NeverExecuted"

JOB_STATUS: Final[Mapping[RunStatus, str]] = {
    RunStatus.PENDING: "pending",
    RunStatus.PLAN_QUEUED: "queue",
    RunStatus.PLANNING: "running",
    RunStatus.PLANNED: "waitingApproval",
    RunStatus.PLANNED_AND_FINISHED: "completed",
    RunStatus.PLANNED_AND_SAVED: "waitingApproval",
    RunStatus.CONFIRMED: "approved",
    RunStatus.APPLY_QUEUED: "queue",
    RunStatus.APPLYING: "running",
    RunStatus.APPLIED: "completed",
    RunStatus.DISCARDED: "rejected",
    RunStatus.ERRORED: "failed",
    RunStatus.CANCELED: "cancelled",
}

# A step has the same words.
STEP_STATUS: Final[Mapping[PhaseStatus, str]] = {
    PhaseStatus.PENDING: "pending",
    PhaseStatus.QUEUED: "queue",
    PhaseStatus.RUNNING: "running",
    PhaseStatus.FINISHED: "completed",
    PhaseStatus.ERRORED: "failed",
    PhaseStatus.CANCELED: "cancelled",
    PhaseStatus.UNREACHABLE: "notExecuted",
}


def run_statuses(word: str) -> tuple[str, ...]:
    """Return what a job's status is among those of runs; what is none of Terrakube's is none."""
    return tuple(status for status, shown in JOB_STATUS.items() if shown == word) or (word,)
