"""Tables of the fleet."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.db import Base
from landform.kit.ids import new_id


class Kind(StrEnum):
    """What a process is."""

    SERVER = "server"
    WORKER = "worker"


class Presence(Base):
    """A process that said a moment ago that it lives.

    Attributes:
        key_ids: names of the encryption keys that it holds; it seals with the first.
        sandbox: of a worker: what keeps its runs apart, `bubblewrap` or `none`.
        sandbox_reason: why that is `none`.
        seen_at, expires_at: by the database's clock; past the latter it counts as dead.
    """

    __tablename__ = "processes"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("proc"))
    kind: Mapped[Kind]
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    key_ids: Mapped[list[str]]
    sandbox: Mapped[str] = mapped_column(default="")
    sandbox_reason: Mapped[str] = mapped_column(default="")
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
