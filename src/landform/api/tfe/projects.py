"""TFE projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response

from landform.access.permissions import Permission
from landform.access.service import permissions
from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToOne,
    reads,
)
from landform.api.jsonapi.seen import seen
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.tags import BINDINGS, TAG_BINDINGS, BindingList, TagPair, sent_bindings
from landform.organizations.models import Organization
from landform.workspaces import organizations, projects, tags
from landform.workspaces.models import Project
from landform.workspaces.projects import ProjectSettings
from landform.workspaces.tags import Tag

router = new_router()


class Permissions(Kebab):
    """What the present user may do to the project."""

    can_read: bool
    can_update: bool
    can_destroy: bool
    can_create_workspace: bool


def _permissions(project: Project, context: Context) -> Permissions:
    held = context.held[project.id]
    return Permissions(
        can_read=Permission.READ_PROJECT in held,
        can_update=Permission.UPDATE_PROJECT in held,
        can_destroy=Permission.DELETE_PROJECT in held,
        can_create_workspace=Permission.CREATE_WORKSPACE in held,
    )


class ProjectAttributes(Attributes[Project]):
    """A shelf of workspaces."""

    created_at: datetime
    description: str
    name: str
    permissions: Permissions = reads(_permissions)
    workspace_count: int = reads(lambda p, context: context.resource_counts.get(p.id, 0))


async def _prepare(rows: Sequence[Project], context: Context) -> None:
    context.resource_counts.update(await projects.workspace_counts(context.session, rows))
    for row in rows:
        context.held[row.id] = await permissions(context.session, context.actor, row.place)
        organization = await context.session.get_one(Organization, row.organization_id)
        context.organization_names[row.organization_id] = organization.name


async def _by_ids(ids: Sequence[str], context: Context) -> list[Project]:
    return await seen(lambda each: projects.get_project(context.session, context.actor, each), ids)


PROJECTS = Resource[Project, Context](
    TFE,
    "projects",
    ProjectAttributes,
    relationships=[
        ToOne(
            "organization",
            "organizations",
            id=lambda p, context: context.organization_names[p.organization_id],
        )
    ],
    url="/api/v2/projects/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("filter[names]", "q"),
)


class ProjectInput(Kebab):
    """What a client gives of a project."""

    name: str | None = None
    description: str | None = None


PROJECT = Input(TFE, "projects", ProjectInput, many={"tag_bindings": "tag-bindings"})
One = Annotated[Query, Depends(PROJECTS.query)]
Sent = Annotated[Body[ProjectInput], Depends(PROJECT)]


@router.get("/organizations/{organization}/projects")
async def list_of_organization(
    organization: str,
    query: Annotated[ListQuery, Depends(PROJECTS.list_query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    names, search = query.values("filter[names]"), query.text("q")
    found = await projects.list_projects(
        session, actor, owner, names=names, search=search, page=query.page
    )
    return await PROJECTS.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/projects", status_code=201)
async def create(organization: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    project = await projects.create_project(
        session,
        actor,
        owner,
        ProjectSettings(name=body.attributes.name, description=body.attributes.description),
        tags=sent_bindings(body) or (),
    )
    return await PROJECTS.one(project, query, context)


@router.get("/projects/{project_id}")
async def read(project_id: str, query: One, context: CurrentContext) -> Response:
    project = await projects.get_project(context.session, context.actor, project_id)
    return await PROJECTS.one(project, query, context)


@router.patch("/projects/{project_id}")
async def update(project_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    project = await projects.get_project(session, actor, project_id)
    settings = ProjectSettings(name=body.attributes.name, description=body.attributes.description)
    bindings = sent_bindings(body)
    project = await projects.update_project(session, actor, project, settings)
    if bindings is not None:
        await tags.replace_bindings(session, actor, project, bindings)
    return await PROJECTS.one(project, query, context)


@router.delete("/projects/{project_id}", status_code=204)
async def delete(project_id: str, context: CurrentContext) -> Response:
    project = await projects.get_project(context.session, context.actor, project_id)
    await projects.delete_project(context.session, context.actor, project)
    return Response(status_code=204)


@router.get("/projects/{project_id}/tag-bindings")
async def tag_bindings(project_id: str, query: BindingList, context: CurrentContext) -> Response:
    project = await projects.get_project(context.session, context.actor, project_id)
    rows = await tags.bindings_of(context.session, context.actor, project)
    return await TAG_BINDINGS.many(rows, query, context)


@router.patch("/projects/{project_id}/tag-bindings")
async def update_tag_bindings(
    project_id: str,
    body: Annotated[tuple[Body[TagPair], ...], Depends(BINDINGS)],
    query: BindingList,
    context: CurrentContext,
) -> Response:
    project = await projects.get_project(context.session, context.actor, project_id)
    pairs = [Tag(each.attributes.key, each.attributes.value or "") for each in body]
    rows = await tags.update_bindings(context.session, context.actor, project, pairs)
    return await TAG_BINDINGS.many(rows, query, context)
