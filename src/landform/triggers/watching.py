"""Which repositories are watched, and whose turn it is; any number of workers share the work.

A row is claimed by moving its time on, in one short transaction; whoever dies in between loses
the claim when that time comes. So no leader is needed, and no lock is held while a provider is
asked.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from landform.kit.clock import now
from landform.kit.db import database_now, transaction
from landform.triggers.desk import Desk
from landform.triggers.models import RepositoryWatch, SeenComment, SeenPullRequest, SeenRef
from landform.vcs.models import Connection, ConnectionStatus
from landform.workspaces.models import WorkspaceRepository

_CLAIM: Final = timedelta(minutes=5)
_JITTER: Final = 0.2  # of a pause, so that not all repositories are asked at once


@dataclass(frozen=True)
class Watched:
    """A repository whose turn it is."""

    connection_id: str
    repository_id: str
    has_baseline: bool
    failures: int


async def enroll(desk: Desk) -> None:
    """Watch every repository that a workspace is planned from."""
    wanted = select(
        WorkspaceRepository.connection_id,
        WorkspaceRepository.repository_id,
        func.clock_timestamp(),
        func.clock_timestamp(),
        literal(value=False),
        literal(0),
        literal(""),
    ).group_by(WorkspaceRepository.connection_id, WorkspaceRepository.repository_id)
    names = [
        *("connection_id", "repository_id", "next_look_at", "next_upkeep_at"),
        *("has_baseline", "failures", "problem"),
    ]
    known = exists().where(
        RepositoryWatch.connection_id == WorkspaceRepository.connection_id,
        RepositoryWatch.repository_id == WorkspaceRepository.repository_id,
    )
    new = insert(RepositoryWatch).from_select(names, wanted.where(~known))
    async with transaction(desk.sessions) as session:
        await session.execute(new.on_conflict_do_nothing())


async def claim_look(desk: Desk) -> Watched | None:
    """Return a repository that is to be looked at now, ours for some minutes."""
    return await _claim(desk, RepositoryWatch.next_look_at, _is_linked())


async def claim_upkeep(desk: Desk) -> Watched | None:
    """Return a repository whose hook is to be seen to now, ours for some minutes.

    What was there before has to be known by then: else what is opened just after the hook was made
    could be taken for it, and its delivery for old news.
    """
    was_looked_at = or_(RepositoryWatch.has_baseline, RepositoryWatch.failures > 0)
    return await _claim(desk, RepositoryWatch.next_upkeep_at, and_(_is_linked(), was_looked_at))


async def claim_orphan(desk: Desk) -> Watched | None:
    """Return a repository that no workspace is planned from any more, ours for some minutes."""
    return await _claim(desk, RepositoryWatch.next_upkeep_at, ~_is_linked())


async def _claim(
    desk: Desk, column: InstrumentedAttribute[datetime], condition: ColumnElement[bool]
) -> Watched | None:
    query = (
        select(RepositoryWatch)
        .join(Connection, Connection.id == RepositoryWatch.connection_id)
        .where(
            column <= func.clock_timestamp(),
            condition,
            Connection.status == ConnectionStatus.CONNECTED,
        )
        .order_by(column)
        .limit(1)
        .with_for_update(of=RepositoryWatch, skip_locked=True)
    )
    async with transaction(desk.sessions) as session:
        row = (await session.scalars(query)).one_or_none()
        if row is None:
            return None
        setattr(row, column.key, await database_now(session) + _CLAIM)
        return Watched(row.connection_id, row.repository_id, row.has_baseline, row.failures)


def _is_linked() -> ColumnElement[bool]:
    return exists().where(
        WorkspaceRepository.connection_id == RepositoryWatch.connection_id,
        WorkspaceRepository.repository_id == RepositoryWatch.repository_id,
    )


async def row_of(session: AsyncSession, watched: Watched) -> RepositoryWatch | None:
    """Return the row, locked; None when it is no longer watched."""
    key = (watched.connection_id, watched.repository_id)
    return await session.get(RepositoryWatch, key, with_for_update=True)


async def look_now(session: AsyncSession, connection_id: str, repository_id: str) -> None:
    """Have the repository looked at as soon as somebody can, in the caller's transaction."""
    row = await session.get(RepositoryWatch, (connection_id, repository_id), with_for_update=True)
    if row is not None:
        row.next_look_at = await database_now(session)


async def see_to_now(session: AsyncSession, connection_id: str, repository_id: str) -> None:
    """Have the repository's hook seen to as soon as somebody can, in the caller's transaction."""
    row = await session.get(RepositoryWatch, (connection_id, repository_id), with_for_update=True)
    if row is not None:
        row.next_upkeep_at = await database_now(session)


async def forget(desk: Desk, watched: Watched) -> None:
    """Stop watching, and forget what was seen, so that a later workspace begins anew."""
    async with transaction(desk.sessions) as session:
        for table in (RepositoryWatch, SeenRef, SeenPullRequest, SeenComment):
            await session.execute(
                delete(table).where(
                    table.connection_id == watched.connection_id,
                    table.repository_id == watched.repository_id,
                )
            )


def after(pause_s: float) -> datetime:
    """Return the time after a pause, more or less."""
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - nothing is kept secret by it
    return now() + timedelta(seconds=pause_s * spread)
