"""What in a connection ends some day, and who is told in time."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM
from landform.kit import clock, events
from landform.vcs.events import ConnectionExpiring
from landform.vcs.models import Connection

WARN_DAYS: Final = (30, 7, 1)
"""Days before the end at which it is told; the first is when a page begins to show it."""

_AT_ONCE: Final = 100


def warning(row: Connection) -> str:
    """Return in one sentence what ends and what to do; empty while there is time."""
    ends = row.secret_expires_at
    if ends is None or (left := _days(ends)) > WARN_DAYS[0]:
        return ""
    day = f"{ends:%Y-%m-%d}"
    if ends <= clock.now():
        return f"The secret ended on {day}. Give the connection a new one."
    when = "within a day" if left < 1 else f"in {left} day{'s' if left > 1 else ''}"
    return f"The secret ends {when}, on {day}. Give the connection a new one before."


async def tell_due(session: AsyncSession) -> int:
    """Tell of each secret that came within 30, 7 or 1 days of its end, once each; return how many.

    Any number of processes may call it at once.
    """
    first = clock.now() + timedelta(days=WARN_DAYS[0])
    new_secrets = update(Connection).where(
        Connection.warned_days.is_not(None),
        or_(Connection.secret_expires_at.is_(None), Connection.secret_expires_at > first),
    )
    await session.execute(
        new_secrets.values(warned_days=None, updated_at=Connection.updated_at),
        execution_options={"synchronize_session": False},
    )
    found = await session.scalars(
        select(Connection)
        .where(Connection.secret_expires_at <= first)
        .where(or_(Connection.warned_days.is_(None), Connection.warned_days > 0))
        .order_by(Connection.secret_expires_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    told = 0
    for row in found:
        if row.secret_expires_at is None:
            continue
        stage = _stage(row.secret_expires_at)
        if row.warned_days is not None and row.warned_days <= stage:
            continue
        row.warned_days, row.updated_at = stage, row.updated_at
        told += 1
        events.publish(
            session,
            ConnectionExpiring(
                actor_id=SYSTEM.id,
                organization_id=row.organization_id,
                subject_id=row.id,
                name=row.name,
                days=max(_days(row.secret_expires_at), 0),
                warning=warning(row),
            ),
        )
    return told


def _days(ends: datetime) -> int:
    return (ends - clock.now()).days


def _stage(ends: datetime) -> int:
    """Return the smallest number of days it is within; 0 when it has ended."""
    if ends <= clock.now():
        return 0
    return min(days for days in WARN_DAYS if ends <= clock.now() + timedelta(days=days))
