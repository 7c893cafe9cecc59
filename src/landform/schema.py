"""Applies and checks the database's schema."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import alembic.command
import alembic.config
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from landform.kit.db import make_engine
from landform.kit.tasks import apply_schema
from landform.revision import wanted
from landform.tables import METADATA

_ONE_AT_A_TIME: Final = 0x4C414E44  # an advisory lock's number: processes that start together
_FOREIGN: Final = ("procrastinate", "alembic_version")


async def migrate(url: str) -> None:
    """Bring the database to the newest schema; any number of processes may call this at once.

    Locks are waited for at most 4 s and no statement takes more than 60 s, so that a migration
    gives up rather than stop the platform that runs beside it.
    """
    engine = make_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({_ONE_AT_A_TIME})"))
            await connection.commit()
            await apply_schema(url)
            await connection.execute(text("SET lock_timeout = '4s'"))
            await connection.execute(text("SET statement_timeout = '60s'"))
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.commit()
            await connection.execute(text(f"SELECT pg_advisory_unlock({_ONE_AT_A_TIME})"))
            await connection.commit()
    finally:
        await engine.dispose()


async def check(url: str) -> list[str]:
    """Return what differs between the database and what this version expects; empty: nothing."""
    engine = make_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_differences)
    finally:
        await engine.dispose()


def configuration() -> alembic.config.Config:
    """Return Alembic's configuration, which no file holds."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("file_template", "%%(year)d-%%(month).2d-%%(day).2d-%%(slug)s")
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    is_new = MigrationContext.configure(connection).get_current_revision() is None
    with _quiet() if is_new else contextlib.nullcontext():
        alembic.command.upgrade(config, "head")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the steps to a first schema to ourselves: they tell whoever upgrades, nobody else."""
    logger = logging.getLogger("alembic")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _differences(connection: Connection) -> list[str]:
    def ours(name: str | None, kind: str, _: Any) -> bool:
        return kind != "table" or not (name or "").startswith(_FOREIGN)

    context = MigrationContext.configure(
        connection, opts={"include_name": ours, "compare_type": True}
    )
    found = [str(difference) for difference in compare_metadata(context, METADATA)]
    revision, head = context.get_current_revision(), wanted()
    if revision != head:
        found.insert(0, f"schema is at {revision or 'none'}, not at {head}")
    return found
