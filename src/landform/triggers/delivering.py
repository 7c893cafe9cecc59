"""The job that deals with one stored delivery: everything it says, and that it is done, at once."""

from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.errors import LandformError
from landform.kit.failpoints import FailPoint, reach
from landform.triggers import watching
from landform.triggers.acting import act
from landform.triggers.desk import Desk
from landform.triggers.intents import Outcomes
from landform.vcs import deliveries
from landform.vcs.deliveries import Taken
from landform.vcs.errors import ProviderAwayError

log = structlog.get_logger()

_LOOKED_AT: Final = "It left out what moved, so that the repository is looked at instead."


async def process_delivery(desk: Desk, *, delivery_id: str) -> None:
    """Act on the delivery unless that was done; what cannot be done now is tried again later.

    Killed at any point, it has done all or nothing, and the delivery is taken again.
    """
    taken = await deliveries.take(desk.reach, delivery_id)
    if taken is None:
        return
    reach(FailPoint.DELIVERY_TAKEN)

    async def record(session: AsyncSession, outcomes: Outcomes) -> bool:
        return await _settle(session, taken, outcomes)

    try:
        await act(desk, taken.connection_id, taken.changes, record)
        reach(FailPoint.DELIVERY_SETTLED)
    except LandformError as failure:
        log.info("a delivery is looked at again later", delivery=delivery_id, reason=str(failure))
        pause_s = failure.retry_after_s if isinstance(failure, ProviderAwayError) else 0.0
        await deliveries.set_aside(desk.reach, delivery_id, str(failure), retry_after_s=pause_s)


async def _settle(session: AsyncSession, taken: Taken, outcomes: Outcomes) -> bool:
    if taken.refetch:
        await watching.look_now(session, taken.connection_id, taken.repository_id)
        outcomes.add(taken.event, _LOOKED_AT)
    elif not taken.changes:
        outcomes.add(taken.event, taken.reason)
    is_first = await deliveries.settle(session, taken.delivery_id, outcomes.rows)
    reach(FailPoint.DELIVERY_SETTLING)
    return is_first
