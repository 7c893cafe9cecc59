"""Jobs are deferred in the caller's transaction, and a listener wakes at its commit."""

import asyncio

import psycopg
import pytest
import structlog
from sqlalchemy import text

from landform.kit.db import Sessions, make_engine, make_sessions, notify, transaction
from landform.kit.errors import UnavailableError
from landform.kit.notify import Listener, wait
from landform.kit.tasks import apply_schema, defer, run_worker, worker_app
from tests.kit.processes import eventually


async def _jobs(sessions: Sessions) -> int:
    async with transaction(sessions) as session:
        count = await session.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
    return int(count or 0)


async def test_a_job_is_there_when_the_transaction_commits_and_not_before(
    database_url: str, sessions: Sessions
) -> None:
    await apply_schema(database_url)
    async with transaction(sessions) as session:
        await defer(session, "try", queue="default", phase_id="plan-1")
        assert await _jobs(sessions) == 0
    assert await _jobs(sessions) == 1


async def test_a_transaction_that_is_rolled_back_leaves_no_job(
    database_url: str, sessions: Sessions
) -> None:
    await apply_schema(database_url)
    async with sessions() as session:
        await defer(session, "try", queue="default", phase_id="plan-1")
        await session.rollback()
    assert await _jobs(sessions) == 0


async def test_a_worker_runs_the_job_and_leaves_no_row_behind(
    database_url: str, sessions: Sessions
) -> None:
    await apply_schema(database_url)
    ran: asyncio.Queue[str] = asyncio.Queue()

    async def task(phase_id: str) -> None:
        await ran.put(phase_id)

    app = worker_app(database_url, {"try": task}, slots=2)
    async with app.open_async():
        running = asyncio.create_task(
            run_worker(app, name="w", queues=["default"], slots=2, farewell_s=1)
        )
        async with transaction(sessions) as session:
            await defer(session, "try", queue="default", phase_id="plan-7")
        assert await asyncio.wait_for(ran.get(), 60) == "plan-7"
        async with asyncio.timeout(60):
            while await _jobs(sessions):  # noqa: ASYNC110 - rows can only be polled
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_could_not_reach_the_database_is_woken_by_new_jobs_again(
    database_url: str,
) -> None:
    await apply_schema(database_url)
    superuser = database_url.replace("landform@/own?", "postgres@/postgres?")
    app = worker_app(database_url, {}, slots=1)
    woken = asyncio.Event()

    async def wake(**_: object) -> None:
        woken.set()

    with psycopg.connect(superuser, autocommit=True) as control:

        def listens() -> bool:
            query = "SELECT 1 FROM pg_stat_activity WHERE datname = 'own' AND query LIKE 'LISTEN%'"
            return bool(control.execute(query).fetchall())

        async with app.open_async():
            listening = asyncio.create_task(
                app.job_manager.listen_for_jobs(on_notification=wake, queues=["default"])
            )
            await eventually(listens)
            control.execute("ALTER DATABASE own ALLOW_CONNECTIONS false")
            try:
                control.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'own'"
                )
                with structlog.testing.capture_logs() as said:
                    await eventually(lambda: any("nobody wakes" in each["event"] for each in said))
            finally:
                control.execute("ALTER DATABASE own ALLOW_CONNECTIONS true")
            await eventually(listens)
            engine = make_engine(database_url)
            async with transaction(make_sessions(engine)) as session:
                await defer(session, "try", queue="default", phase_id="plan-1")
            await asyncio.wait_for(woken.wait(), 60)
            await engine.dispose()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def test_a_listener_wakes_whoever_waits_and_survives_a_lost_connection(
    database_url: str, sessions: Sessions
) -> None:
    listener = Listener(database_url, ["try_channel"])
    await listener.start()
    try:
        await _wakes(listener, sessions)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
            )
        await _wakes(listener, sessions, by="run-2")  # no late one of the connection before
    finally:
        await listener.stop()


async def _wakes(listener: Listener, sessions: Sessions, *, by: str = "run-1") -> None:
    async with asyncio.timeout(60):
        while True:
            with listener.expect("try_channel", by) as event:
                async with transaction(sessions) as session:
                    await notify(session, "try_channel", by)
                if await wait(event, 0.3):
                    return


async def test_somebody_else_s_notification_wakes_nobody(
    database_url: str, sessions: Sessions
) -> None:
    listener = Listener(database_url, ["try_channel"])
    await listener.start()
    try:
        await _wakes(listener, sessions)
        # Of run-1, which woke the listener, some may still be on their way.
        with (
            listener.expect("try_channel", "run-2") as mine,
            listener.expect("try_channel", "run-3") as theirs,
        ):
            async with transaction(sessions) as session:
                await notify(session, "try_channel", "run-3")
            assert await wait(theirs, 60)
            assert not mine.is_set()
    finally:
        await listener.stop()


async def test_a_database_that_is_away_is_unavailable() -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(UnavailableError):
        async with transaction(make_sessions(engine)) as session:
            await session.execute(text("SELECT 1"))
    await engine.dispose()
