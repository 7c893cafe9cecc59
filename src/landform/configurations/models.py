"""Tables of configurations."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id


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
