"""Which schema this version needs and which one a database has, told in milliseconds.

Alembic, which changes schemas, takes half a second to load; a process that finds all in order
does without it.
"""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final

import psycopg

from landform.kit.errors import ConflictError, UnavailableError

_VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"
_REVISION: Final = re.compile(r'^revision = "(.+)"$', re.MULTILINE)
_DOWN_REVISION: Final = re.compile(r'^down_revision = "(.+)"$', re.MULTILINE)


@cache
def wanted() -> str:
    """Return the newest revision of the migrations."""
    scripts = [path.read_text() for path in _VERSIONS.glob("*.py")]
    (head,) = _names(_REVISION, scripts) - _names(_DOWN_REVISION, scripts)
    return head


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Yield a connection to the database.

    Raises:
        UnavailableError: it does not answer.
    """
    try:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            yield connection
    except psycopg.OperationalError as failure:
        raise UnavailableError(f"The database does not answer: {failure}") from None


async def found(connection: psycopg.AsyncConnection) -> str | None:
    """Return the revision of the database; None when it has no schema."""
    cursor = await connection.execute("SELECT to_regclass('alembic_version')")
    if await cursor.fetchone() == (None,):
        return None
    cursor = await connection.execute("SELECT version_num FROM alembic_version")
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def require_current(url: str) -> None:
    """Raise ConflictError unless the database is at this version's schema.

    Raises:
        UnavailableError: it does not answer.
    """
    async with connected(url) as connection:
        present = await found(connection)
    if present != wanted():
        raise ConflictError(
            f"The database is at schema {present or 'none'}, this version of Landform needs"
            f" {wanted()}: run `landform db migrate` (or the version that made the database)."
        )


def _names(declared: re.Pattern[str], scripts: Iterable[str]) -> set[str]:
    return {name for script in scripts for name in declared.findall(script)}
