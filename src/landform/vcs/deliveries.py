"""What providers deliver: proved, stored, and then dealt with once.

Facts of Azure DevOps (vcs_providers.md §1.7), which is the strictest: 410 and 404 switch a hook
off for good, any other refusal puts it on probation and loses the event. So whoever knows the
secret is answered 202 as soon as the delivery is stored, whatever it says; who does not, 401; and
503, which is tried again, when it cannot be stored.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import SYSTEM, Actor
from landform.kit import clock, events, failpoints
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, MalformedError, UnauthenticatedError
from landform.kit.failpoints import FailPoint
from landform.kit.ids import is_id, new_id
from landform.kit.tasks import ALIVE, defer, defer_all
from landform.vcs import queries
from landform.vcs.changes import AnyChange
from landform.vcs.events import DeliveryReceived, DeliveryRepeated
from landform.vcs.models import Connection, DeliveryRow, DeliveryStatus, Hook
from landform.vcs.providers import READERS
from landform.vcs.reach import Arrival, Reach
from landform.vcs.sealing import open_body, open_hook_secrets, seal_body

PROCESS: Final = "process_vcs_delivery"
QUEUE: Final = "vcs"
BODY_LIMIT: Final = 25 * 1024 * 1024  # bytes: what GitHub sends at most
KEPT_FOR: Final = timedelta(days=30)
ATTEMPTS: Final = 8
_FIRST_PAUSE_S: Final = 5.0
_ID_LIMIT: Final = 200  # characters
_SMALL: Final = 1 << 20  # bytes
_RING_AGAIN: Final = timedelta(seconds=15)
_RUNG_AT_ONCE: Final = 100
_GIVEN_UP: Final = "Every worker that looked at it stopped before it was done."
_UNPROVEN: Final = "This delivery does not prove that it knows the hook's secret."


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A delivery to deal with.

    Attributes:
        changes: empty when there is nothing to act on; then `reason` says why.
        refetch: the payload lacks what it should hold: look at the repository instead.
    """

    delivery_id: str
    connection_id: str
    repository_id: str
    event: str
    changes: tuple[AnyChange, ...]
    reason: str
    refetch: bool


async def receive(reach: Reach, hook_id: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Store a delivery and have it looked at; tell whether it is new.

    Args:
        headers: names in lower case.

    Raises:
        UnauthenticatedError: it does not know the hook's secret, or there is no such hook.
        UnavailableError: it cannot be stored now.
    """
    arrival = Arrival(hook_id=hook_id, headers=headers, body=body, origin=events.ORIGIN.get())
    if len(body) > _SMALL:  # to read it takes long, and nobody else should wait for that
        (result,) = await _receive_all(reach, [arrival])
        if isinstance(result, Exception):
            raise result
    else:
        result = await reach.arrivals.do(arrival, partial(_receive_all, reach))
    failpoints.reach(FailPoint.DELIVERY_STORED)
    return result


async def take(reach: Reach, delivery_id: str) -> Taken | None:
    """Read a delivery for whoever acts on it; None when it was dealt with, or is gone."""
    async with transaction(reach.sessions) as session:
        row = await session.get(DeliveryRow, delivery_id, with_for_update=True)
        if row is None or row.status is DeliveryStatus.DONE:
            return None
        row.attempts += 1
        hook = await session.get_one(Hook, row.hook_id)
        connection = await session.get_one(Connection, hook.connection_id)
        body = open_body(reach.keyring, row)
        reader = READERS[connection.kind]
        changes: tuple[AnyChange, ...] = ()
        try:
            said = reader.read(row.headers, body)
        except MalformedError as failure:
            event, reason, refetch = "", str(failure), False
        else:
            event, reason, refetch = said.event, said.nothing_because, said.refetch
            changes = tuple(
                each for each in said.changes if each.repository_id == hook.repository_id
            )
            if said.changes and not changes:
                reason = "It is about another repository than the one this hook is for."
        row.event = event
        return Taken(
            delivery_id=row.id,
            connection_id=connection.id,
            repository_id=hook.repository_id,
            event=event,
            changes=changes,
            reason=reason,
            refetch=refetch,
        )


async def settle(
    session: AsyncSession, delivery_id: str, outcomes: Sequence[Mapping[str, Any]]
) -> bool:
    """Note what came of a delivery, in the caller's transaction.

    False when that was noted before: then nothing else may be written either.
    """
    done = (
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery_id, DeliveryRow.status != DeliveryStatus.DONE)
        .values(
            status=DeliveryStatus.DONE,
            outcomes=[dict(each) for each in outcomes],
            done_at=clock.now(),
        )
        .returning(DeliveryRow.hook_id)
    )
    hook_id = await session.scalar(done)
    if hook_id is None:
        return False
    await _tell(session, hook_id)
    old = (DeliveryRow.hook_id == hook_id, DeliveryRow.received_at < clock.now() - KEPT_FOR)
    await session.execute(delete(DeliveryRow).where(*old))
    return True


async def set_aside(reach: Reach, delivery_id: str, reason: str, *, retry_after_s: float) -> None:
    """Note why a delivery could not be dealt with, and look at it again later, a few times."""
    async with transaction(reach.sessions) as session:
        row = await session.get(DeliveryRow, delivery_id, with_for_update=True)
        if row is None or row.status is DeliveryStatus.DONE:
            return
        row.status, row.outcomes = DeliveryStatus.FAILED, [{"reason": reason}]
        await _tell(session, row.hook_id)
        if row.attempts < ATTEMPTS:
            pause_s = max(retry_after_s, _FIRST_PAUSE_S * 2**row.attempts)
            await defer(session, PROCESS, queue=QUEUE, in_s=pause_s, delivery_id=delivery_id)


async def ring_again(session: AsyncSession) -> int:
    """Have deliveries looked at whose job was lost with its worker; return how many.

    One whose workers died as often as it may be tried is given up, and says so.
    """
    lost = (
        DeliveryRow.status != DeliveryStatus.DONE,
        DeliveryRow.received_at < func.clock_timestamp() - _RING_AGAIN,
        text(
            f"NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS job WHERE {ALIVE}"  # noqa: S608 - ours
            " AND job.queue_name = 'vcs' AND job.args ->> 'delivery_id' = vcs_deliveries.id)"
        ),
    )
    dead = (DeliveryRow.status == DeliveryStatus.RECEIVED, DeliveryRow.attempts >= ATTEMPTS)
    given_up = update(DeliveryRow).where(*lost, *dead)
    await session.execute(
        given_up.values(status=DeliveryStatus.FAILED, outcomes=[{"reason": _GIVEN_UP}])
    )
    waiting = (
        select(DeliveryRow.id)
        .where(*lost, DeliveryRow.attempts < ATTEMPTS)
        .limit(_RUNG_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = (await session.scalars(waiting)).all()
    for delivery_id in ids:
        await defer(session, PROCESS, queue=QUEUE, delivery_id=delivery_id)
    return len(ids)


async def redeliver(session: AsyncSession, actor: Actor, delivery_id: str) -> DeliveryRow:
    """Have a delivery looked at again.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage connections.
        ConflictError: it is waiting to be looked at already.
    """
    row, _, connection = await queries.get_delivery(session, actor, delivery_id)
    await require(session, actor, Permission.MANAGE_VCS, connection.place)
    await session.refresh(row, with_for_update=True)
    if row.status is DeliveryStatus.RECEIVED:
        raise ConflictError("This delivery is waiting to be looked at already.")
    row.status, row.attempts, row.outcomes, row.done_at = DeliveryStatus.RECEIVED, 0, [], None
    await defer(session, PROCESS, queue=QUEUE, delivery_id=row.id)
    events.publish(
        session,
        DeliveryRepeated(
            actor_id=actor.id,
            organization_id=connection.organization_id,
            subject_id=row.id,
            hook_id=row.hook_id,
        ),
    )
    return row


async def _tell(session: AsyncSession, hook_id: str) -> None:
    """Wake who watches what arrives; that a delivery was dealt with is no event of its own."""
    query = select(Connection.organization_id).join(Hook, Hook.connection_id == Connection.id)
    organization_id = await session.scalar(query.where(Hook.id == hook_id))
    await events.tell(session, organization_id or "", "vcs")


async def _receive_all(
    reach: Reach, arrivals: Sequence[Arrival]
) -> list[bool | UnauthenticatedError]:
    """Store those that are proved; say of each whether it is new, or that it is not proved."""
    results: list[bool | UnauthenticatedError] = [False] * len(arrivals)
    proved: dict[str, tuple[int, Arrival, Connection]] = {}
    rows = []
    async with transaction(reach.sessions) as session:
        hooks = await _hooks(session, {arrival.hook_id for arrival in arrivals})
        for number, arrival in enumerate(arrivals):
            hook, connection = hooks.get(arrival.hook_id, (None, None))
            if (
                hook is None
                or connection is None
                or not _is_proved(reach, hook, connection, arrival)
            ):
                results[number] = UnauthenticatedError(_UNPROVEN)
                continue
            row = _row(reach, connection, arrival)
            proved[row["id"]] = (number, arrival, connection)
            rows.append(row)
        for delivery_id in await _store(session, rows):
            number, arrival, connection = proved[delivery_id]
            results[number] = True
            _publish(session, delivery_id, arrival, connection)
    return results


async def _hooks(
    session: AsyncSession, hook_ids: Collection[str]
) -> dict[str, tuple[Hook, Connection]]:
    query = (
        select(Hook, Connection)
        .join(Connection, Connection.id == Hook.connection_id)
        .where(Hook.id.in_([hook_id for hook_id in hook_ids if is_id(hook_id)]))
        # One that is removed meanwhile must not take the others' deliveries with it.
        .with_for_update(read=True, key_share=True, of=Hook)
    )
    return {hook.id: (hook, connection) for hook, connection in await session.execute(query)}


def _is_proved(reach: Reach, hook: Hook, connection: Connection, arrival: Arrival) -> bool:
    secrets = open_hook_secrets(reach.keyring, hook)
    return READERS[connection.kind].verify(arrival.headers, arrival.body, secrets)


def _row(reach: Reach, connection: Connection, arrival: Arrival) -> dict[str, Any]:
    reader = READERS[connection.kind]
    try:
        provider_id = reader.delivery_id(arrival.headers, arrival.body)
    except MalformedError:
        provider_id = f"malformed/{new_id('x')}"
    kept = reader.KEPT_HEADERS
    delivery_id = new_id("whd")
    return {
        "id": delivery_id,
        "hook_id": arrival.hook_id,
        "provider_id": provider_id[:_ID_LIMIT],
        "event": "",
        "headers": {name: value for name, value in arrival.headers.items() if name in kept},
        "body": seal_body(reach.keyring, delivery_id, arrival.body),
        "status": DeliveryStatus.RECEIVED,
        "attempts": 0,
        "outcomes": [],
        "received_at": clock.now(),
    }


async def _store(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Write those that are new, and have them looked at; return their ids."""
    if not rows:
        return []
    new = insert(DeliveryRow).values(rows).on_conflict_do_nothing().returning(DeliveryRow.id)
    ids = (await session.scalars(new)).all()
    arguments = [{"delivery_id": delivery_id} for delivery_id in ids]
    await defer_all(session, PROCESS, queue=QUEUE, arguments=arguments)
    return ids


def _publish(
    session: AsyncSession, delivery_id: str, arrival: Arrival, connection: Connection
) -> None:
    token = events.ORIGIN.set(arrival.origin)
    try:
        events.publish(
            session,
            DeliveryReceived(
                actor_id=SYSTEM.id,
                organization_id=connection.organization_id,
                subject_id=delivery_id,
                hook_id=arrival.hook_id,
                event="",
            ),
        )
    finally:
        events.ORIGIN.reset(token)
