"""Tables of organizations."""

from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id


class Organization(Base):
    """A tenant. Its name is its id in the TFE API; `id` is what TFE calls the external id.

    Attributes:
        max_token_days: that a token of the organization, or of a team of it, lives at most.
    """

    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("org"))
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    default_execution_mode: Mapped[str] = mapped_column(default="remote")
    default_project_id: Mapped[str | None]
    default_agent_pool_id: Mapped[str | None]
    allow_force_delete_workspaces: Mapped[bool] = mapped_column(default=True)
    max_token_days: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


Index("uq_organizations_lower_name", func.lower(Organization.name), unique=True)
