"""Tables of triggers: what was last seen of repositories, and what providers were last told."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.workspaces.run_kinds import RunKind


class SeenRef(Base):
    """Where a branch or tag was when it was last acted on.

    Attributes:
        ref: whole name: `refs/heads/main`.
        commit: empty when it was deleted.
    """

    __tablename__ = "vcs_seen_refs"

    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), primary_key=True
    )
    repository_id: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    commit: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class SeenPullRequest(Base):
    """How a pull request was when it was last acted on."""

    __tablename__ = "vcs_seen_pull_requests"

    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), primary_key=True
    )
    repository_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    source_commit: Mapped[str]
    is_open: Mapped[bool]
    seen_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class SeenComment(Base):
    """A comment that was a command, and was acted on; editing it asks for nothing again."""

    __tablename__ = "vcs_seen_comments"

    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), primary_key=True
    )
    repository_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    comment_id: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(default=now)


class RunFeedback(Base):
    """What the provider is to be told of a run, and was told last.

    Attributes:
        told_status: the run's status that was told; empty before the first.
        next_at: not to be tried before; None when there is nothing left to tell.
        problem: why the provider did not take it.
    """

    __tablename__ = "run_feedback"
    __table_args__ = (Index("ix_run_feedback_next_at", "next_at"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), index=True
    )
    repository_id: Mapped[str]
    commit_sha: Mapped[str]
    pull_request_number: Mapped[int | None]
    told_status: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(default=now)
    problem: Mapped[str] = mapped_column(default="")


class PullRequestComment(Base):
    """The one comment under a pull request that is about a workspace.

    Attributes:
        comment_id: the provider's; empty before the first.
        run_id: of the run it is about.
    """

    __tablename__ = "pull_request_comments"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), primary_key=True
    )
    repository_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    comment_id: Mapped[str] = mapped_column(default="")
    run_id: Mapped[str] = mapped_column(default="")


class RepositoryWatch(Base):
    """A repository that workspaces are planned from: its hook is kept, and it is looked at.

    Attributes:
        next_look_at: when it is asked for what no delivery told; also a claim of who asks.
        next_upkeep_at: when its hook is next made, checked or repaired; also a claim.
        has_baseline: what was there when the first workspace came is known, and starts nothing.
        failures: looks in a row that failed.
        problem: why the last one did.
    """

    __tablename__ = "repository_watches"

    connection_id: Mapped[str] = mapped_column(
        ForeignKey("vcs_connections.id", ondelete="CASCADE"), primary_key=True
    )
    repository_id: Mapped[str] = mapped_column(primary_key=True)
    next_look_at: Mapped[datetime] = mapped_column(default=now, index=True)
    next_upkeep_at: Mapped[datetime] = mapped_column(default=now, index=True)
    has_baseline: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(default="")


class WebhookEventKind(StrEnum):
    """What of a repository starts runs."""

    PUSH = "push"
    PULL_REQUEST = "pull-request"
    TAG = "tag"


class PathType(StrEnum):
    """How the files of an event are written."""

    REGEX = "regex"
    PATTERN = "pattern"


class Webhook(Base):
    """Terrakube's `webhook` of a workspace: while there is one, its events say what starts runs.

    The hook at the provider is the repository's, and kept whether or not there is this.

    Attributes:
        migrated: Terrakube's `migratedV2`, kept for its clients; there is one kind of hook here.
    """

    __tablename__ = "webhooks"
    __table_args__ = (UniqueConstraint("workspace_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("wh"))
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspace_repositories.workspace_id", ondelete="CASCADE")
    )
    migrated: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class WebhookEvent(Base):
    """One event of a webhook, as its client wrote it; what it means is set on the workspace.

    Attributes:
        branch: regular expressions with commas between them, of branches or of tags.
        path: of files, likewise; empty: any file.
        run_kind: None: as the workspace says.
        priority: kept for the clients; with one event of a kind, no order is needed.
        plans_by_comment: kept for the clients; who may plan may always do so by a comment.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (UniqueConstraint("webhook_id", "event"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("whe"))
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[WebhookEventKind]
    branch: Mapped[str] = mapped_column(default="")
    path: Mapped[str] = mapped_column(default="")
    path_type: Mapped[PathType] = mapped_column(default=PathType.REGEX)
    run_kind: Mapped[RunKind | None]
    priority: Mapped[int] = mapped_column(default=0)
    plans_by_comment: Mapped[bool] = mapped_column(default=False)
    applies_by_comment: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
