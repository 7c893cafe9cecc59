"""Tables of dispatch."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from landform.contract import Phase, Stop
from landform.kit.clock import now
from landform.kit.db import Base

WORKERS: Final = "default"
"""The pool of the platform's own workers; every other is the id of an agent pool."""


class LeaseState(StrEnum):
    """Where a phase stands between the queue and its end."""

    QUEUED = "queued"
    LEASED = "leased"
    ENDED = "ended"


class Lease(Base):
    """The fence around one phase: whoever holds the present epoch may write, nobody else.

    Attributes:
        epoch: attempts begun so far, and one more if others ended the phase; a write of an older
            one is refused.
        pool: who may take it; set once, so that an apply goes where its plan was made.
        leased_until: by the database's clock; after it the attempt counts as dead.
        stop: what the attempt is told at its next renewal.
    """

    __tablename__ = "leases"
    __table_args__ = (
        Index("ix_leases_state_until", "state", "leased_until"),
        Index("ix_leases_pool_state", "pool", "state"),
    )

    phase_id: Mapped[str] = mapped_column(primary_key=True)
    phase: Mapped[Phase]
    run_id: Mapped[str] = mapped_column(index=True)
    pool: Mapped[str] = mapped_column(default=WORKERS)
    state: Mapped[LeaseState] = mapped_column(default=LeaseState.QUEUED)
    epoch: Mapped[int] = mapped_column(default=0)
    worker_id: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    queued_at: Mapped[datetime] = mapped_column(default=now)
    stop: Mapped[Stop] = mapped_column(default=Stop.NO)
