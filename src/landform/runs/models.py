"""Tables of runs."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import DDL, BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy import event as on
from sqlalchemy.orm import Mapped, mapped_column

from landform.contract import Phase
from landform.kit.clock import now, rfc3339
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed
from landform.runs.errors import IllegalStepError
from landform.runs.status import TRANSITIONS, PhaseStatus, RunStatus, Step
from landform.toolchain.versions import Tool


class Run(Base):
    """One plan, and at most one apply, of one configuration on one workspace.

    Attributes:
        number: order of arrival; the queue of a workspace follows it.
        is_queued: takes its turn in the workspace's queue; speculative runs do not, and a run
            that saves its plan does so only once it is confirmed.
        sealed_variables: the run's own variables as JSON (HCL literals, perhaps secret),
            encrypted for the place `runs/{id}/variables`.
        tool_version: exact, as resolved when the plan first started; the apply uses the same.
        state_version_id: the workspace's state when the plan started; the plan is stale once the
            workspace's is another.
        error: why it ended errored or canceled, or was discarded by the platform, for a person.
        cancel_asked_at: someone asked it to stop; it has not ended yet.
        is_current: its workspace is at it. The database keeps this true by itself, for queries:
            what a session has read of it may be old.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_workspace_number", "workspace_id", "number"),
        Index(
            "ix_runs_current",
            "organization_id",
            "id",
            postgresql_include=["status", "changed_at"],
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("run"))
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    configuration_version_id: Mapped[str] = mapped_column(ForeignKey("configuration_versions.id"))
    status: Mapped[RunStatus] = mapped_column(default=RunStatus.PENDING, index=True)
    status_timestamps: Mapped[dict[str, Any]] = mapped_column(default=dict)
    message: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="tfe-api")
    is_destroy: Mapped[bool] = mapped_column(default=False)
    refresh: Mapped[bool] = mapped_column(default=True)
    refresh_only: Mapped[bool] = mapped_column(default=False)
    plan_only: Mapped[bool] = mapped_column(default=False)
    save_plan: Mapped[bool] = mapped_column(default=False)
    auto_apply: Mapped[bool] = mapped_column(default=False)
    allow_empty_apply: Mapped[bool] = mapped_column(default=False)
    allow_config_generation: Mapped[bool] = mapped_column(default=False)
    target_addrs: Mapped[list[str]] = mapped_column(default=list)
    replace_addrs: Mapped[list[str]] = mapped_column(default=list)
    sealed_variables: Mapped[bytes | None] = mapped_column(Sealed("runs/{id}/variables"))
    tool: Mapped[Tool]
    tool_version: Mapped[str]
    has_changes: Mapped[bool] = mapped_column(default=False)
    state_version_id: Mapped[str | None]
    error: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str]
    confirmed_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)
    cancel_asked_at: Mapped[datetime | None]
    is_current: Mapped[bool] = mapped_column(default=False)

    @property
    def is_queued(self) -> bool:
        """Tell whether it waits for its workspace's turn."""
        return not (self.plan_only or self.save_plan) or self.status is RunStatus.CONFIRMED

    def take(self, step: Step) -> None:
        """Move to the status `step` leads to, or raise IllegalStepError."""
        if (self.status, step) not in TRANSITIONS:
            raise IllegalStepError(self.id, self.status, step)
        self.status = TRANSITIONS[self.status, step]
        self.changed_at = now()
        key = f"{self.status.value.replace('_', '-')}-at"
        self.status_timestamps = {**self.status_timestamps, key: rfc3339(self.changed_at)}


# Keeps `is_current` true, whoever writes. The row of the workspace is held by then: locks are taken
# in that order everywhere. A session may write a workspace before the run it is at.
MARK_CURRENT: Final = (
    """
CREATE FUNCTION landform_mark_current_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE runs SET is_current = (id IS NOT DISTINCT FROM NEW.current_run_id)
  WHERE id IN (OLD.current_run_id, NEW.current_run_id);
  RETURN NULL;
END
$$""",
    """
CREATE TRIGGER mark_current_run AFTER UPDATE OF current_run_id ON workspaces FOR EACH ROW
WHEN (NEW.current_run_id IS DISTINCT FROM OLD.current_run_id)
EXECUTE FUNCTION landform_mark_current_run()""",
    """
CREATE FUNCTION landform_is_current_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.is_current := EXISTS (
    SELECT FROM workspaces WHERE id = NEW.workspace_id AND current_run_id = NEW.id);
  RETURN NEW;
END
$$""",
    """
CREATE TRIGGER is_current_run BEFORE INSERT ON runs FOR EACH ROW
EXECUTE FUNCTION landform_is_current_run()""",
)
for statement in MARK_CURRENT:
    on.listen(Run.__table__, "after_create", DDL(statement))  # type: ignore[no-untyped-call] # it has no types


class RunInputs(Base):
    """All variables that a run's plan was given, for its apply; there until the run is over.

    Attributes:
        sealed_variables: as JSON, encrypted for the place `runs/{run_id}/used-variables`.
    """

    __tablename__ = "run_inputs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    sealed_variables: Mapped[bytes] = mapped_column(Sealed("runs/{run_id}/used-variables"))


class RunPhase(Base):
    """A run's plan or its apply: how far it came, what it counted, which files it left.

    Attributes:
        artefacts: names of what is in the store at `phases/{id}/{name}` or, for those a worker
            wrote, the epoch whose write counts: `{name: epoch}`.
        maybe_not_in_state: objects that an apply made after the newest state it could save.
        sandbox: what kept the last attempt apart from other runs and the worker's machine:
            `bubblewrap`, `none`, or empty before the first.
    """

    __tablename__ = "run_phases"

    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    phase: Mapped[Phase]
    status: Mapped[PhaseStatus] = mapped_column(default=PhaseStatus.PENDING)
    status_timestamps: Mapped[dict[str, Any]] = mapped_column(default=dict)
    attempts: Mapped[int] = mapped_column(default=0)
    additions: Mapped[int | None]
    changes: Mapped[int | None]
    destructions: Mapped[int | None]
    imports: Mapped[int | None]
    has_changes: Mapped[bool] = mapped_column(default=False)
    artefacts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    maybe_not_in_state: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    sandbox: Mapped[str] = mapped_column(default="")

    def move(self, status: PhaseStatus) -> None:
        """Set the status and note when."""
        self.status = status
        moment = rfc3339(now())
        self.status_timestamps = {**self.status_timestamps, f"{status}-at": moment}


class Approval(Base):
    """Somebody agrees that a run's plan is applied."""

    __tablename__ = "run_approvals"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)


class Comment(Base):
    """What somebody said of a run."""

    __tablename__ = "comments"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("wsc"))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
