"""Tables of states."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed


class StateStatus(StrEnum):
    """How far a state came; the first three values are TFE's.

    OFFERED is ours: a state that reached us too late to be the workspace's, kept for a person.
    """

    PENDING = "pending"
    FINALIZED = "finalized"
    DISCARDED = "discarded"
    OFFERED = "offered"


class StateVersion(Base):
    """One state of a workspace, never changed once finalized.

    Attributes:
        md5: of the raw state, in hexadecimal, as the client announced it.
        is_intermediate: a snapshot taken during an apply.
        resources: what TFE lists per state: name, type, count, module, provider.
        resource_count: instances of managed resources.
    """

    __tablename__ = "state_versions"
    __table_args__ = (Index("ix_state_versions_workspace_created", "workspace_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("sv"))
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    run_id: Mapped[str | None] = mapped_column(index=True)
    status: Mapped[StateStatus] = mapped_column(default=StateStatus.PENDING)
    serial: Mapped[int] = mapped_column(BigInteger)
    lineage: Mapped[str]
    md5: Mapped[str]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    is_intermediate: Mapped[bool] = mapped_column(default=False)
    is_forced: Mapped[bool] = mapped_column(default=False)
    has_json: Mapped[bool] = mapped_column(default=False)
    terraform_version: Mapped[str | None]
    resources: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    resource_count: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    finalized_at: Mapped[datetime | None]

    @property
    def path(self) -> str:
        """Where the store holds the raw state."""
        return f"states/{self.workspace_id}/{self.id}.tfstate"

    @property
    def json_path(self) -> str:
        """Where the store holds the state as `terraform show -json` writes it."""
        return f"states/{self.workspace_id}/{self.id}.json"


class StateOutput(Base):
    """One output of a state; the value is encrypted for the place `state-outputs/{id}`."""

    __tablename__ = "state_version_outputs"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("wsout"))
    state_version_id: Mapped[str] = mapped_column(
        ForeignKey("state_versions.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    sensitive: Mapped[bool]
    kind: Mapped[str]
    detailed_type: Mapped[Any] = mapped_column(JSONB, nullable=True)
    sealed_value: Mapped[bytes] = mapped_column(Sealed("state-outputs/{id}"))
