"""Reads of variable sets. Who reads a workspace's variables sees the sets that apply to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import grants_of
from landform.access.permissions import Permission, Place
from landform.access.service import require, visible_projects, visible_workspaces
from landform.identity.actor import Actor
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.organizations.models import Organization
from landform.variables.models import (
    Variable,
    VariableSet,
    VariableSetProject,
    VariableSetWorkspace,
)
from landform.variables.precedence import Applied, Way
from landform.workspaces.models import Project, Workspace

# What a selection of sets can ask for.
_FIELDS: Final[Columns] = {
    "id": VariableSet.id,
    "name": VariableSet.name,
    "description": VariableSet.description,
    "weight": VariableSet.weight,
    "created_at": VariableSet.created_at,
}


@dataclass(frozen=True)
class Reach:
    """What is in a set, and where it applies that the actor may know of."""

    variable_ids: Sequence[str]
    workspaces: Sequence[Workspace]
    projects: Sequence[Project]


async def get_set(session: AsyncSession, actor: Actor, set_id: str) -> VariableSet:
    """Return the set.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(VariableSet, set_id)
    if row is None or not await may_read(session, actor, row):
        raise NotFoundError(f"There is no variable set {set_id}.")
    return row


async def get_set_of(
    session: AsyncSession, actor: Actor, organization: Organization, set_id: str
) -> VariableSet:
    """Return a set of the organization.

    Raises:
        NotFoundError: it has none of that id that `actor` may know of.
    """
    row = await get_set(session, actor, set_id)
    if row.organization_id != organization.id:
        raise NotFoundError(f"There is no variable set {set_id} in {organization.name}.")
    return row


async def may_read(session: AsyncSession, actor: Actor, row: VariableSet) -> bool:
    """Tell whether the actor may know of the set and read its variables."""
    visible = await visible_sets(session, actor, row.organization_id)
    query = select(exists(select(VariableSet.id).where(VariableSet.id == row.id, visible)))
    return bool(await session.scalar(query))


async def list_sets(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    *,
    search: str = "",
    is_global: bool | None = None,
    selection: Selection = EVERYTHING,
    page: Page,
) -> Paged[VariableSet]:
    """Return the organization's sets that `actor` may read, by name unless `selection` orders.

    Args:
        search: only those whose name contains this, in any case.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        MalformedError: the selection compares what cannot be compared.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    wanted = select(VariableSet).where(
        VariableSet.organization_id == organization.id,
        await visible_sets(session, actor, organization.id),
    )
    if is_global is not None:
        wanted = wanted.where(VariableSet.is_global == is_global)
    wanted = narrowed(_searched(wanted, search), selection, _FIELDS)
    order = (*ordering(selection, _FIELDS), VariableSet.name)
    return await fetch_page(session, wanted, page, *order)


async def sets_of_workspace(
    session: AsyncSession, actor: Actor, workspace: Workspace, *, search: str = "", page: Page
) -> Paged[VariableSet]:
    """Return the sets that apply to the workspace, in whatever way, by name.

    Raises:
        ForbiddenError: `actor` may not read variables there.
    """
    await require(session, actor, Permission.READ_VARIABLES, workspace.place)
    wanted = select(VariableSet).where(_applies_to(workspace))
    return await fetch_page(session, _searched(wanted, search), page, VariableSet.name)


async def applicable_sets(
    session: AsyncSession, actor: Actor, workspace: Workspace, *, search: str = "", page: Page
) -> Paged[VariableSet]:
    """Return the sets that `actor` may read, and that could be applied to the workspace, by name.

    Raises:
        ForbiddenError: `actor` may not read variables there.
    """
    await require(session, actor, Permission.READ_VARIABLES, workspace.place)
    wanted = select(VariableSet).where(
        VariableSet.organization_id == workspace.organization_id,
        _reaches_project(workspace.project_id),
        ~_applies_to(workspace),
        await visible_sets(session, actor, workspace.organization_id),
    )
    return await fetch_page(session, _searched(wanted, search), page, VariableSet.name)


async def sets_of_project(
    session: AsyncSession, actor: Actor, project: Project, *, search: str = "", page: Page
) -> Paged[VariableSet]:
    """Return the sets that apply to the project, or that it owns, as far as `actor` may read them.

    Raises:
        NotFoundError: `actor` may not know of the project.
    """
    await require(session, actor, Permission.READ_PROJECT, project.place)
    wanted = select(VariableSet).where(
        VariableSet.organization_id == project.organization_id,
        or_(
            VariableSet.is_global,
            VariableSet.project_id == project.id,
            _attached_to_project(project.id),
        ),
        await visible_sets(session, actor, project.organization_id),
    )
    return await fetch_page(session, _searched(wanted, search), page, VariableSet.name)


async def reach_of(
    session: AsyncSession, actor: Actor, sets: Sequence[VariableSet]
) -> Mapping[str, Reach]:
    """Return, by id of each set, what is in it and where it applies that `actor` may know of."""
    found: dict[str, Reach] = {}
    by_organization: dict[str, list[str]] = {}
    for row in sets:
        by_organization.setdefault(row.organization_id, []).append(row.id)
    for organization_id, ids in by_organization.items():
        variables = await _variable_ids(session, ids)
        workspaces = await _workspaces(session, actor, organization_id, ids)
        projects = await _projects(session, actor, organization_id, ids)
        for each in ids:
            found[each] = Reach(
                variables.get(each, []), workspaces.get(each, []), projects.get(each, [])
            )
    return found


async def applied_to(session: AsyncSession, workspace: Workspace) -> list[Applied]:
    """Return the sets that apply to the workspace, and how; for who has asked who may."""
    by_workspace = _attached_to_workspace(workspace.id)
    by_project = _attached_to_project(workspace.project_id)
    query = select(VariableSet, by_workspace, by_project).where(_applies_to(workspace))
    found = []
    for row, is_workspaces, is_projects in (await session.execute(query)).all():
        said = {
            Way.GLOBAL: row.is_global,
            Way.PROJECT: is_projects,
            Way.WORKSPACE: is_workspaces,
        }
        found.append(Applied(row, frozenset(way for way, holds in said.items() if holds)))
    return found


async def visible_sets(
    session: AsyncSession, actor: Actor, organization_id: str
) -> ColumnElement[bool]:
    """Return the condition on table `variable_sets` that holds for those `actor` may read.

    That is: all with the permission for the organization; those of a project, or that apply to it,
    with the permission there; and those that apply to a workspace whose variables it may read. It
    says nothing of which organization a set is in.
    """
    grants = await grants_of(session, actor, organization_id)
    if Permission.READ_VARIABLE_SETS in grants.everywhere:
        return true()
    projects = _with(grants.on_projects, Permission.READ_VARIABLE_SETS)
    shelves = _with(grants.on_projects, Permission.READ_VARIABLES)
    workspaces = _with(grants.on_workspaces, Permission.READ_VARIABLES)
    if not (projects or shelves or workspaces):
        return false()
    readable = select(Workspace.id).where(
        or_(Workspace.id.in_(workspaces), Workspace.project_id.in_(shelves))
    )
    above = select(Workspace.project_id).where(Workspace.id.in_(workspaces))
    return or_(
        VariableSet.is_global,
        VariableSet.project_id.in_(projects),
        _exists(VariableSetProject, VariableSetProject.project_id.in_([*projects, *shelves])),
        and_(
            _exists(VariableSetProject, VariableSetProject.project_id.in_(above)),
            or_(VariableSet.project_id.is_(None), VariableSet.project_id.in_(above)),
        ),
        _exists(VariableSetWorkspace, VariableSetWorkspace.workspace_id.in_(readable)),
    )


def _with(granted: Mapping[str, frozenset[Permission]], permission: Permission) -> list[str]:
    return [place for place, held in granted.items() if permission in held]


def _applies_to(workspace: Workspace) -> ColumnElement[bool]:
    """Return the condition on sets; one that a project owns stays within it."""
    return and_(
        VariableSet.organization_id == workspace.organization_id,
        _reaches_project(workspace.project_id),
        or_(
            VariableSet.is_global,
            _attached_to_workspace(workspace.id),
            _attached_to_project(workspace.project_id),
        ),
    )


def _reaches_project(project_id: str) -> ColumnElement[bool]:
    return or_(VariableSet.project_id.is_(None), VariableSet.project_id == project_id)


def _attached_to_workspace(workspace_id: str) -> ColumnElement[bool]:
    return _exists(VariableSetWorkspace, VariableSetWorkspace.workspace_id == workspace_id)


def _attached_to_project(project_id: str) -> ColumnElement[bool]:
    return _exists(VariableSetProject, VariableSetProject.project_id == project_id)


def _exists(
    table: type[VariableSetWorkspace | VariableSetProject], condition: ColumnElement[bool]
) -> ColumnElement[bool]:
    of_set = table.variable_set_id == VariableSet.id
    return exists(select(table.variable_set_id).where(of_set, condition).correlate(VariableSet))


def _searched(wanted: Select[VariableSet], search: str) -> Select[VariableSet]:
    if not search:
        return wanted
    return wanted.where(VariableSet.name.icontains(search, autoescape=True))


async def _variable_ids(session: AsyncSession, ids: Iterable[str]) -> dict[str, list[str]]:
    query = (
        select(Variable.variable_set_id, Variable.id)
        .where(Variable.variable_set_id.in_(ids))
        .order_by(Variable.key, Variable.category)
    )
    found: dict[str, list[str]] = {}
    for set_id, variable_id in (await session.execute(query)).all():
        found.setdefault(str(set_id), []).append(variable_id)
    return found


async def _workspaces(
    session: AsyncSession, actor: Actor, organization_id: str, ids: Iterable[str]
) -> dict[str, list[Workspace]]:
    query = (
        select(VariableSetWorkspace.variable_set_id, Workspace)
        .join(Workspace, Workspace.id == VariableSetWorkspace.workspace_id)
        .where(
            VariableSetWorkspace.variable_set_id.in_(ids),
            await visible_workspaces(session, actor, organization_id),
        )
        .order_by(func.lower(Workspace.name))
    )
    found: dict[str, list[Workspace]] = {}
    for set_id, workspace in (await session.execute(query)).all():
        found.setdefault(set_id, []).append(workspace)
    return found


async def _projects(
    session: AsyncSession, actor: Actor, organization_id: str, ids: Iterable[str]
) -> dict[str, list[Project]]:
    query = (
        select(VariableSetProject.variable_set_id, Project)
        .join(Project, Project.id == VariableSetProject.project_id)
        .where(
            VariableSetProject.variable_set_id.in_(ids),
            await visible_projects(session, actor, organization_id),
        )
        .order_by(func.lower(Project.name))
    )
    found: dict[str, list[Project]] = {}
    for set_id, project in (await session.execute(query)).all():
        found.setdefault(set_id, []).append(project)
    return found
