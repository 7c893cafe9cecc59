"""Procrastinate: jobs deferred in the caller's transaction, run by workers.

A job here only says "look at this"; what may be done about it is decided by rows of ours.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import procrastinate
import psycopg
import structlog
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.db import driver_connection

# Never opened: it only writes jobs through connections that its callers hold.
_DEFERRER = procrastinate.App(connector=procrastinate.PsycopgConnector())

_LISTEN_AGAIN_S: Final = 0.5

Task = Callable[..., Awaitable[None]]

# Of a job that somebody will still do, or is doing: a worker says every five seconds that it lives.
ALIVE: Final = (
    "(job.status = 'todo' OR (job.status = 'doing' AND job.worker_id IN (SELECT id FROM"
    " procrastinate_workers WHERE last_heartbeat > now() - interval '20 seconds')))"
)


log = structlog.get_logger()


class _Connector(procrastinate.PsycopgConnector):
    """Listens again however often the database was away.

    The engine's own gives up when it cannot connect at once, unnoticed by its worker, which from
    then on finds jobs only when it looks for them.
    """

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Pass on notifications of some channels until cancelled."""
        names = list(channels)
        while True:
            try:
                await super().listen_notify(on_notification, names)
            except ConnectorException as failure:
                log.warning("nobody wakes this worker", error=str(failure.__cause__ or failure))
                await asyncio.sleep(_LISTEN_AGAIN_S)


async def defer(
    session: AsyncSession, task: str, *, queue: str, in_s: float = 0.0, **arguments: Any
) -> int:
    """Enqueue `task` in the caller's transaction: no commit, no job. Return the job's number.

    Args:
        in_s: seconds from now before which it is not run.
    """
    connection = await driver_connection(session)
    deferrer = _DEFERRER.configure_task(
        task,
        queue=queue,
        connection=connection,
        schedule_in={"seconds": in_s} if in_s else None,
    )
    return await deferrer.defer_async(**arguments)


async def defer_all(
    session: AsyncSession, task: str, *, queue: str, arguments: Sequence[Mapping[str, Any]]
) -> None:
    """Enqueue `task` once with each of the arguments, in the caller's transaction."""
    if arguments:
        connection = await driver_connection(session)
        deferrer = _DEFERRER.configure_task(task, queue=queue, connection=connection)
        await deferrer.batch_defer_async(*map(dict, arguments))


async def apply_schema(url: str) -> None:
    """Create Procrastinate's tables and functions unless they are there."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT to_regclass('procrastinate_jobs')")
        row = await cursor.fetchone()
        if row is None or row[0] is None:
            await connection.execute(SchemaManager.get_schema().encode())


def worker_app(url: str, tasks: dict[str, Task], *, slots: int) -> procrastinate.App:
    """Return an app, not yet open, that runs `tasks` by name on `slots` jobs at a time."""
    connector = _Connector(conninfo=url, min_size=1, max_size=slots + 3)
    app = procrastinate.App(connector=connector)
    for name, task in tasks.items():
        app.task(name=name)(task)
    return app


async def run_worker(
    app: procrastinate.App, *, name: str, queues: list[str], slots: int, farewell_s: float
) -> None:
    """Run jobs until cancelled; those under way then have `farewell_s` seconds. `app` is open.

    A finished job is deleted: what it did is recorded elsewhere.
    """
    await app.run_worker_async(
        name=name,
        queues=queues,
        concurrency=slots,
        install_signal_handlers=False,
        shutdown_graceful_timeout=farewell_s,
        fetch_job_polling_interval=5.0,
        delete_jobs="always",
        update_heartbeat_interval=5.0,
        stalled_worker_timeout=30.0,
    )
