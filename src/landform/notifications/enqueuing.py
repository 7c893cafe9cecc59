"""What is to be told is written down in the very transaction in which it happens.

Events are written with what they tell of (`kit/events.py`); as one about a run is, its deliveries
are, by one statement. So whoever moves a run, in whichever process, needs to know nothing of this,
and what a transaction takes back is told to nobody.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, insert, literal, select, true
from sqlalchemy import event as on
from sqlalchemy.orm import Mapper

from landform.kit.events import EventRow
from landform.notifications.models import NotificationConfiguration, NotificationDelivery
from landform.notifications.triggers import OF_STATUS, Trigger
from landform.runs.events import DriftFound, RunConfirmed, RunCreated, RunMoved
from landform.runs.models import Run
from landform.runs.status import RunStatus
from landform.schedules.ticking import SOURCE as SCHEDULE

_Deed = Callable[[Connection, EventRow], None]


def _created(connection: Connection, row: EventRow) -> None:
    _enqueue(connection, row, Trigger.CREATED, RunStatus.PENDING)


def _moved(connection: Connection, row: EventRow) -> None:
    status = RunStatus(row.payload["status"])
    trigger = OF_STATUS.get(status)
    if trigger is not None:
        _enqueue(connection, row, trigger, status)
    if status is RunStatus.ERRORED:
        _enqueue(connection, row, Trigger.ASSESSMENT_FAILED, status)


def _confirmed(connection: Connection, row: EventRow) -> None:
    """Ask nobody any more for what was decided; so nobody is asked of runs that apply at once."""
    connection.execute(
        delete(NotificationDelivery).where(
            NotificationDelivery.run_id == row.subject_id,
            NotificationDelivery.trigger == Trigger.NEEDS_ATTENTION.value,
            NotificationDelivery.next_at.is_not(None),
        )
    )


def _drifted(connection: Connection, row: EventRow) -> None:
    _enqueue(connection, row, Trigger.DRIFTED, RunStatus.PLANNING)


_DEEDS: Final[Mapping[str, _Deed]] = {
    RunCreated.__name__: _created,
    RunMoved.__name__: _moved,
    RunConfirmed.__name__: _confirmed,
    DriftFound.__name__: _drifted,
}


@on.listens_for(EventRow, "after_insert")
def _written(_: Mapper[EventRow], connection: Connection, row: EventRow) -> None:
    deed = _DEEDS.get(row.name)
    if deed is not None:
        deed(connection, row)


def _enqueue(connection: Connection, row: EventRow, trigger: Trigger, status: RunStatus) -> None:
    """Write a delivery for each configuration that wants to know.

    Speculative runs are told of as assessments alone. A configuration that goes away meanwhile is
    waited for: a delivery to one that is gone would fail the transaction of the run.
    """
    wanted = (
        select(
            NotificationConfiguration.id,
            literal(trigger.value),
            Run.id,
            literal(status.value),
            literal(row.actor_id),
            literal(row.at),
            literal(row.at),
            literal(0),
            literal(False),
            literal(""),
        )
        .join(Run, Run.workspace_id == NotificationConfiguration.workspace_id)
        .where(
            Run.id == row.subject_id,
            NotificationConfiguration.enabled,
            NotificationConfiguration.triggers.contains([trigger.value]),
            _of_runs(trigger),
        )
        .with_for_update(of=NotificationConfiguration, read=True, key_share=True)
    )
    connection.execute(
        insert(NotificationDelivery).from_select(
            [
                "configuration_id",
                "trigger",
                "run_id",
                "status",
                "actor_id",
                "happened_at",
                "next_at",
                "attempts",
                "is_delivered",
                "problem",
            ],
            wanted,
            include_defaults=False,
        )
    )


def _of_runs(trigger: Trigger) -> ColumnElement[bool]:
    if trigger is Trigger.ASSESSMENT_FAILED:
        return Run.plan_only & (Run.source == SCHEDULE)
    if trigger is Trigger.DRIFTED:
        return true()
    return ~Run.plan_only
