"""Named places in a run's life at which a test lets the process die, as by kill -9.

Off, which is always but in tests of faults, `reach` is a function that does nothing. On, when the
variable names a directory at the process's start, a file there with a point's name lets the first
process that comes to the point die, once: whoever adds its process id to that name is the one.
"""

import os
import signal
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

VARIABLE: Final = "LANDFORM_FAIL_POINTS"


class FailPoint(StrEnum):
    """Every point there is: `…ing` is inside the transaction, `…ed` after it, before the answer."""

    # In servers: what clients ask for.
    REQUEST_COMMITTING = "request.committing"
    REQUEST_COMMITTED = "request.committed"
    CONFIGURATION_ANNOUNCING = "configuration.announcing"
    CONFIGURATION_CHECKED = "configuration.checked"
    CONFIGURATION_STORED = "configuration.stored"
    CONFIGURATION_ACCEPTING = "configuration.accepting"
    CONFIGURATION_ACCEPTED = "configuration.accepted"
    RUN_CREATING = "run.creating"
    RUN_QUEUEING = "run.queueing"
    RUN_CONFIRMING = "run.confirming"
    RUN_DISCARDING = "run.discarding"
    RUN_CANCELING = "run.canceling"
    LOG_READING = "log.reading"
    STATE_ANNOUNCING = "state.announcing"
    STATE_STORED = "state.stored"
    STATE_TAKING = "state.taking"
    STATE_TAKEN = "state.taken"

    # What a provider delivers: stored by a server, dealt with by a worker.
    DELIVERY_STORED = "delivery.stored"
    DELIVERY_TAKEN = "delivery.taken"
    DELIVERY_SETTLING = "delivery.settling"
    DELIVERY_SETTLED = "delivery.settled"

    # In workers: what is told of runs.
    NOTIFICATION_TAKEN = "notification.taken"
    NOTIFICATION_SENT = "notification.sent"

    # In servers and workers: whose attempts died.
    SWEEP_FOUND = "sweep.found"
    SWEEP_LOOKED = "sweep.looked"
    SWEEP_FENCING = "sweep.fencing"
    SWEEP_FENCED = "sweep.fenced"

    # In workers: an attempt at a plan or an apply.
    ATTEMPT_RESOLVED = "attempt.resolved"
    ATTEMPT_LEASING = "attempt.leasing"
    ATTEMPT_LEASED = "attempt.leased"
    INPUT_FETCHED = "input.fetched"
    ROOM_MADE = "room.made"
    ARTEFACT_STORED = "artefact.stored"
    ARTEFACT_KEPT = "artefact.kept"
    LOG_STORED = "log.stored"
    LOG_APPENDED = "log.appended"
    STATE_SPOOLED = "state.spooled"
    RUN_STATE_STORED = "run-state.stored"
    RUN_STATE_SAVING = "run-state.saving"
    RUN_STATE_SAVED = "run-state.saved"
    RUN_STATE_SENT = "run-state.sent"
    CREATED_REPORTED = "created.reported"
    ATTEMPT_FINISHING = "attempt.finishing"
    ATTEMPT_FINISHED = "attempt.finished"
    ROOM_LEAVING = "room.leaving"


def _pass(point: FailPoint) -> None:
    """Do nothing."""


def _watching(directory: Path) -> Callable[[FailPoint], None]:
    def die_if_armed(point: FailPoint) -> None:
        try:
            (directory / point).rename(directory / f"{point}.{os.getpid()}")
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    return die_if_armed


reach: Final = _watching(Path(found)) if (found := os.environ.get(VARIABLE)) else _pass
