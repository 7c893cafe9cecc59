"""Workspaces with the run each is at: what tables of many workspaces show, in few statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from landform.access.permissions import Permission, Place
from landform.access.service import require, visible_anywhere, visible_workspaces
from landform.identity.actor import Actor
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page, Paged
from landform.organizations.models import Organization
from landform.runs.models import Run
from landform.runs.status import RunStatus
from landform.workspaces.models import Project, Workspace, WorkspaceRepository
from landform.workspaces.queries import ALL, WorkspaceFilter, filtered

_Rows: TypeAlias = "Select[Workspace, Run, str]"


class Standing(StrEnum):
    """How a workspace is doing: each stands in one way by the run it is at; some have drifted."""

    ATTENTION = "attention"
    WORKING = "working"
    ERRORED = "errored"
    DONE = "done"
    STOPPED = "stopped"
    NEVER = "never"
    DRIFTED = "drifted"


STATUSES: Final[Mapping[Standing, frozenset[RunStatus]]] = {
    Standing.ATTENTION: frozenset({RunStatus.PLANNED, RunStatus.PLANNED_AND_SAVED}),
    Standing.WORKING: frozenset(
        {
            RunStatus.PENDING,
            RunStatus.PLAN_QUEUED,
            RunStatus.PLANNING,
            RunStatus.CONFIRMED,
            RunStatus.APPLY_QUEUED,
            RunStatus.APPLYING,
        }
    ),
    Standing.ERRORED: frozenset({RunStatus.ERRORED}),
    Standing.DONE: frozenset({RunStatus.APPLIED, RunStatus.PLANNED_AND_FINISHED}),
    Standing.STOPPED: frozenset({RunStatus.DISCARDED, RunStatus.CANCELED}),
}

# The second part lets an index of current runs alone be read, not all there ever were.
_IS_AT: Final = and_(Run.id == Workspace.current_run_id, Run.is_current)
_CHANGED: Final = func.coalesce(Run.changed_at, Workspace.updated_at)
_REPOSITORY: Final = (
    select(func.lower(WorkspaceRepository.identifier))
    .where(WorkspaceRepository.workspace_id == Workspace.id)
    .scalar_subquery()
)
_SORTS: Final[Mapping[str, Any]] = {
    "name": func.lower(Workspace.name),
    "project": func.lower(Project.name),
    "status": func.coalesce(Run.status, ""),
    "version": func.lower(Workspace.tool_version),
    "repository": func.coalesce(_REPOSITORY, ""),
    "changed": _CHANGED,
    "created-at": Workspace.created_at,
    "latest-change-at": Workspace.updated_at,
    "current-run.created-at": func.coalesce(Run.created_at, Workspace.created_at),
}


@dataclass(frozen=True)
class Listed:
    """A workspace, the run it is at, and its project's name."""

    workspace: Workspace
    run: Run | None
    project: str


async def list_with_runs(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    wanted: WorkspaceFilter = ALL,
    *,
    standing: Standing | None = None,
    statuses: Sequence[RunStatus] = (),
    sort: str = "name",
    page: Page,
) -> Paged[Listed]:
    """Return the workspaces that are wanted and that `actor` may read, each with its run.

    Args:
        statuses: only those whose run is in one of these; none for any.
        sort: `name`, `project`, `status`, `version`, `repository`, `changed`, `created-at`,
            `latest-change-at` or `current-run.created-at`; `-` before it turns the order round.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        InvalidError: there is no such sort, or there are too many tags.
    """
    base = filtered(await _visible(session, actor, organization), wanted)
    if standing is not None:
        base = base.where(_stands(standing))
    if statuses:
        base = base.where(Run.status.in_(statuses))
    total = await session.scalar(base.with_only_columns(func.count()))
    order = (_order(sort), Workspace.id)
    # Which rows first: to sort all of them whole, with their runs, takes several times as long.
    shown = base.with_only_columns(Workspace.id).order_by(*order)
    ids = shown.limit(page.size).offset(page.offset).subquery()
    rows = await session.execute(
        select(Workspace, Run, Project.name)
        .join(ids, ids.c.id == Workspace.id)
        .outerjoin(Run, Run.id == Workspace.current_run_id)
        .join(Project, Project.id == Workspace.project_id)
        .order_by(*order)
    )
    found = [Listed(workspace, run, project) for workspace, run, project in rows]
    return Paged(items=found, total=total or 0)


async def count_by_standing(
    session: AsyncSession, actor: Actor, organization: Organization
) -> dict[Standing, int]:
    """Count the workspaces that `actor` may read by how they are doing; in one statement."""
    base = await _visible(session, actor, organization)
    counts = [func.count().filter(_stands(standing)) for standing in Standing]
    row = (await session.execute(base.with_only_columns(*counts))).one()
    return dict(zip(Standing, row, strict=True))


@dataclass(frozen=True)
class Tally:
    """How many workspaces there are somewhere for somebody, and how many need them."""

    workspaces: int = 0
    attention: int = 0
    errored: int = 0


async def tallies(
    session: AsyncSession, actor: Actor, organizations: Sequence[Organization]
) -> dict[str, Tally]:
    """Count by id of the organization the workspaces that `actor` may read; in one statement."""
    ids = [each.id for each in organizations]
    seen = await visible_anywhere(session, actor)
    return await _tallied(session, Workspace.organization_id, ids, seen)


async def tallies_of_projects(
    session: AsyncSession, actor: Actor, organization_id: str, projects: Sequence[Project]
) -> dict[str, Tally]:
    """Count by id of the project the workspaces that `actor` may read, of one organization."""
    ids = [each.id for each in projects]
    seen = await visible_workspaces(session, actor, organization_id)
    return await _tallied(session, Workspace.project_id, ids, seen)


async def _tallied(
    session: AsyncSession,
    column: InstrumentedAttribute[str],
    ids: Sequence[str],
    seen: ColumnElement[bool],
) -> dict[str, Tally]:
    query = (
        select(
            column,
            func.count(),
            func.count().filter(_stands(Standing.ATTENTION)),
            func.count().filter(_stands(Standing.ERRORED)),
        )
        .outerjoin(Run, _IS_AT)
        .where(column.in_(ids), seen)
        .group_by(column)
    )
    return {row[0]: Tally(*row[1:]) for row in await session.execute(query)}


async def _visible(session: AsyncSession, actor: Actor, organization: Organization) -> _Rows:
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    return (
        select(Workspace, Run, Project.name)
        .outerjoin(Run, and_(_IS_AT, Run.organization_id == organization.id))
        .join(Project, Project.id == Workspace.project_id)
        .where(
            Workspace.organization_id == organization.id,
            await visible_workspaces(session, actor, organization.id),
        )
    )


def _stands(standing: Standing) -> ColumnElement[bool]:
    if standing is Standing.NEVER:
        return Run.id.is_(None)
    if standing is Standing.DRIFTED:
        return Workspace.drifted > 0
    return Run.status.in_(STATUSES[standing])


def _order(sort: str) -> Any:
    column = _SORTS.get(sort.removeprefix("-"))
    if column is None:
        raise InvalidError(f"Workspaces sort by {', '.join(_SORTS)}, not by {sort}.")
    return column.desc() if sort.startswith("-") else column.asc()
