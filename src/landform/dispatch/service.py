"""Enqueue, lease, renew, end: the fence that no job engine gives.

The lease row is the truth; a Procrastinate job only says "look at this phase". A job that comes
twice finds the phase leased and does nothing; a job that is lost is rung again by the sweep.
Agents have no jobs: they look at the rows of their pool, and a notification says when.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Update, and_, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import LostLeaseError, Orders, Phase, Stop
from landform.dispatch.models import WORKERS, Lease, LeaseState
from landform.identity import run_tokens
from landform.kit import events
from landform.kit.db import database_now, notify
from landform.kit.tasks import defer

RUN_PHASE: Final = "landform.run_phase"
ORDERS_CHANNEL: Final = "landform_orders"
AGENTS_CHANNEL: Final = "landform_agents"
"""Tells the id of a pool for whose agents there is something to do."""

_RING_AGAIN: Final = timedelta(seconds=5)


async def enqueue(
    session: AsyncSession, *, phase_id: str, phase: Phase, run_id: str, pool: str = WORKERS
) -> None:
    """Offer the phase to those of `pool`, nobody else; they wake when the transaction commits."""
    at = await database_now(session)
    row = Lease(phase_id=phase_id, phase=phase, run_id=run_id, pool=pool, queued_at=at)
    session.add(row)
    await session.flush()
    await _ring(session, row)


async def pool_of(session: AsyncSession, phase_id: str) -> str | None:
    """Return whose the phase is to do, or was; None before it was ever queued."""
    return await session.scalar(select(Lease.pool).where(Lease.phase_id == phase_id))


async def next_queued(session: AsyncSession, pool: str) -> str | None:
    """Return the phase that has waited longest for those of `pool`; None while there is none."""
    query = (
        select(Lease.phase_id)
        .where(Lease.pool == pool, Lease.state == LeaseState.QUEUED)
        .order_by(Lease.queued_at, Lease.phase_id)
        .limit(1)
    )
    return await session.scalar(query)


async def lease(
    session: AsyncSession, *, phase_id: str, worker_id: str, lease_s: float, pool: str = WORKERS
) -> Lease | None:
    """Take the phase for a fresh attempt; None when it is not to be had.

    That is when it is taken, ended, unknown, or not for those of `pool`.
    """
    taken = (
        update(Lease)
        .where(Lease.phase_id == phase_id, Lease.state == LeaseState.QUEUED, Lease.pool == pool)
        .values(
            state=LeaseState.LEASED,
            epoch=Lease.epoch + 1,
            worker_id=worker_id,
            leased_until=func.clock_timestamp() + timedelta(seconds=lease_s),
        )
    )
    row = await _changed(session, taken)
    if row is not None:
        await _tell(session, row)
    return row


async def renew(session: AsyncSession, *, phase_id: str, epoch: int, lease_s: float) -> Orders:
    """Keep the attempt's lease for another `lease_s` seconds and hear its orders.

    Raises:
        LostLeaseError: another attempt began or the phase ended.
    """
    until = func.clock_timestamp() + timedelta(seconds=lease_s)
    kept = update(Lease).where(*_held_by(phase_id, epoch)).values(leased_until=until)
    row = await _changed(session, kept)
    if row is None:
        raise _lost(phase_id, epoch)
    return Orders(stop=row.stop)


async def guard(
    session: AsyncSession, *, phase_id: str, epoch: int, run_id: str | None = None
) -> Lease:
    """Lock the lease row if the attempt still holds it; every write of an attempt asks first.

    A lease past its time that no sweep has taken yet still holds: time alone fences nobody,
    taking it over does.

    Args:
        run_id: the run that the write is to; a lease is for its own run's phase only.

    Raises:
        LostLeaseError: it does not.
    """
    row = await _locked(session, phase_id)
    if row is None or row.state is not LeaseState.LEASED or row.epoch != epoch:
        raise _lost(phase_id, epoch)
    if run_id not in {None, row.run_id}:
        raise LostLeaseError(f"{phase_id} is no phase of {run_id}.")
    return row


async def look(session: AsyncSession, *, phase_id: str, epoch: int, run_id: str) -> None:
    """Ask as `guard` does, but lock nothing: for a read, or before a write that asks again.

    Raises:
        LostLeaseError: the attempt does not hold the lease.
    """
    query = select(Lease.phase_id).where(*_held_by(phase_id, epoch), Lease.run_id == run_id)
    if await session.scalar(query) is None:
        raise _lost(phase_id, epoch)


async def end(
    session: AsyncSession, *, phase_id: str, epoch: int | None = None, run_id: str | None = None
) -> Lease | None:
    """End the phase; with an epoch, only on that attempt's word. Return its lease, if it has one.

    With a run, only as a phase of that run.

    Without one the epoch moves on, so that an attempt at work is never taken for who ended it.

    Raises:
        LostLeaseError: the attempt does not hold the phase.
    """
    ended = update(Lease).values(state=LeaseState.ENDED)
    if epoch is None:
        ended = ended.where(Lease.phase_id == phase_id).values(epoch=Lease.epoch + 1)
    else:
        ended = ended.where(*_held_by(phase_id, epoch))
    if run_id is not None:
        ended = ended.where(Lease.run_id == run_id)
    row = await _changed(session, ended)
    if row is not None:
        await run_tokens.revoke(session, phase_id)
        await notify(session, ORDERS_CHANNEL, phase_id)
        await _tell(session, row)
    elif epoch is not None:
        raise _lost(phase_id, epoch)
    return row


async def was_ended_by(session: AsyncSession, *, phase_id: str, epoch: int) -> bool:
    """Tell whether that attempt itself ended the phase: what it says again was heard."""
    row = await _locked(session, phase_id)
    return row is not None and row.state is LeaseState.ENDED and row.epoch == epoch


async def order(session: AsyncSession, *, phase_id: str, stop: Stop) -> LeaseState | None:
    """Tell the attempt at work to stop; return where the phase stands, None if never queued."""
    row = await _locked(session, phase_id)
    if row is None:
        return None
    row.stop = stop
    await notify(session, ORDERS_CHANNEL, phase_id)
    return row.state


async def told(session: AsyncSession, *, phase_id: str) -> Stop | None:
    """Return what the attempt at work was last ordered; None when none is at work."""
    row = await _locked(session, phase_id)
    return row.stop if row is not None and row.state is LeaseState.LEASED else None


async def requeue(session: AsyncSession, row: Lease) -> None:
    """Offer a phase whose attempt died to the workers once more."""
    row.state = LeaseState.QUEUED
    row.worker_id = None
    row.leased_until = None
    row.queued_at = await database_now(session)
    await run_tokens.revoke(session, row.phase_id)
    await _ring(session, row)
    await _tell(session, row)


async def _tell(session: AsyncSession, row: Lease) -> None:
    """Wake who looks at which agents of a pool are at work."""
    if row.pool != WORKERS:
        await events.tell(session, row.pool, "agents")


async def _ring(session: AsyncSession, row: Lease) -> None:
    if row.pool == WORKERS:
        await defer(session, RUN_PHASE, queue=WORKERS, phase_id=row.phase_id)
    else:
        await notify(session, AGENTS_CHANNEL, row.pool)


async def expired(session: AsyncSession, *, limit: int = 20) -> Sequence[Lease]:
    """Return attempts that went unrenewed past their lease, oldest first; none is locked."""
    query = select(Lease).where(_is_expired()).order_by(Lease.leased_until).limit(limit)
    return (await session.scalars(query)).all()


async def still_expired(session: AsyncSession, *, phase_id: str, epoch: int) -> Lease | None:
    """Lock the lease if that attempt still holds it past its time: the caller takes it over."""
    query = (
        select(Lease)
        .where(Lease.phase_id == phase_id, Lease.epoch == epoch, _is_expired())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one_or_none()


def _is_expired() -> ColumnElement[bool]:
    return and_(Lease.state == LeaseState.LEASED, Lease.leased_until < func.clock_timestamp())


async def ring_again(session: AsyncSession) -> int:
    """Defer a job for each of the workers' phases that waits with none; return how many.

    That happens when a worker dies between taking the job and taking the lease.
    """
    query = (
        select(Lease)
        .where(
            Lease.state == LeaseState.QUEUED,
            Lease.pool == WORKERS,
            Lease.queued_at < func.clock_timestamp() - _RING_AGAIN,
            text(
                "NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS job WHERE job.status = 'todo'"
                " AND job.args ->> 'phase_id' = leases.phase_id)"
            ),
        )
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.scalars(query)).all()
    for row in rows:
        await requeue(session, row)
    return len(rows)


async def forget_dead_jobs(session: AsyncSession) -> None:
    """Delete jobs whose worker is gone: the lease, not the job, says what is to be done."""
    await session.execute(
        text(
            "DELETE FROM procrastinate_jobs WHERE status = 'doing' AND (worker_id IS NULL OR"
            " worker_id NOT IN (SELECT id FROM procrastinate_workers"
            " WHERE last_heartbeat > now() - interval '60 seconds'))"
        )
    )


async def forfeit(session: AsyncSession, *, phase_id: str, epoch: int) -> None:
    """Let the attempt's lease run out now: its process ends, the next sweep need not wait.

    Raises:
        LostLeaseError: it has none any more.
    """
    row = await guard(session, phase_id=phase_id, epoch=epoch)
    row.leased_until = await database_now(session)
    await run_tokens.revoke(session, phase_id)


async def _locked(session: AsyncSession, phase_id: str) -> Lease | None:
    query = (
        select(Lease)
        .where(Lease.phase_id == phase_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one_or_none()


def _held_by(phase_id: str, epoch: int) -> Sequence[ColumnElement[bool]]:
    return Lease.phase_id == phase_id, Lease.epoch == epoch, Lease.state == LeaseState.LEASED


async def _changed(session: AsyncSession, change: Update) -> Lease | None:
    """Make the change and return the row as it is then; None when there was none to change."""
    options = {"synchronize_session": False, "populate_existing": True}
    rows = await session.scalars(change.returning(Lease), execution_options=options)
    return rows.one_or_none()


def _lost(phase_id: str, epoch: int) -> LostLeaseError:
    return LostLeaseError(f"Attempt {epoch} at {phase_id} is over.")
