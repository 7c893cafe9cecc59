"""Tables of configurations."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed


class ConfigurationStatus(StrEnum):
    """How far an upload came; the values are TFE's."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    ERRORED = "errored"
    ARCHIVED = "archived"


class ConfigurationVersion(Base):
    """One upload of a configuration, as a tar.gz.

    Attributes:
        speculative: its runs can only plan.
        provisional: it does not become the workspace's configuration until a run of it applies.
    """

    __tablename__ = "configuration_versions"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("cv"))
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    status: Mapped[ConfigurationStatus] = mapped_column(default=ConfigurationStatus.PENDING)
    auto_queue_runs: Mapped[bool] = mapped_column(default=True)
    speculative: Mapped[bool] = mapped_column(default=False)
    provisional: Mapped[bool] = mapped_column(default=False)
    source: Mapped[str] = mapped_column(default="tfe-api")
    error: Mapped[str] = mapped_column(default="")
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    uploaded_at: Mapped[datetime | None]

    @property
    def path(self) -> str:
        """Where the store holds the archive."""
        return f"configurations/{self.id}.tar.gz"


class WorkspaceReadme(Base):
    """The README of the configuration that a workspace took last; of speculative ones none is kept.

    Attributes:
        directory: the workspace's working directory then; of another one it says nothing.
        sealed_html: as `readme.Readme` has it, encrypted for `readmes/{workspace_id}`.
    """

    __tablename__ = "workspace_readmes"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    configuration_version_id: Mapped[str]
    directory: Mapped[str]
    name: Mapped[str]
    sealed_html: Mapped[bytes] = mapped_column(Sealed("readmes/{workspace_id}"))
    is_cut: Mapped[bool] = mapped_column(default=False)


class Ingress(Base):
    """Where a configuration came from, when it was fetched from a repository; not changed later.

    Attributes:
        ref: whole name of the branch or tag it is of: `refs/heads/main`.
        base_commit: what the commit was compared with; empty for a tag.
        sender_name: who pushed, or whose pull request it is, as the provider calls them.
        with_submodules: their files belong to it.
        with_large_files: so do those in Git LFS.
        from_stranger: it is of a fork, planned without anybody's leave: no secret goes to its run.
    """

    __tablename__ = "ingress_attributes"
    __table_args__ = (
        Index("ix_ingress_attributes_commit", "connection_id", "repository_id", "commit_sha"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("ia"))
    configuration_version_id: Mapped[str] = mapped_column(
        ForeignKey("configuration_versions.id", ondelete="CASCADE"), unique=True
    )
    connection_id: Mapped[str]
    repository_id: Mapped[str]
    identifier: Mapped[str]
    clone_url: Mapped[str] = mapped_column(default="")
    ref: Mapped[str]
    branch: Mapped[str] = mapped_column(default="")
    tag: Mapped[str] = mapped_column(default="")
    on_default_branch: Mapped[bool] = mapped_column(default=False)
    commit_sha: Mapped[str]
    base_commit: Mapped[str] = mapped_column(default="")
    commit_message: Mapped[str] = mapped_column(default="")
    commit_url: Mapped[str] = mapped_column(default="")
    compare_url: Mapped[str] = mapped_column(default="")
    author_name: Mapped[str] = mapped_column(default="")
    author_email: Mapped[str] = mapped_column(default="")
    pull_request_number: Mapped[int | None]
    pull_request_url: Mapped[str] = mapped_column(default="")
    pull_request_title: Mapped[str] = mapped_column(default="")
    sender_name: Mapped[str] = mapped_column(default="")
    with_submodules: Mapped[bool] = mapped_column(default=False)
    with_large_files: Mapped[bool] = mapped_column(default=False)
    from_stranger: Mapped[bool] = mapped_column(default=False)
