"""Sends what is written down: at least once, in order for each configuration, never in a hurry.

A delivery is taken up for a while, sent outside of any transaction, and what came of it is noted.
Whoever is killed in between loses nothing: when its time is over, the delivery is taken up again.
What was noted as delivered is never sent again; between an answer and its note there is a moment
in which a process that dies has it sent twice.

A configuration's deliveries go one by one, the oldest first. One that fails is tried again for
about an hour, and those behind it wait; what has waited for longer than `_LATE` is not sent, so
that a receiver that comes back is told what is new.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from landform.kit.db import database_now, transaction
from landform.kit.errors import LandformError
from landform.kit.failpoints import FailPoint, reach
from landform.notifications.models import NotificationConfiguration, NotificationDelivery
from landform.notifications.payloads import Story
from landform.notifications.post import Post
from landform.notifications.recording import record
from landform.notifications.sending import Heard, Recipient, send
from landform.notifications.telling import recipient_of, story_of
from landform.workspaces.models import Workspace

log = structlog.get_logger()

_CLAIM: Final = timedelta(seconds=60)  # longer than any attempt takes
_BACKOFF_S: Final = (5, 30, 120, 600, 1800)
_LATE: Final = timedelta(hours=6)
_AT_ONCE: Final = 8
_LOOK_S: Final = 1.0
_FAREWELL_S: Final = 5.0
_UNREADABLE: Final = "Its address cannot be read: it was encrypted with another key."
_TOO_LATE: Final = "It waited too long behind others that could not be sent."
_OURS: Final = Heard(
    is_delivered=False,
    problem="It failed for a reason of ours, which is in the worker's log.",
    may_pass=True,
)


@dataclass(frozen=True)
class _Taken:
    """A delivery that is ours for a while."""

    delivery_id: int
    attempt: int
    recipient: Recipient
    story: Story


class Courier:
    """Sends what is due, some at once; any number of processes may have one."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Send until cancelled; what is being sent then has a few seconds to be noted."""
        underway = set[asyncio.Task[None]]()
        try:
            while True:
                await self._free.acquire()
                taken = await self._take()
                if taken is None:
                    self._free.release()
                    await asyncio.sleep(_LOOK_S)
                else:
                    task = asyncio.create_task(self._deliver(taken))
                    underway.add(task)
                    task.add_done_callback(underway.discard)
        finally:
            await _end(underway)

    async def _take(self) -> _Taken | None:
        try:
            return await take(self._post)
        except LandformError as failure:
            log.warning("notifications were not looked at", error=str(failure))
        except Exception:  # without it, nobody is told of anything any more
            log.exception("notifications were not looked at for a reason of ours")
        return None

    async def _deliver(self, taken: _Taken) -> None:
        try:
            await deliver(self._post, taken)
        except LandformError as failure:
            log.warning("a notification was not noted", error=str(failure))
        except Exception:  # the others must go on
            log.exception("a notification was not noted for a reason of ours")
        finally:
            self._free.release()


async def _end(underway: Collection[asyncio.Task[None]]) -> None:
    """Let them end: what was sent and not noted would be sent again by somebody else."""
    if not underway:
        return
    _, late = await asyncio.wait(underway, timeout=_FAREWELL_S)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def deliver_due(post: Post) -> int:
    """Send all that is due, one by one; return how many attempts were made."""
    count = 0
    while (taken := await take(post)) is not None:
        await deliver(post, taken)
        count += 1
    return count


async def take(post: Post) -> _Taken | None:
    """Take up the delivery that is due longest, of those that are their configuration's next."""
    while True:
        async with transaction(post.sessions) as session:
            row = await _next(session)
            if row is None:
                return None
            moment = await database_now(session)
            if row.happened_at < moment - _LATE:
                row.next_at, row.problem = None, row.problem or _TOO_LATE
                continue
            row.attempts += 1
            try:
                taken = await _read(session, post, row)
            except LandformError as failure:  # what cannot be opened must not hold up the others
                log.warning("a notification was put off", delivery=row.id, error=str(failure))
                row.problem = _UNREADABLE
                row.next_at = _again_at(moment, row.attempts)
                continue
            row.next_at = moment + _CLAIM
        reach(FailPoint.NOTIFICATION_TAKEN)
        return taken


async def deliver(post: Post, taken: _Taken) -> None:
    """Send it, and note what came of that."""
    try:
        heard = await send(post, taken.recipient, taken.story)
    except Exception:  # what cannot be sent must not be tried for ever
        log.exception("a notification could not be sent", delivery=taken.delivery_id)
        heard = _OURS
    reach(FailPoint.NOTIFICATION_SENT)
    async with transaction(post.sessions) as session:
        await _note(session, post, taken, heard)


async def _next(session: AsyncSession) -> NotificationDelivery | None:
    row, older = NotificationDelivery, aliased(NotificationDelivery)
    goes_first = exists().where(
        older.configuration_id == row.configuration_id,
        older.id < row.id,
        older.next_at.is_not(None),
    )
    query = (
        select(row)
        .where(row.next_at <= func.clock_timestamp(), ~goes_first)
        .order_by(row.next_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(query)).one_or_none()


async def _read(session: AsyncSession, post: Post, row: NotificationDelivery) -> _Taken:
    configuration = await session.get_one(NotificationConfiguration, row.configuration_id)
    workspace = await session.get_one(Workspace, configuration.workspace_id)
    return _Taken(
        delivery_id=row.id,
        attempt=row.attempts,
        recipient=await recipient_of(session, post.keyring, workspace, configuration),
        story=await story_of(session, row, configuration, workspace, post.public_url),
    )


async def _note(session: AsyncSession, post: Post, taken: _Taken, heard: Heard) -> None:
    row = await session.get(NotificationDelivery, taken.delivery_id, with_for_update=True)
    if row is None or row.next_at is None or row.attempts != taken.attempt:
        return  # it was let go of, or somebody else took it up when our time was over
    await record(session, post.keyring, row, heard)
    if heard.is_delivered:
        row.next_at = None
        return
    log.info("a notification was not taken", delivery=row.id, reason=heard.problem)
    if not heard.may_pass:
        row.next_at = None
        return
    moment = await database_now(session)
    row.next_at = _again_at(moment, row.attempts, at_least_s=heard.pause_s)


def _again_at(moment: datetime, attempts: int, *, at_least_s: float = 0.0) -> datetime | None:
    """Return when it is tried again; None when it was tried often enough."""
    if attempts > len(_BACKOFF_S):
        return None
    return moment + timedelta(seconds=max(float(_BACKOFF_S[attempts - 1]), at_least_s))
