"""The event log: one row per thing that happened, written with the change it describes."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, named in the past tense. No field may hold a secret.

    Attributes:
        actor_id: who did it: an id of a user, team, token, run or `landform` itself.
        organization_id: the organization it happened in; None for the whole site.
        subject_id: the one object it is about.
    """

    actor_id: str
    organization_id: str | None
    subject_id: str


class EventRow(Base):
    """Both outbox and audit log."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    actor_id: Mapped[str]
    organization_id: Mapped[str | None] = mapped_column(index=True)
    subject_id: Mapped[str] = mapped_column(index=True)
    payload: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=now)


def publish(session: AsyncSession, event: Event) -> None:
    """Record `event` in the caller's transaction."""
    payload = asdict(event)
    session.add(
        EventRow(
            name=type(event).__name__,
            actor_id=payload.pop("actor_id"),
            organization_id=payload.pop("organization_id"),
            subject_id=payload.pop("subject_id"),
            payload=payload,
        )
    )
