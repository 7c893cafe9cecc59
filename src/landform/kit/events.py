"""The event log: one row per thing that happened, written with the change it describes.

Whoever waits for changes is told by the database itself: each row wakes the listeners of `CHANNEL`
for its organization, its subject, the workspace it happened in and whose the subject is; for its
name; and for each of those with its name (`org-…/TeamCreated`). They wake at the commit.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import DDL, BigInteger, Identity, Index, text
from sqlalchemy import event as on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now, rfc3339
from landform.kit.db import Base, notify

Changes: TypeAlias = dict[str, list[Any]]

CHANNEL: Final = "landform_changes"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the request came from that makes things happen; empty for the platform's own deeds.

    Attributes:
        address: the client's, as the server sees it (behind a proxy it trusts: as that says).
        request_id: names the request in the server's log and in the answer's header.
        agent: what the client says that it is; anything may stand there.
    """

    address: str = ""
    request_id: str = ""
    agent: str = ""


NOWHERE: Final = Origin()
ORIGIN: Final[ContextVar[Origin]] = ContextVar("landform_origin", default=NOWHERE)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, named in the past tense. No field may hold a secret.

    Attributes:
        actor_id: who did it: an id of a user, team, token, run or `landform` itself.
        organization_id: the organization it happened in; None for the whole site.
        subject_id: the one object it is about.
        changes: for a change of what was there, each part's value before and after.
    """

    actor_id: str
    organization_id: str | None
    subject_id: str
    changes: Changes = field(default_factory=dict)


class EventRow(Base):
    """Both outbox and audit log.

    Attributes:
        address: see Origin.
        request_id: see Origin.
        position: its place in the chain of `landform.audit`; None until it is sealed there.
        digest: what that place was sealed with.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_unsealed", "id", postgresql_where=text("position IS NULL")),
        Index("ix_events_organization_id_at", "organization_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    actor_id: Mapped[str]
    organization_id: Mapped[str | None] = mapped_column(index=True)
    subject_id: Mapped[str] = mapped_column(index=True)
    payload: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=now)
    address: Mapped[str] = mapped_column(default="", server_default="")
    request_id: Mapped[str] = mapped_column(default="", server_default="")
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    digest: Mapped[bytes | None]


# By the ids that it is about, by its name for who waits for all of a kind, and by both for who
# waits for a kind at one place. A payload that is too long would undo the change; none is.
TELL: Final = (
    f"""
CREATE FUNCTION landform_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('{CHANNEL}', left(told, 200))
  FROM unnest(ARRAY[
    NEW.organization_id, NEW.subject_id,
    NEW.payload ->> 'workspace_id', NEW.payload ->> 'owner_id', '']) AS place,
  LATERAL (VALUES (place), (concat_ws('/', nullif(place, ''), NEW.name))) AS each (told)
  WHERE told <> '' AND place IS NOT NULL;
  RETURN NULL;
END
$$""",
    """
CREATE TRIGGER tell_change AFTER INSERT ON events FOR EACH ROW
EXECUTE FUNCTION landform_tell_change()""",
)
for statement in TELL:
    on.listen(EventRow.__table__, "after_create", DDL(statement))  # type: ignore[no-untyped-call] # it has no types


def publish(session: AsyncSession, event: Event) -> None:
    """Record `event` in the caller's transaction, with where its request came from."""
    payload = asdict(event)
    if not event.changes:
        del payload["changes"]
    origin = ORIGIN.get()
    session.add(
        EventRow(
            name=type(event).__name__,
            actor_id=payload.pop("actor_id"),
            organization_id=payload.pop("organization_id"),
            subject_id=payload.pop("subject_id"),
            payload=payload,
            address=origin.address,
            request_id=origin.request_id,
        )
    )


async def tell(session: AsyncSession, place: str, noun: str) -> None:
    """Wake who looks at such things of a place, for what changes without an event of the log.

    For what is noted of them besides, as when a token was last used; at the caller's commit.
    """
    await notify(session, CHANNEL, f"{place}/{noun}" if place else noun)


def changes_of(row: object, changed: Mapping[str, Any]) -> Changes:
    """Return each value of `row` beside the one that `changed` is about to give it.

    For `Event.changes`; call it before the row is changed, and never with a secret among them.
    """
    return {
        name: [_plain(getattr(row, name)), _plain(value)] for name, value in sorted(changed.items())
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)
