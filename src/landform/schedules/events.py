"""What happens to schedules. The subject of each is the schedule."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class ScheduleCreated(Event):
    """A schedule was set; its runs use the permission of the actor."""

    workspace_id: str
    cron: str
    time_zone: str
    run_kind: str


@dataclass(frozen=True, kw_only=True)
class ScheduleChanged(Event):
    """A schedule was set anew; its runs use the permission of the actor, unless it is off."""

    workspace_id: str
    cron: str
    time_zone: str
    run_kind: str
    enabled: bool


@dataclass(frozen=True, kw_only=True)
class ScheduleStopped(Event):
    """A schedule went off by itself."""

    workspace_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ScheduleDeleted(Event):
    """A schedule was taken away."""

    workspace_id: str
    cron: str
