"""Tables of variables."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from landform.access.permissions import Place
from landform.contract import Category
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed


class VariableSet(Base):
    """Variables that several workspaces share.

    Attributes:
        project_id: the project that owns it, and beyond which it does not apply; None: the
            organization does.
        is_global: applies to every workspace of the organization.
        is_priority: goes before what is set closer to a workspace, and before the command line.
        weight: of two sets that would go equally far, the heavier goes first, and only then the
            name that is first by code point. Terrakube's `priority`; TFE has none, and it is 0.
    """

    __tablename__ = "variable_sets"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint("project_id IS NULL OR NOT is_global", name="global_of_organization"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("varset"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    project_id: Mapped[str | None] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    is_global: Mapped[bool] = mapped_column(default=False)
    is_priority: Mapped[bool] = mapped_column(default=False)
    weight: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    @property
    def place(self) -> Place:
        """Where permissions on the set are looked up."""
        return Place(organization_id=self.organization_id, project_id=self.project_id)


class VariableSetWorkspace(Base):
    """A variable set applies to a workspace."""

    __tablename__ = "variable_set_workspaces"

    variable_set_id: Mapped[str] = mapped_column(
        ForeignKey("variable_sets.id", ondelete="CASCADE"), primary_key=True
    )
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class VariableSetProject(Base):
    """A variable set applies to the workspaces of a project."""

    __tablename__ = "variable_set_projects"

    variable_set_id: Mapped[str] = mapped_column(
        ForeignKey("variable_sets.id", ondelete="CASCADE"), primary_key=True
    )
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Variable(Base):
    """One input of runs: of a workspace's, or of those of all workspaces a set applies to.

    Attributes:
        sealed_value: the value, encrypted for the place `variables/{id}`; every value is, so
            that turning `sensitive` on later leaves no clear copy behind.
        version_id: changes with every change of the variable, as TFE's does.
    """

    __tablename__ = "variables"
    __table_args__ = (
        UniqueConstraint("workspace_id", "category", "key"),
        UniqueConstraint("variable_set_id", "category", "key"),
        CheckConstraint("num_nonnulls(workspace_id, variable_set_id) = 1", name="one_owner"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("var"))
    workspace_id: Mapped[str | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE")
    )
    variable_set_id: Mapped[str | None] = mapped_column(
        ForeignKey("variable_sets.id", ondelete="CASCADE")
    )
    key: Mapped[str]
    sealed_value: Mapped[bytes] = mapped_column(Sealed("variables/{id}"))
    category: Mapped[Category]
    hcl: Mapped[bool] = mapped_column(default=False)
    sensitive: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(default="")
    version_id: Mapped[str] = mapped_column(default=lambda: new_id("varver"))
    created_at: Mapped[datetime] = mapped_column(default=now)
