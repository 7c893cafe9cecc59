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
    caller's transaction goes on after the failure, without what the block wrote.

    Args:
        constraint: name of the unique constraint or index, as in the tables' metadata.
    """
    try:
        async with session.begin_nested():
            yield
            await session.flush()
    except IntegrityError as error:
        violated = error.orig
        if (
            isinstance(violated, psycopg.errors.UniqueViolation)
            and violated.diag.constraint_name == constraint
        ):
            raise failure from None
        raise
