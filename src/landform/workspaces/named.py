"""Workspaces and projects by the names that people write, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.service import visible_projects, visible_workspaces
from landform.identity.actor import Actor
from landform.kit.errors import InvalidError
from landform.workspaces.models import Project, Workspace

_MOST: Final = 1000  # names at once


async def workspace_ids(
    session: AsyncSession, actor: Actor, organization_id: str, names: Sequence[str]
) -> list[str]:
    """Return the ids of an organization's workspaces of these names, in whatever case.

    Raises:
        InvalidError: there is none of such a name, or `actor` may not know of it.
    """
    seen = await visible_workspaces(session, actor, organization_id)
    return await _ids(session, Workspace, organization_id, seen, names, what="workspace")


async def project_ids(
    session: AsyncSession, actor: Actor, organization_id: str, names: Sequence[str]
) -> list[str]:
    """Return the ids of an organization's projects of these names, in whatever case.

    Raises:
        InvalidError: there is none of such a name, or `actor` may not know of it.
    """
    seen = await visible_projects(session, actor, organization_id)
    return await _ids(session, Project, organization_id, seen, names, what="project")


async def workspace_names(
    session: AsyncSession, actor: Actor, organization_id: str, ids: Iterable[str]
) -> Mapping[str, str]:
    """Return the names of an organization's workspaces by id, of those that `actor` may see."""
    seen = await visible_workspaces(session, actor, organization_id)
    return await _names(session, Workspace, organization_id, seen, ids)


async def project_names(
    session: AsyncSession, actor: Actor, organization_id: str, ids: Iterable[str]
) -> Mapping[str, str]:
    """Return the names of an organization's projects by id, of those that `actor` may see."""
    seen = await visible_projects(session, actor, organization_id)
    return await _names(session, Project, organization_id, seen, ids)


async def _ids(
    session: AsyncSession,
    table: type[Workspace | Project],
    organization_id: str,
    seen: ColumnElement[bool],
    names: Sequence[str],
    *,
    what: str,
) -> list[str]:
    wanted = _wanted(names)
    query = select(func.lower(table.name), table.id).where(
        table.organization_id == organization_id, seen, func.lower(table.name).in_(wanted)
    )
    ids = {row[0]: row[1] for row in await session.execute(query)}
    missing = wanted - ids.keys()
    if missing:
        raise InvalidError(f"There is no {what} {min(missing)[:80]} here.")
    return sorted(ids.values())


async def _names(
    session: AsyncSession,
    table: type[Workspace | Project],
    organization_id: str,
    seen: ColumnElement[bool],
    ids: Iterable[str],
) -> Mapping[str, str]:
    query = select(table.id, table.name).where(
        table.organization_id == organization_id, table.id.in_(set(ids)), seen
    )
    return {row[0]: row[1] for row in await session.execute(query)}


def _wanted(names: Sequence[str]) -> set[str]:
    if len(names) > _MOST:
        raise InvalidError(f"At most {_MOST} names are accepted at once.")
    if any("\0" in name for name in names):
        raise InvalidError("A name holds a NUL, which is not text.")
    return {name.lower() for name in names}
