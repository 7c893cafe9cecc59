"""Tables of workspaces."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from landform.access.permissions import Place
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.toolchain.versions import Tool
from landform.workspaces.run_kinds import RunKind


class ExecutionMode(StrEnum):
    """Where terraform runs."""

    REMOTE = "remote"
    LOCAL = "local"
    AGENT = "agent"


class LockHolder(StrEnum):
    """What kind of thing holds a workspace's lock."""

    USER = "users"
    TEAM = "teams"
    RUN = "runs"


class Project(Base):
    """A shelf of workspaces that teams can be given as a whole."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("prj"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def place(self) -> Place:
        """Where permissions on the project are looked up."""
        return Place(organization_id=self.organization_id, project_id=self.id)


Index(
    "uq_projects_organization_lower_name",
    Project.organization_id,
    func.lower(Project.name),
    unique=True,
)


class Workspace(Base):
    """One state, its settings and its queue of runs.

    Attributes:
        agent_pool_id: whose agents plan and apply; None unless the execution mode is `agent`.
        tool_version: what the user asked for: exact, a constraint, or `latest`.
        current_run_id: the run that has its turn, is next while a lock holds it back, or had it
            last.
        current_state_version_id: the newest finalized state; None before the first.
        drifted: objects that were found changed or gone, and not by terraform; by the newest plan
            that looked.
        drift_run_id: the run of that plan; None: no plan found any since the last apply.
        global_remote_state: the runs of every workspace of the organization may read its state.
        project_remote_state: those of every workspace of the project it is in may.
        lock_holder_kind: None when the workspace is not locked.
        ssh_key_id: what its runs fetch modules by, over SSH; None: by nothing.
    """

    __tablename__ = "workspaces"
    __table_args__ = (
        CheckConstraint(
            "(execution_mode = 'agent') = (agent_pool_id IS NOT NULL)", name="agents_of_a_pool"
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("ws"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    tool: Mapped[Tool] = mapped_column(default=Tool.TERRAFORM)
    tool_version: Mapped[str] = mapped_column(default="latest")
    working_directory: Mapped[str] = mapped_column(default="")
    execution_mode: Mapped[ExecutionMode] = mapped_column(default=ExecutionMode.REMOTE)
    agent_pool_id: Mapped[str | None] = mapped_column(ForeignKey("agent_pools.id"), index=True)
    auto_apply: Mapped[bool] = mapped_column(default=False)
    auto_apply_run_trigger: Mapped[bool] = mapped_column(default=False)
    allow_destroy_plan: Mapped[bool] = mapped_column(default=True)
    assessments_enabled: Mapped[bool] = mapped_column(default=False)
    file_triggers_enabled: Mapped[bool] = mapped_column(default=True)
    global_remote_state: Mapped[bool] = mapped_column(default=False)
    project_remote_state: Mapped[bool] = mapped_column(default=False, server_default="false")
    drifted: Mapped[int] = mapped_column(default=0, server_default="0")
    drift_run_id: Mapped[str | None]
    queue_all_runs: Mapped[bool] = mapped_column(default=False)
    speculative_enabled: Mapped[bool] = mapped_column(default=True)
    structured_run_output_enabled: Mapped[bool] = mapped_column(default=True)
    trigger_prefixes: Mapped[list[str]] = mapped_column(default=list)
    trigger_patterns: Mapped[list[str]] = mapped_column(default=list)
    source: Mapped[str] = mapped_column(default="tfe-api")
    source_name: Mapped[str | None]
    source_url: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    current_run_id: Mapped[str | None]
    current_state_version_id: Mapped[str | None]
    lock_holder_kind: Mapped[LockHolder | None]
    lock_holder_id: Mapped[str | None]
    lock_reason: Mapped[str] = mapped_column(default="")
    locked_at: Mapped[datetime | None]
    ssh_key_id: Mapped[str | None] = mapped_column(
        ForeignKey("ssh_keys.id", ondelete="SET NULL"), index=True
    )

    @property
    def is_locked(self) -> bool:
        """Tell whether anyone, a run included, holds the lock."""
        return self.lock_holder_kind is not None

    @property
    def place(self) -> Place:
        """Where permissions on the workspace are looked up."""
        return Place(
            organization_id=self.organization_id,
            project_id=self.project_id,
            workspace_id=self.id,
        )


Index(
    "uq_workspaces_organization_lower_name",
    Workspace.organization_id,
    func.lower(Workspace.name),
    unique=True,
)


class RemoteStateConsumer(Base):
    """One workspace whose runs may read the state of another, which says so by name."""

    __tablename__ = "remote_state_consumers"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    consumer_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class TagBinding(Base):
    """A key, with or without a value, on a workspace or on a project (whose workspaces inherit).

    What TFE once called a tag is a binding without a value.
    """

    __tablename__ = "tag_bindings"
    __table_args__ = (
        CheckConstraint("num_nonnulls(workspace_id, project_id) = 1", name="one_owner"),
        Index("uq_tag_bindings_workspace_key", "workspace_id", "key", unique=True),
        Index("uq_tag_bindings_project_key", "project_id", "key", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("tb"))
    workspace_id: Mapped[str | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE")
    )
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(index=True)
    value: Mapped[str] = mapped_column(default="")


class OrganizationTag(Base):
    """A tag that an organization sets aside, before anything is tagged with it."""

    __tablename__ = "organization_tags"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)


class WorkspaceRepository(Base):
    """The repository a workspace is planned from, and what of it starts runs.

    Attributes:
        connection_id: how the repository is reached; without the connection there is no link.
        by_installation: TFE's clients named the connection as a GitHub App's installation.
        repository_id: the provider's; the only identity, as names and URLs change.
        identifier: what people call it: `acme/Cloud Team/_git/infra`.
        branch: whose pushes are planned; empty: the repository's default branch.
        default_branch: as the provider last said.
        linked_commit: where the followed branch was when it was connected; empty: nowhere.
        pushes_enabled: pushes to the branch start runs.
        push_run_kind: what a push or a tag runs; None: as the workspace says.
        path_regexes: RE2, each of a whole path; when there are some, a push that changes no such
            file starts no run, whatever the workspace says of files.
        pull_path_regexes: the same of pull requests.
        tags_regex: RE2; when there is one, tags that match start runs, and pushes do not.
        forks_enabled: plan pull requests from forks, which is to run a stranger's code with
            this workspace's secrets.
        applies_by_comment: whoever may apply may do so by a comment.
        large_files: fetch what the repository keeps in Git LFS.
        problem: why the repository's events do not reach us; empty: all is well.
    """

    __tablename__ = "workspace_repositories"
    __table_args__ = (
        Index("ix_workspace_repositories_repository", "connection_id", "repository_id"),
    )

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    connection_id: Mapped[str] = mapped_column(ForeignKey("vcs_connections.id", ondelete="CASCADE"))
    by_installation: Mapped[bool] = mapped_column(default=False)
    repository_id: Mapped[str]
    identifier: Mapped[str]
    web_url: Mapped[str] = mapped_column(default="")
    branch: Mapped[str] = mapped_column(default="")
    default_branch: Mapped[str] = mapped_column(default="")
    linked_commit: Mapped[str] = mapped_column(default="")
    ingress_submodules: Mapped[bool] = mapped_column(default=False)
    large_files: Mapped[bool] = mapped_column(default=False)
    pushes_enabled: Mapped[bool] = mapped_column(default=True)
    push_run_kind: Mapped[RunKind | None]
    path_regexes: Mapped[list[str]] = mapped_column(default=list)
    pull_path_regexes: Mapped[list[str]] = mapped_column(default=list)
    tags_regex: Mapped[str] = mapped_column(default="")
    forks_enabled: Mapped[bool] = mapped_column(default=False)
    applies_by_comment: Mapped[bool] = mapped_column(default=False)
    problem: Mapped[str] = mapped_column(default="")
    linked_at: Mapped[datetime] = mapped_column(default=now)
    linked_by: Mapped[str]

    @property
    def followed_branch(self) -> str:
        """Whose pushes are planned, and into which pull requests are."""
        return self.branch or self.default_branch
