"""Tables of variables."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from landform.contract import Category
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed


class Variable(Base):
    """One input of a workspace's runs.

    Attributes:
        sealed_value: the value, encrypted for the place `variables/{id}`; every value is, so
            that turning `sensitive` on later leaves no clear copy behind.
        version_id: changes with every change of the variable, as TFE's does.
    """

    __tablename__ = "variables"
    __table_args__ = (UniqueConstraint("workspace_id", "category", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("var"))
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    key: Mapped[str]
    sealed_value: Mapped[bytes] = mapped_column(Sealed("variables/{id}"))
    category: Mapped[Category]
    hcl: Mapped[bool] = mapped_column(default=False)
    sensitive: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(default="")
    version_id: Mapped[str] = mapped_column(default=lambda: new_id("varver"))
    created_at: Mapped[datetime] = mapped_column(default=now)
