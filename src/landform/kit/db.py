"""Declarative base, the engine, and the one place a transaction is opened and ended."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from select import POLLIN, poll
from typing import Any, ClassVar, Final, TypeAlias

import psycopg
from sqlalchemy import DateTime, Enum, MetaData, Text, event, exc, func, make_url, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from landform.kit.errors import UnavailableError

_IDLE_IN_TRANSACTION_MS: Final = 5000
_ALIVE_S: Final = 1.0
_USED_AT: Final = "landform.used_at"
READ_ONLY: Final = (
    "The database takes no changes at present, only what reads; it may be a standby. Try again."
)

Sessions: TypeAlias = async_sessionmaker[AsyncSession]

# Names of constraints are fixed so that a migration can speak of them.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of every table: text, aware times and JSONB by default."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        # Text with the enum's values, so that a new value needs no migration of a type.
        StrEnum: Enum(
            StrEnum,
            native_enum=False,
            create_constraint=False,
            length=64,
            values_callable=lambda enum: [member.value for member in enum],
        ),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[str]: JSONB(),
        list[dict[str, Any]]: JSONB(),
    }


def sqlalchemy_url(url: str) -> str:
    """Return `url` (`postgresql://…`) naming the driver we use."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace(
        "postgres://", "postgresql+psycopg://", 1
    )


def make_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """Return an engine on `url`, of at most `pool_size` + 10 connections.

    A connection that was idle for a second is asked whether it still is one before it is used;
    asking each time would be a fifth of what a short transaction takes. One that the server has
    said something on since, such as a farewell, is asked at once: seeing that costs nothing.

    A process that was frozen, or cut off, in the middle of a transaction would keep everybody
    else from the rows it holds. So the server ends a transaction that says nothing for a while;
    ours have no reason to, as they wait for nothing but the database.
    """
    address = make_url(sqlalchemy_url(url))
    given = " ".join(address.normalized_query.get("options", ()))
    options = f"{given} -c idle_in_transaction_session_timeout={_IDLE_IN_TRANSACTION_MS}"
    engine = create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=10,
        connect_args={"options": options.strip()},
    )
    _ask_idle_connections(engine)
    return engine


def _ask_idle_connections(engine: AsyncEngine) -> None:
    pool, dialect = engine.sync_engine.pool, engine.sync_engine.dialect

    def note(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    def ask(connection: DBAPIConnection, record: ConnectionPoolEntry, _: Any) -> None:
        was_idle = time.monotonic() - record.info.get(_USED_AT, 0.0) >= _ALIVE_S
        try:
            if was_idle or _was_spoken_to(connection):
                dialect.do_ping(connection)
        except psycopg.Error as failure:
            raise exc.InvalidatePoolError from failure

    event.listen(pool, "connect", note)
    event.listen(pool, "checkin", note)
    event.listen(pool, "checkout", ask)


def _was_spoken_to(connection: DBAPIConnection) -> bool:
    """Whether the server sent something that nobody asked for; it does so when it hangs up."""
    line = poll()
    line.register(connection.driver_connection.fileno(), POLLIN)
    return bool(line.poll(0))


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Return the factory of sessions; rows stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def transaction(sessions: Sessions) -> AsyncGenerator[AsyncSession]:
    """Yield a session; commit on the way out, roll back on any exception.

    Raises:
        UnavailableError: the database does not answer, or gave up on this transaction; whether
            it was committed is not known. Or it takes no changes, and this was one.
    """
    try:
        async with sessions() as session, session.begin():
            yield session
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as failure:
        raise UnavailableError("The database does not answer; try again.") from failure
    except exc.InternalError as failure:
        if isinstance(failure.orig, psycopg.errors.IdleInTransactionSessionTimeout):
            raise UnavailableError("The database gave up on us; try again.") from failure
        if _is_refusal(failure):
            raise UnavailableError(READ_ONLY) from failure
        raise


@asynccontextmanager
async def undone(session: AsyncSession) -> AsyncGenerator[None]:
    """Take back, at the end, what is written meanwhile: it is only looked at."""
    savepoint = await session.begin_nested()
    try:
        yield
    finally:
        await savepoint.rollback()


@asynccontextmanager
async def if_writable(session: AsyncSession) -> AsyncGenerator[None]:
    """Keep a write that a read can do without from failing it: a standby leaves it out."""
    try:
        async with session.begin_nested():
            yield
    except exc.InternalError as failure:
        if not _is_refusal(failure):
            raise


async def is_read_only(session: AsyncSession) -> bool:
    """Tell whether the database takes no changes, as one does that stands by."""
    return bool(
        await session.scalar(text("SELECT current_setting('transaction_read_only') = 'on'"))
    )


def _is_refusal(failure: exc.InternalError) -> bool:
    return isinstance(failure.orig, psycopg.errors.ReadOnlySqlTransaction)


async def driver_connection(session: AsyncSession) -> psycopg.AsyncConnection[Any]:
    """Return the psycopg connection `session` is in a transaction on."""
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        raise TypeError(f"The engine is not on psycopg but on {type(driver).__name__}.")
    return driver


async def notify(session: AsyncSession, channel: str, payload: str) -> None:
    """Wake listeners of `channel` when the caller's transaction commits; `payload` is an id."""
    await session.execute(select(func.pg_notify(channel, payload)))


async def database_now(session: AsyncSession) -> datetime:
    """Return the database's clock: the only one that leases and order may be judged by."""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment
