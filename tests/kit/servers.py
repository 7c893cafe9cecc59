"""Embedded servers for the tests of them."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from landform.kit.postgres import EmbeddedPostgres
from landform.kit.postgres_directory import PostgresDirectory
from tests.kit.processes import eventually

needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

# Starts the server of a directory, and stays.
OWNER = """
import asyncio, sys
from pathlib import Path
from landform.kit.postgres import EmbeddedPostgres
async def main():
    print("url", await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@asynccontextmanager
async def started(directory: Path, **options: Any) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(directory, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(url: str, query: str) -> Any:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        answer = await connection.execute(query.encode())
        row = await answer.fetchone() if answer.description else None
        return row[0] if row and len(row) == 1 else row


async def write_a_row(server: EmbeddedPostgres) -> None:
    await ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")


async def has_the_row(server: EmbeddedPostgres) -> bool:
    return bool(await ask(server.url, "SELECT answer FROM kept") == 42)


def server_pid(directory: Path) -> int:
    recorded = PostgresDirectory(directory).postmaster()
    assert recorded is not None
    return recorded.pid


async def nothing_runs_on(directory: Path) -> None:
    await eventually(lambda: not PostgresDirectory(directory).processes())
