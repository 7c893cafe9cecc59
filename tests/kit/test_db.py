"""Connections that were lost while nobody used them."""

import psycopg
import pytest
from sqlalchemy import text

from landform.kit import db
from landform.kit.db import Sessions, transaction
from tests.cli.command import eventually


def cut_off(url: str) -> None:
    """End every connection to the database but the one that does it; return when all are gone."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}".encode())
        eventually(
            lambda: connection.execute(f"SELECT {others}".encode()).rowcount == 0, within_s=60
        )


async def test_a_connection_lost_while_idle_is_replaced_before_it_is_used(
    sessions: Sessions, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_ALIVE_S", 0.0)
    for _ in range(2):
        async with transaction(sessions) as session:
            assert await session.scalar(text("SELECT 1")) == 1
        cut_off(database_url)


async def test_a_connection_lost_a_moment_after_its_last_use_is_replaced_as_well(
    sessions: Sessions, database_url: str
) -> None:
    for _ in range(5):
        async with transaction(sessions) as session:
            assert await session.scalar(text("SELECT 1")) == 1
        cut_off(database_url)


async def test_a_connection_in_steady_use_is_not_asked_each_time(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_ALIVE_S", 60.0)  # however long this machine stands still
    asked: list[object] = []
    engine = sessions.kw["bind"].sync_engine
    monkeypatch.setattr(engine.dialect, "do_ping", asked.append)
    for _ in range(3):
        async with transaction(sessions) as session:
            await session.scalar(text("SELECT 1"))
    assert not asked
