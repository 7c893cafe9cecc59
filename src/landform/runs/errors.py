"""Failures a caller of runs can expect."""

from landform.kit.errors import ConflictError
from landform.runs.status import RunStatus, Step


class IllegalStepError(ConflictError):
    """The run's status does not allow the step asked of it."""

    def __init__(self, run_id: str, status: RunStatus, step: Step) -> None:
        super().__init__(f"Run {run_id} is {status} and so cannot {step}.")


class StalePlanError(ConflictError):
    """The workspace's state is not the one the plan was made on."""
