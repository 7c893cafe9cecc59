"""Rows that must be the only ones of their name, also when two are written at once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.errors import LandformError


@asynccontextmanager
async def unique(
    session: AsyncSession, constraint: str, failure: LandformError
) -> AsyncGenerator[None]:
    """Flush what the block adds or changes; raise `failure` if `constraint` is violated by it.

    Asking first whether the name is free would leave a gap; the constraint has none. The
    caller's transaction goes on after the failure, and rows that the block changed are again as
    the database has them. Check all else before: any other exception leaves them unreadable.

    Args:
        constraint: name of the unique constraint or index, as in the tables' metadata.
    """
    changed: list[object] = []
    try:
        async with session.begin_nested():
            yield
            changed = list(session.dirty)
            await session.flush()
    except IntegrityError as error:
        violated = error.orig
        if (
            isinstance(violated, psycopg.errors.UniqueViolation)
            and violated.diag.constraint_name == constraint
        ):
            for row in changed:
                await session.refresh(row)
            raise failure from None
        raise
