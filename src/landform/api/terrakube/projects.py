"""Terrakube's `project`. Facts: terrakube_backend.md §1.4, terrakube_user.md §5.2."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    ToOne,
    reads,
    seen,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    new_router,
    selection_of,
)
from landform.kit.errors import NotFoundError
from landform.workspaces import projects
from landform.workspaces.models import Project
from landform.workspaces.projects import ProjectSettings

router = new_router()

_FIELDS: Final = {
    "id": Field("id"),
    "name": Field("name"),
    "description": Field("description"),
    "createdDate": Field("created_at"),
}


class ProjectAttributes(Attributes[Project]):
    """A shelf of workspaces; every organization has a default one."""

    name: str
    description: str | None = reads(lambda project: project.description or None)
    created_date: datetime = reads("created_at")


async def _by_ids(ids: Sequence[str], context: Context) -> list[Project]:
    return await seen(lambda each: projects.get_project(context.session, context.actor, each), ids)


PROJECT = Resource[Project, Context](
    TERRAKUBE,
    "project",
    ProjectAttributes,
    relationships=[ToOne("organization", "organization")],
    by_ids=_by_ids,
    sorts=("name", "created_date"),
    filters=("filter", "filter[project]"),
)


class ProjectInput(Camel):
    """What a client gives of a project."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "project", ProjectInput)
One = Annotated[Query, Depends(PROJECT.query)]
Sent = Annotated[Body[ProjectInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/project"
_ONE: Final = _PATH + "/{project_id}"


async def _project(
    organization: CurrentOrganization, project_id: str, context: CurrentContext
) -> Project:
    project = await projects.get_project(context.session, context.actor, project_id)
    if project.organization_id != organization.id:
        raise NotFoundError(f"There is no project {project_id} in {organization.name}.")
    return project


CurrentProject = Annotated[Project, Depends(_project)]


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(PROJECT.list_query)],
    context: CurrentContext,
) -> Response:
    found = await projects.list_projects(
        context.session,
        context.actor,
        organization,
        selection=selection_of(query, "project", _FIELDS),
        page=query.page,
    )
    return await PROJECT.many(found.items, query, context, total=found.total)


@router.post(_PATH, status_code=201)
async def create(
    organization: CurrentOrganization, body: Sent, query: One, context: CurrentContext
) -> Response:
    project = await projects.create_project(
        context.session, context.actor, organization, _settings(body)
    )
    return await PROJECT.one(project, query, context)


@router.get(_ONE)
async def read(project: CurrentProject, query: One, context: CurrentContext) -> Response:
    return await PROJECT.one(project, query, context)


@router.patch(_ONE, status_code=204)
async def update(project: CurrentProject, body: Sent, context: CurrentContext) -> Response:
    await projects.update_project(context.session, context.actor, project, _settings(body))
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(project: CurrentProject, context: CurrentContext) -> Response:
    await projects.delete_project(context.session, context.actor, project)
    return Response(status_code=204)


def _settings(body: Body[ProjectInput]) -> ProjectSettings:
    """Translate Terrakube's names; a null description is none."""
    sent = body.attributes
    described = "" if sent.description is None else sent.description
    return ProjectSettings(
        name=sent.name or None, description=described if isinstance(described, str) else None
    )
