"""Tables of access."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from landform.identity.actor import ActorKind
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id


class Membership(Base):
    """A user belongs to an organization; what they may do comes from their teams."""

    __tablename__ = "organization_memberships"
    __table_args__ = (UniqueConstraint("organization_id", "user_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("ou"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Invitation(Base):
    """A link by which somebody makes an account and joins, once; only its hash is kept.

    Attributes:
        invitee: an address or a name: whom the link is for.
        team_ids: the teams they will be in.
        created_by_kind: of whom `created_by` is the id.
    """

    __tablename__ = "organization_invitations"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("inv"))
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    invitee: Mapped[str]
    team_ids: Mapped[list[str]] = mapped_column(default=list)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    created_by_kind: Mapped[ActorKind]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class Team(Base):
    """Users who were given the same permissions.

    Attributes:
        is_owners: the one team per organization that may do everything in it.
        organization_access: TFE's switches by name (`manage-workspaces` …) that are on.
        sso_team_id: the group of identity providers that the team stands for; None: none.
    """

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("team"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    name: Mapped[str]
    is_owners: Mapped[bool] = mapped_column(default=False)
    visibility: Mapped[str] = mapped_column(default="secret")
    organization_access: Mapped[list[str]] = mapped_column(default=list)
    sso_team_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class TeamMember(Base):
    """A user is in a team."""

    __tablename__ = "team_members"

    team_id: Mapped[str] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class WorkspaceGrant(Base):
    """What a team may do on one workspace: a fixed level, or `custom` with its own settings."""

    __tablename__ = "team_workspaces"
    __table_args__ = (UniqueConstraint("team_id", "workspace_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("tws"))
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    level: Mapped[str]
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ProjectGrant(Base):
    """What a team may do on a project and on every workspace in it."""

    __tablename__ = "team_projects"
    __table_args__ = (UniqueConstraint("team_id", "project_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("tprj"))
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    level: Mapped[str]
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ApprovalRule(Base):
    """How many people of which teams must agree before a run of a workspace is applied.

    Attributes:
        team_ids: teams that were deleted since stay in it and approve nothing.
    """

    __tablename__ = "approval_rules"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    needed: Mapped[int]
    team_ids: Mapped[list[str]]
