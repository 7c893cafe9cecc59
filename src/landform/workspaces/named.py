"""Workspaces and projects by the names that people write, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import func, select
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
    query = select(func.lower(Workspace.name), Workspace.id).where(
        Workspace.organization_id == organization_id, seen
    )
    wanted = _wanted(names)
    rows = await session.execute(query.where(func.lower(Workspace.name).in_(wanted)))
    return _found({row[0]: row[1] for row in rows}, wanted, what="workspace")


async def project_ids(
    session: AsyncSession, actor: Actor, organization_id: str, names: Sequence[str]
) -> list[str]:
    """Return the ids of an organization's projects of these names, in whatever case.

    Raises:
        InvalidError: there is none of such a name, or `actor` may not know of it.
    """
    seen = await visible_projects(session, actor, organization_id)
    query = select(func.lower(Project.name), Project.id).where(
        Project.organization_id == organization_id, seen
    )
    wanted = _wanted(names)
    rows = await session.execute(query.where(func.lower(Project.name).in_(wanted)))
    return _found({row[0]: row[1] for row in rows}, wanted, what="project")


async def workspace_names(
    session: AsyncSession, actor: Actor, organization_id: str, ids: Iterable[str]
) -> Mapping[str, str]:
    """Return the names of an organization's workspaces by id, of those that `actor` may see."""
    seen = await visible_workspaces(session, actor, organization_id)
    query = select(Workspace.id, Workspace.name).where(
        Workspace.organization_id == organization_id, Workspace.id.in_(set(ids)), seen
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def project_names(
    session: AsyncSession, actor: Actor, organization_id: str, ids: Iterable[str]
) -> Mapping[str, str]:
    """Return the names of an organization's projects by id, of those that `actor` may see."""
    seen = await visible_projects(session, actor, organization_id)
    query = select(Project.id, Project.name).where(
        Project.organization_id == organization_id, Project.id.in_(set(ids)), seen
    )
    return {row[0]: row[1] for row in await session.execute(query)}


def _wanted(names: Sequence[str]) -> set[str]:
    if len(names) > _MOST:
        raise InvalidError(f"At most {_MOST} names are accepted at once.")
    if any("\0" in name for name in names):
        raise InvalidError("A name holds a NUL, which is not text.")
    return {name.lower() for name in names}


def _found(ids: Mapping[str, str], wanted: set[str], *, what: str) -> list[str]:
    missing = wanted - ids.keys()
    if missing:
        raise InvalidError(f"There is no {what} {min(missing)[:80]} here.")
    return sorted(ids.values())
