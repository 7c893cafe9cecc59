"""Projects: shelves of workspaces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, projects_with, require, visible_projects
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.organizations.models import Organization
from landform.workspaces import tags as tag_rows
from landform.workspaces.events import ProjectCreated, ProjectDeleted, ProjectUpdated
from landform.workspaces.models import Project, Workspace
from landform.workspaces.rows import locked_project
from landform.workspaces.tags import Tag

DEFAULT_NAME: Final = "Default Project"
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9 _-]{1,38}[A-Za-z0-9_-]")
_DESCRIPTION_LIMIT: Final = 256
_UNIQUE: Final = "uq_projects_organization_lower_name"
# What a selection of projects can ask for.
_FIELDS: Final[Columns] = {
    "id": Project.id,
    "name": Project.name,
    "description": Project.description,
    "created_at": Project.created_at,
}


@dataclass(frozen=True, kw_only=True)
class ProjectSettings:
    """What a client gives of a project; None means as it is, or the default for a new one."""

    name: str | None = None
    description: str | None = None


async def create_project(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    settings: ProjectSettings,
    *,
    tags: Sequence[Tag] = (),
) -> Project:
    """Add an empty project.

    Raises:
        ForbiddenError: `actor` may not create projects.
        InvalidError: the name is malformed or taken, or a tag cannot be.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.CREATE_PROJECT, place)
    if settings.name is None:
        raise InvalidError("A project needs a name.", pointer="name")
    _check(settings)
    project = await add(session, actor, organization.id, settings.name, settings.description or "")
    await tag_rows.attach(session, project, tags)
    return project


async def add(
    session: AsyncSession, actor: Actor, organization_id: str, name: str, description: str = ""
) -> Project:
    """Add a project's row, for a caller who has checked that it may be.

    Raises:
        InvalidError: the name is taken.
    """
    project = Project(organization_id=organization_id, name=name, description=description)
    async with unique(session, _UNIQUE, _taken(name)):
        session.add(project)
    events.publish(
        session,
        ProjectCreated(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=project.id,
            name=name,
        ),
    )
    return project


async def get_project(session: AsyncSession, actor: Actor, project_id: str) -> Project:
    """Return the project.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    project = await session.get(Project, project_id)
    if project is None or not await may(session, actor, Permission.READ_PROJECT, project.place):
        raise NotFoundError(f"There is no project {project_id}.")
    return project


async def list_projects(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    *,
    names: Sequence[str] = (),
    search: str = "",
    selection: Selection = EVERYTHING,
    allowing: Permission | None = None,
    page: Page,
) -> Paged[Project]:
    """Return the organization's projects that `actor` may read, by name unless `selection` orders.

    Args:
        names: only projects with one of these names, in any case; goes before `search`.
        search: only projects whose name contains this, in any case.
        allowing: only projects at which `actor` has this permission.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        MalformedError: the selection compares what cannot be compared.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    wanted = select(Project).where(
        Project.organization_id == organization.id,
        await visible_projects(session, actor, organization.id),
    )
    if names:
        wanted = wanted.where(func.lower(Project.name).in_([name.lower() for name in names]))
    elif search:
        wanted = wanted.where(Project.name.icontains(search, autoescape=True))
    if allowing is not None:
        wanted = wanted.where(await projects_with(session, actor, allowing, organization.id))
    order = (*ordering(selection, _FIELDS), func.lower(Project.name), Project.id)
    return await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)


async def workspace_counts(session: AsyncSession, projects: Sequence[Project]) -> dict[str, int]:
    """Return how many workspaces are in each project, by id of the project."""
    query = (
        select(Workspace.project_id, func.count())
        .where(Workspace.project_id.in_([project.id for project in projects]))
        .group_by(Workspace.project_id)
    )
    counted = {row[0]: row[1] for row in (await session.execute(query)).all()}
    return {project.id: counted.get(project.id, 0) for project in projects}


async def update_project(
    session: AsyncSession, actor: Actor, project: Project, settings: ProjectSettings
) -> Project:
    """Apply the settings that are given.

    Raises:
        ForbiddenError: `actor` may not change the project.
        InvalidError: the name is malformed or taken, or the description too long.
    """
    await require(session, actor, Permission.UPDATE_PROJECT, project.place)
    _check(settings)
    given = {"name": settings.name, "description": settings.description}
    changed = {
        name: value
        for name, value in given.items()
        if value is not None and value != getattr(project, name)
    }
    if not changed:
        return project
    changes = events.changes_of(project, changed)
    async with unique(session, _UNIQUE, _taken(settings.name or "")):
        for name, value in changed.items():
            setattr(project, name, value)
    events.publish(
        session,
        ProjectUpdated(
            actor_id=actor.id,
            organization_id=project.organization_id,
            subject_id=project.id,
            changed=tuple(changed),
            changes=changes,
        ),
    )
    return project


async def delete_project(session: AsyncSession, actor: Actor, project: Project) -> None:
    """Delete an empty project.

    Raises:
        ForbiddenError: `actor` may not delete the project.
        ConflictError: it is the organization's default, or has workspaces in it.
    """
    await require(session, actor, Permission.DELETE_PROJECT, project.place)
    # Who puts a workspace in keeps this row (`kept_project`), so one of the two waits here.
    project = await locked_project(session, project.id)
    organization = await session.get_one(Organization, project.organization_id)
    if organization.default_project_id == project.id:
        raise ConflictError("The default project of an organization cannot be deleted.")
    occupied = select(exists(select(Workspace.id).where(Workspace.project_id == project.id)))
    if await session.scalar(occupied):
        raise ConflictError(
            f"Project {project.name} has workspaces in it; move or delete them first."
        )
    await session.delete(project)
    await session.flush()
    events.publish(
        session,
        ProjectDeleted(
            actor_id=actor.id,
            organization_id=project.organization_id,
            subject_id=project.id,
            name=project.name,
        ),
    )


def _check(settings: ProjectSettings) -> None:
    if settings.name is not None and _NAME.fullmatch(settings.name) is None:
        raise InvalidError(
            "A project's name has 3 to 40 letters, digits, spaces, dashes and underscores, and"
            " no space at either end.",
            pointer="name",
        )
    if settings.description is not None:
        check_text(
            settings.description,
            what="The description",
            limit=_DESCRIPTION_LIMIT,
            pointer="description",
        )


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The project name {name} has already been taken.", pointer="name")
