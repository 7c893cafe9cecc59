"""Schedules as pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from landform.schedules.models import Schedule
from landform.workspaces.run_kinds import RunKind

KINDS: Final[Mapping[RunKind, str]] = {
    RunKind.PLAN: "Plan only",
    RunKind.CONFIRMED_APPLY: "Plan, and apply when somebody confirms it",
    RunKind.APPLY: "Plan and apply",
    RunKind.CONFIRMED_DESTROY: "Plan to destroy everything, and do so when somebody confirms it",
    RunKind.DESTROY: "Destroy everything",
}


@dataclass(frozen=True, kw_only=True)
class ShownSchedule:
    """One schedule.

    Attributes:
        following: when it comes next, in its own time zone; empty while it is off.
        problem: why it went off by itself, or why its last time brought no run.
    """

    id: str
    cron: str
    time_zone: str
    kind: str
    description: str
    enabled: bool
    acts_for: str
    following: str
    last_at: datetime | None
    last_run_id: str
    problem: str


def shown_of(row: Schedule, names: Mapping[str, str]) -> ShownSchedule:
    """Return a schedule as a page shows it.

    Args:
        names: of people and teams, by id.
    """
    zone = ZoneInfo(row.time_zone)
    missed = row.last_outcome and f"The last time brought no run: {row.last_outcome}"
    return ShownSchedule(
        id=row.id,
        cron=row.cron,
        time_zone=row.time_zone,
        kind=KINDS[row.run_kind],
        description=row.description,
        enabled=row.enabled,
        acts_for=names.get(row.acts_for_id, "a team, or somebody who is gone"),
        following=f"{row.next_at.astimezone(zone):%a %Y-%m-%d %H:%M}" if row.next_at else "",
        last_at=row.last_at,
        last_run_id=row.last_run_id or "",
        problem=row.stopped_reason or missed,
    )
