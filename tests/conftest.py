"""Fixtures every test may use: a real PostgreSQL, sessions on it, a key and a store."""

import asyncio
import gc
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from landform import tables
from landform.app import build, make_process
from landform.identity import passwords
from landform.kit import db, tasks
from landform.kit.crypto import KEY_BYTES, Keyring
from landform.kit.db import Sessions, make_engine, make_sessions, sqlalchemy_url
from landform.kit.postgres import EmbeddedPostgres
from landform.kit.storage import Store, open_store
from landform.runs.attempts import Limits, Platform
from landform.settings import Settings
from tests.evidence import FAILED
from tests.world import World

_TEMPLATE = "landform"
_SHARED = "shared"
_OWN = "own"
_NUMBERS = count(1)
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_QUICK_NOBODY = _QUICK.hash("a password of nobody's")

# Each of the many processes that tests start would compile all of Landform anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# How long an example takes says nothing where others are at work, or the machine stands still.
hypothesis_settings.register_profile(
    "landform", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("landform")
# While thousands of tests are collected nothing is garbage; see `pytest_collection_finish`.
gc.disable()


def pytest_collection_finish() -> None:
    """Spare the collector what stays for good, as the product does (`kit/loading.py`)."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know, as they are taken down, that their test failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session", autouse=True)
def _patient_database() -> Iterator[None]:
    """Let a busy machine leave a test alone in the middle of a transaction for longer than ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "_IDLE_IN_TRANSACTION_MS", 60_000)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_limit_of_requests() -> Iterator[None]:
    """Tests are in more of a hurry than people; those of the limit set it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDFORM_API_REQUESTS_PER_SECOND", "0")
        yield


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in without the work that guessing is made to be; `test_passwords` sees to that."""
    monkeypatch.setattr(passwords, "HASHER", _QUICK)
    monkeypatch.setattr(passwords, "NOBODY", _QUICK_NOBODY)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a server for this process and yield the URL of a database with empty tables in it.

    Nothing may stay connected to that one: it is the template of all others. In memory where
    that can be, as there the disk is not what we test.
    """
    memory = Path("/dev/shm")
    base = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="landform-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "postgres", database=_TEMPLATE)
        url = asyncio.run(server.start())
        try:
            asyncio.run(_make_tables(url))
            yield url
        finally:
            asyncio.run(server.stop())


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database of the test's own, with empty tables, gone afterwards."""
    with own_database(postgres_server, _OWN) as url:
        yield url


@contextmanager
def own_database(server_url: str, name: str = "") -> Iterator[str]:
    """Yield the URL of a new database with empty tables, on the server of `postgres_server`."""
    name = name or f"own_{next(_NUMBERS)}"
    yield _copy(server_url, name)
    _as_superuser(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(_id(name)))


@pytest.fixture
def empty_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database with nothing in it, not even tables."""
    name = f"empty_{next(_NUMBERS)}"
    statement = sql.SQL("CREATE DATABASE {} OWNER {}")
    _as_superuser(postgres_server, statement.format(_id(name), _id(_TEMPLATE)))
    yield _url(postgres_server, name)
    _as_superuser(postgres_server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(_id(name)))


@pytest.fixture(scope="session")
def shared_engine(postgres_server: str) -> AsyncEngine:
    """An engine on a database that tests share which leave nothing behind.

    It keeps no connection, as each belongs to one test's event loop, but every compiled query.
    """
    url = _copy(postgres_server, _SHARED)
    return create_async_engine(sqlalchemy_url(url), poolclass=NullPool)


@pytest.fixture
async def session(shared_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session inside a transaction that is rolled back; its own commits end savepoints."""
    async with shared_engine.connect() as connection:
        outer = await connection.begin()
        async with AsyncSession(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ) as session:
            yield session
        await outer.rollback()


@pytest.fixture(scope="session")
def committing_engine(postgres_server: str, _patient_database: None) -> AsyncEngine:
    """An engine on what is the test's own database at the time, as they all have one name.

    Like `shared_engine` it outlives the test for what it knows, and no connection does.
    """
    return make_engine(_url(postgres_server, _OWN))


@pytest.fixture
async def sessions(database_url: str, committing_engine: AsyncEngine) -> AsyncIterator[Sessions]:
    """Sessions that really commit, for tests in which two do something at once."""
    yield make_sessions(committing_engine)
    await committing_engine.dispose()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(os.urandom(KEY_BYTES))


@pytest.fixture
def store(keyring: Keyring) -> Store:
    """Objects in memory, encrypted with `keyring`."""
    return open_store("memory://", keyring)


@pytest.fixture
def platform(sessions: Sessions, store: Store, keyring: Keyring) -> Platform:
    """What the services of runs need of a process."""
    return Platform(sessions=sessions, store=store, keyring=keyring, limits=Limits())


@pytest.fixture
async def world(platform: Platform) -> World:
    """A workspace with an uploaded configuration, in a database of its own."""
    return await World.make(platform)


@pytest.fixture(scope="session")
def app(postgres_server: str) -> FastAPI:
    """The application. To build it takes a while, so tests put their own process into it."""
    settings = Settings(database_url=SecretStr(postgres_server))
    keyring = Keyring(os.urandom(KEY_BYTES))
    sessions = make_sessions(make_engine(postgres_server))
    nobody = Platform(
        sessions=sessions, store=open_store("memory://", keyring), keyring=keyring, limits=Limits()
    )
    return build(make_process(settings, nobody))


async def _make_tables(url: str) -> None:
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(tables.METADATA.create_all)
    await engine.dispose()
    await tasks.apply_schema(url)
    # What is done here is copied: the first to connect reads the catalog into a file.
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("VACUUM")


def _copy(url: str, name: str) -> str:
    _as_superuser(
        url,
        sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
            _id(name), _id(_TEMPLATE), _id(_TEMPLATE)
        ),
    )
    return _url(url, name)


def _url(server_url: str, name: str) -> str:
    return server_url.replace(f"/{_TEMPLATE}?", f"/{name}?")


def _as_superuser(url: str, statement: sql.Composed) -> None:
    there = url.replace(f"{_TEMPLATE}@/{_TEMPLATE}?", "postgres@/postgres?")
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute(statement)


def _id(name: str) -> sql.Identifier:
    return sql.Identifier(name)
