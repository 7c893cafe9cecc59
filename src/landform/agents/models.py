"""Tables of agents."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from landform.access.permissions import Place
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id


class AgentPool(Base):
    """Agents that stand for each other: whichever is free takes the next phase.

    Attributes:
        organization_scoped: every workspace of the organization may use it, save those that are
            excluded; else only those that are allowed, or whose project is.
    """

    __tablename__ = "agent_pools"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("apool"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    name: Mapped[str]
    organization_scoped: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def place(self) -> Place:
        """Where permissions on the pool are looked up."""
        return Place(organization_id=self.organization_id)


Index(
    "uq_agent_pools_organization_lower_name",
    AgentPool.organization_id,
    func.lower(AgentPool.name),
    unique=True,
)


class PoolPlace(Base):
    """A workspace or a project that may use a pool, or a workspace that may not."""

    __tablename__ = "agent_pool_places"
    __table_args__ = (
        CheckConstraint("num_nonnulls(workspace_id, project_id) = 1", name="one_place"),
        CheckConstraint("NOT is_excluded OR project_id IS NULL", name="no_project_excluded"),
        Index(
            "uq_agent_pool_places_workspace", "pool_id", "workspace_id", "is_excluded", unique=True
        ),
        Index("uq_agent_pool_places_project", "pool_id", "project_id", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("pp"))
    pool_id: Mapped[str] = mapped_column(ForeignKey("agent_pools.id", ondelete="CASCADE"))
    workspace_id: Mapped[str | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    project_id: Mapped[str | None] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    is_excluded: Mapped[bool] = mapped_column(default=False)


class Farewell(StrEnum):
    """How an agent left."""

    EXITED = "exited"
    ERRORED = "errored"


class Agent(Base):
    """A process that takes phases of its pool.

    Attributes:
        id: a digest of the pool and of a secret that the agent made itself: whoever knows the
            secret is the agent, also after a restart.
        address: where it last called from.
        sandbox: what keeps its runs apart; see `runs.models.RunPhase`.
        farewell: how it left; None while it has not said so.
        seen_at: when it last said that it lives.
    """

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(primary_key=True)
    pool_id: Mapped[str] = mapped_column(
        ForeignKey("agent_pools.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    version: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    sandbox: Mapped[str] = mapped_column(default="")
    slots: Mapped[int] = mapped_column(default=1)
    farewell: Mapped[Farewell | None]
    seen_at: Mapped[datetime] = mapped_column(default=now)
    created_at: Mapped[datetime] = mapped_column(default=now)
