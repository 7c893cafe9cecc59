"""What came of an attempt is kept with it; of what is over, only the newest."""

from typing import Final

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.kit.db import notify
from landform.notifications.models import NotificationDelivery
from landform.notifications.sending import Heard

KEPT: Final = 30  # deliveries that are over, of one configuration
_WAITING: Final = 200  # that are still to be made, of one configuration
_PROBLEM_LIMIT: Final = 500  # characters
_TOO_MANY: Final = f"More than {_WAITING} waited to be sent, and those that came first were let go."


async def record(
    session: AsyncSession, keyring: Keyring, delivery: NotificationDelivery, heard: Heard
) -> None:
    """Write down an attempt; the row is in the database, and this transaction's to change."""
    delivery.sent_at = now()
    delivery.is_delivered = heard.is_delivered
    delivery.code = heard.code
    delivery.problem = heard.problem[:_PROBLEM_LIMIT]
    delivery.keep_answer(keyring, msgspec.json.encode(heard).decode())
    await session.flush()
    await bound(session, delivery.configuration_id)
    # Whoever follows the list sees it come.
    await notify(session, events.CHANNEL, delivery.configuration_id)


def read_answer(keyring: Keyring, delivery: NotificationDelivery) -> Heard | None:
    """Return what the last attempt heard; None before the first."""
    kept = delivery.answer(keyring)
    return msgspec.json.decode(kept, type=Heard) if kept else None


async def bound(session: AsyncSession, configuration_id: str) -> None:
    """Let go of what is too much, waiting or over: a stranger says how much there is."""
    row = NotificationDelivery
    of_it = row.configuration_id == configuration_id
    first_kept = (
        select(row.id)
        .where(of_it, row.next_at.is_(None))
        .order_by(row.id.desc())
        .offset(KEPT - 1)
        .limit(1)
    )
    await session.execute(
        delete(row).where(of_it, row.next_at.is_(None), row.id < first_kept.scalar_subquery())
    )
    first_waiting = (
        select(row.id)
        .where(of_it, row.next_at.is_not(None))
        .order_by(row.id.desc())
        .offset(_WAITING - 1)
        .limit(1)
    )
    await session.execute(
        update(row)
        .where(of_it, row.next_at.is_not(None), row.id < first_waiting.scalar_subquery())
        .values(next_at=None, problem=_TOO_MANY)
    )


async def waiting(session: AsyncSession) -> tuple[int, int]:
    """Return how many deliveries are to be made, and how many of those failed before."""
    row = NotificationDelivery
    query = select(func.count(), func.count().filter(row.problem != "")).where(
        row.next_at.is_not(None)
    )
    all_, failed = (await session.execute(query)).one()
    return all_, failed
