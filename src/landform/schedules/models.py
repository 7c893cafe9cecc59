"""Tables of schedules."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from landform.identity.actor import ActorKind
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.schedules.rhythm import Rhythm
from landform.workspaces.run_kinds import RunKind


class Schedule(Base):
    """Runs of a workspace that start by themselves.

    Attributes:
        cron: as it was written, in cron's five fields or Quartz's six or seven.
        acts_for_kind: whose permission its runs use, with `acts_for_id`: whoever set it last.
        next_at: when its next run starts; None while it is off.
        last_at: the last tick that was dealt with.
        last_run_id: the run of the last tick that had one.
        last_outcome: why the last tick had none; empty when it had.
        stopped_reason: why it went off by itself; empty when it did not.
    """

    __tablename__ = "schedules"
    __table_args__ = (Index("ix_schedules_next_at", "next_at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("sch"))
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    cron: Mapped[str]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    run_kind: Mapped[RunKind]
    description: Mapped[str] = mapped_column(default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    acts_for_kind: Mapped[ActorKind]
    acts_for_id: Mapped[str]
    next_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_run_id: Mapped[str | None]
    last_outcome: Mapped[str] = mapped_column(default="")
    stopped_reason: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    @property
    def rhythm(self) -> Rhythm:
        """When its runs start."""
        return Rhythm(self.cron, self.time_zone)

    @property
    def message(self) -> str:
        """What its runs say of why they were started."""
        why = f"Scheduled: {self.cron} ({self.time_zone})"
        return f"{why}. {self.description}" if self.description else why
