"""What can be told of, and which step of a run is which; the values are TFE's. Pure.

Source: the triggers of HCP Terraform's API page "notification-configurations".
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from landform.kit.errors import InvalidError
from landform.runs.status import RunStatus


class Trigger(StrEnum):
    """What a configuration can ask to be told of."""

    CREATED = "run:created"
    PLANNING = "run:planning"
    NEEDS_ATTENTION = "run:needs_attention"
    APPLYING = "run:applying"
    COMPLETED = "run:completed"
    ERRORED = "run:errored"
    DRIFTED = "assessment:drifted"
    ASSESSMENT_FAILED = "assessment:failed"


# What is sent to see whether somebody takes it; nobody asks for it.
VERIFICATION: Final = "verification"

ASSESSMENTS: Final = frozenset({Trigger.DRIFTED, Trigger.ASSESSMENT_FAILED})

_S = RunStatus

OF_STATUS: Final[Mapping[RunStatus, Trigger]] = {
    _S.PENDING: Trigger.CREATED,
    _S.PLANNING: Trigger.PLANNING,
    _S.PLANNED: Trigger.NEEDS_ATTENTION,
    _S.PLANNED_AND_SAVED: Trigger.NEEDS_ATTENTION,
    _S.APPLYING: Trigger.APPLYING,
    _S.PLANNED_AND_FINISHED: Trigger.COMPLETED,
    _S.APPLIED: Trigger.COMPLETED,
    _S.DISCARDED: Trigger.COMPLETED,
    _S.ERRORED: Trigger.ERRORED,
    _S.CANCELED: Trigger.ERRORED,
}

MESSAGES: Final[Mapping[Trigger, str]] = {
    Trigger.CREATED: "Run Created",
    Trigger.PLANNING: "Run Planning",
    Trigger.NEEDS_ATTENTION: "Run Needs Attention",
    Trigger.APPLYING: "Run Applying",
    Trigger.COMPLETED: "Run Completed",
    Trigger.ERRORED: "Run Errored",
    Trigger.DRIFTED: "Drift Detected",
    Trigger.ASSESSMENT_FAILED: "Scheduled Plan Failed",
}

_OF_END: Final[Mapping[str, str]] = {
    _S.APPLIED: "Run Applied",
    _S.PLANNED_AND_FINISHED: "Run Planned and Finished",
    _S.DISCARDED: "Run Discarded",
    _S.CANCELED: "Run Canceled",
}

# TFE's, which this platform never finds out.
_UNTOLD: Final[Mapping[str, str]] = {
    "assessment:check_failure": "Checks of a plan are shown on the run's page, but not told of.",
    "workspace:auto_destroy_reminder": "Workspaces are not destroyed by themselves here.",
    "workspace:auto_destroy_run_results": "Workspaces are not destroyed by themselves here.",
    "team:change_request": "There are no change requests here.",
}


def message_of(trigger: str, status: str) -> str:
    """Return what a notification says first, in TFE's words."""
    if trigger == VERIFICATION:
        return "Verification of a notification configuration"
    if trigger in (Trigger.COMPLETED, Trigger.ERRORED) and status in _OF_END:
        return _OF_END[status]
    return MESSAGES[Trigger(trigger)]


def read_triggers(given: Sequence[str]) -> list[str]:
    """Return the triggers that were given, each once, in the order of the table.

    Raises:
        InvalidError: one is not known, or cannot be told here.
    """
    known = {trigger.value for trigger in Trigger}
    for each in given:
        if each in _UNTOLD:
            raise InvalidError(f"{each} cannot be notified of: {_UNTOLD[each]}", pointer="triggers")
        if each not in known:
            raise InvalidError(
                f"{each[:64]!r} is no trigger. There are: {', '.join(sorted(known))}.",
                pointer="triggers",
            )
    return [trigger.value for trigger in Trigger if trigger.value in given]
