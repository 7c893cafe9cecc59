"""The lease around a phase, which is what says who may write."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import LostLeaseError, Phase, Stop
from landform.dispatch import service
from landform.dispatch.models import Lease, LeaseState
from landform.kit.db import Sessions, database_now, transaction
from landform.kit.notify import Listener, wait

PLAN = "plan-1"
LONG_S = 60.0
WAIT_S = 60.0


async def enqueue(session: AsyncSession, phase_id: str = PLAN, **options: Any) -> None:
    await service.enqueue(session, phase_id=phase_id, phase=Phase.PLAN, run_id="run-1", **options)


async def lease(
    session: AsyncSession, phase_id: str = PLAN, *, lease_s: float = LONG_S, worker: str = "w"
) -> Lease | None:
    return await service.lease(session, phase_id=phase_id, worker_id=worker, lease_s=lease_s)


async def jobs(session: AsyncSession) -> list[tuple[str, str]]:
    rows = await session.execute(
        text("SELECT queue_name, args ->> 'phase_id' FROM procrastinate_jobs ORDER BY id")
    )
    return [(row[0], row[1]) for row in rows]


async def row(session: AsyncSession, phase_id: str = PLAN) -> Lease:
    await session.flush()
    return await session.get_one(Lease, phase_id, populate_existing=True)


async def seconds_left(session: AsyncSession) -> float:
    until = (await row(session)).leased_until
    assert until is not None
    return (until - await database_now(session)).total_seconds()


async def test_a_phase_is_offered_to_the_workers_of_its_pool(session: AsyncSession) -> None:
    await enqueue(session)
    await enqueue(session, "plan-2", pool="gpu")
    assert await jobs(session) == [("default", PLAN)]  # agents have no jobs: they look
    assert await service.next_queued(session, "gpu") == "plan-2"
    found = await row(session)
    assert (found.state, found.epoch, found.worker_id) == (LeaseState.QUEUED, 0, None)


async def test_what_is_not_committed_is_not_offered(sessions: Sessions) -> None:
    async with sessions() as session:
        await enqueue(session)
        await session.rollback()
    async with sessions() as session:
        assert await jobs(session) == []
        assert await lease(session) is None


async def test_a_lease_begins_an_attempt(session: AsyncSession) -> None:
    await enqueue(session)
    taken = await lease(session, worker="ann")
    assert taken is not None
    assert (taken.epoch, taken.state, taken.worker_id) == (1, LeaseState.LEASED, "ann")
    assert LONG_S - 5 < await seconds_left(session) <= LONG_S


async def test_what_is_taken_over_or_unknown_is_not_to_be_had(session: AsyncSession) -> None:
    assert await lease(session, "plan-none") is None
    await enqueue(session)
    await lease(session)
    assert await lease(session) is None
    await service.end(session, phase_id=PLAN, epoch=1)
    assert await lease(session) is None


async def test_of_workers_in_transactions_of_their_own_one_gets_the_phase(
    sessions: Sessions,
) -> None:
    async with transaction(sessions) as session:
        await enqueue(session)

    async def take(worker: str) -> int | None:
        async with transaction(sessions) as session:
            taken = await lease(session, worker=worker)
            return None if taken is None else taken.epoch

    found = await asyncio.gather(*(take(f"w{n}") for n in range(6)))
    assert sorted(each for each in found if each is not None) == [1]


async def test_a_renewal_moves_the_end_of_the_lease_and_tells_the_orders(
    session: AsyncSession,
) -> None:
    await enqueue(session)
    await lease(session, lease_s=1.0)
    orders = await service.renew(session, phase_id=PLAN, epoch=1, lease_s=LONG_S)
    assert orders.stop is Stop.NO
    assert await seconds_left(session) > LONG_S - 5
    assert await service.order(session, phase_id=PLAN, stop=Stop.INTERRUPT) is LeaseState.LEASED
    assert await service.told(session, phase_id=PLAN) is Stop.INTERRUPT
    orders = await service.renew(session, phase_id=PLAN, epoch=1, lease_s=LONG_S)
    assert orders.stop is Stop.INTERRUPT


async def test_nobody_hears_orders_that_is_not_at_work(session: AsyncSession) -> None:
    assert await service.order(session, phase_id=PLAN, stop=Stop.KILL) is None
    assert await service.told(session, phase_id=PLAN) is None
    await enqueue(session)
    assert await service.order(session, phase_id=PLAN, stop=Stop.KILL) is LeaseState.QUEUED
    assert await service.told(session, phase_id=PLAN) is None


@pytest.mark.parametrize("epoch", [0, 2, -1])
async def test_another_attempt_s_epoch_is_refused(session: AsyncSession, epoch: int) -> None:
    await enqueue(session)
    with pytest.raises(LostLeaseError, match=PLAN):
        await service.guard(session, phase_id=PLAN, epoch=epoch)
    await lease(session)
    with pytest.raises(LostLeaseError):
        await service.guard(session, phase_id=PLAN, epoch=epoch)
    with pytest.raises(LostLeaseError):
        await service.end(session, phase_id=PLAN, epoch=epoch)
    with pytest.raises(LostLeaseError):
        await service.forfeit(session, phase_id=PLAN, epoch=epoch)
    assert (await row(session)).state is LeaseState.LEASED


async def test_an_attempt_that_ended_its_phase_is_told_from_one_that_others_ended(
    session: AsyncSession,
) -> None:
    for phase_id, epoch in (("own", 1), ("others", None)):
        await enqueue(session, phase_id)
        await lease(session, phase_id)
        assert not await service.was_ended_by(session, phase_id=phase_id, epoch=1)
        await service.end(session, phase_id=phase_id, epoch=epoch)
        with pytest.raises(LostLeaseError):
            await service.guard(session, phase_id=phase_id, epoch=1)
    assert await service.was_ended_by(session, phase_id="own", epoch=1)
    assert not await service.was_ended_by(session, phase_id="own", epoch=0)
    assert not await service.was_ended_by(session, phase_id="others", epoch=1)
    assert not await service.was_ended_by(session, phase_id="none", epoch=1)


async def test_a_phase_that_was_never_queued_ends_without_a_word(session: AsyncSession) -> None:
    assert await service.end(session, phase_id="plan-none") is None


async def test_a_phase_that_is_offered_again_has_a_new_job_and_epoch(
    session: AsyncSession,
) -> None:
    await enqueue(session)
    first = await lease(session)
    assert first is not None
    await service.requeue(session, first)
    assert await jobs(session) == [("default", PLAN)] * 2
    second = await lease(session, worker="bob")
    assert second is not None
    assert (second.epoch, second.worker_id) == (2, "bob")


async def test_leases_past_their_time_are_found_oldest_first(session: AsyncSession) -> None:
    for phase_id, lease_s in (("late", -5.0), ("later", -9.0), ("good", LONG_S), ("last", -1.0)):
        await enqueue(session, phase_id)
        await lease(session, phase_id, lease_s=lease_s)
    await enqueue(session, "waiting")
    await session.flush()
    found = await service.expired(session)
    assert [each.phase_id for each in found] == ["later", "late", "last"]
    assert len(await service.expired(session, limit=2)) == 2


async def test_a_lease_is_taken_over_only_while_it_is_past_its_time(
    session: AsyncSession,
) -> None:
    await enqueue(session)
    await lease(session, lease_s=-1.0)
    await session.flush()
    assert await service.still_expired(session, phase_id=PLAN, epoch=1) is not None
    assert await service.still_expired(session, phase_id=PLAN, epoch=0) is None
    await service.renew(session, phase_id=PLAN, epoch=1, lease_s=LONG_S)
    await session.flush()
    assert await service.still_expired(session, phase_id=PLAN, epoch=1) is None
    await service.forfeit(session, phase_id=PLAN, epoch=1)
    await session.flush()
    assert await service.still_expired(session, phase_id=PLAN, epoch=1) is not None


async def test_a_phase_is_rung_for_again_when_it_waits_without_a_job(
    session: AsyncSession,
) -> None:
    for phase_id in ("old", "fresh", "has-a-job", "taken"):
        await enqueue(session, phase_id)
    await lease(session, "taken")
    await session.execute(
        text("DELETE FROM procrastinate_jobs WHERE args ->> 'phase_id' <> 'has-a-job'")
    )
    for phase_id in ("old", "has-a-job", "taken"):
        (await row(session, phase_id)).queued_at -= timedelta(seconds=30)
    await session.flush()
    assert await service.ring_again(session) == 1
    assert sorted(name for _, name in await jobs(session)) == ["has-a-job", "old"]
    assert await service.ring_again(session) == 0


async def test_jobs_of_dead_workers_are_forgotten_and_no_others(session: AsyncSession) -> None:
    for phase_id in ("alive", "silent", "gone", "waiting"):
        await enqueue(session, phase_id)
    for phase_id, age in (("alive", "1 second"), ("silent", "10 minutes")):
        worker = await session.scalar(
            text(
                "INSERT INTO procrastinate_workers (last_heartbeat)"
                f" VALUES (now() - interval '{age}') RETURNING id"
            )
        )
        await session.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker"
                " WHERE args ->> 'phase_id' = :phase"
            ),
            {"worker": worker, "phase": phase_id},
        )
    await session.execute(
        text("UPDATE procrastinate_jobs SET status = 'doing' WHERE args ->> 'phase_id' = 'gone'")
    )
    await service.forget_dead_jobs(session)
    assert sorted(name for _, name in await jobs(session)) == ["alive", "waiting"]


@pytest.mark.parametrize("how", ["order", "end"])
async def test_an_attempt_is_woken_when_there_are_orders(
    sessions: Sessions, database_url: str, how: str
) -> None:
    async with transaction(sessions) as session:
        await enqueue(session)
        await lease(session)
    listener = Listener(database_url, [service.ORDERS_CHANNEL])
    await listener.start()
    try:
        with listener.expect(service.ORDERS_CHANNEL, PLAN) as ready:
            assert await wait(ready, WAIT_S)
        with listener.expect(service.ORDERS_CHANNEL, PLAN) as ordered:
            async with transaction(sessions) as session:
                if how == "order":
                    await service.order(session, phase_id=PLAN, stop=Stop.INTERRUPT)
                else:
                    await service.end(session, phase_id=PLAN)
            assert await wait(ordered, WAIT_S)
    finally:
        await listener.stop()
