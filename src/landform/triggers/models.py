"""Tables of triggers: what was last seen of repositories, and what providers were last told."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base


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
