"""Terrakube's words for where a job stands (terrakube_backend.md §1.4: JobStatus)."""

from collections.abc import Mapping
from typing import Final

from landform.runs.status import RunStatus

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
