"""TFE variable sets, and where they apply. Stacks are not offered, so nothing applies to one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access.permissions import Permission
from landform.access.service import permissions
from landform.api.jsonapi import (
    Attributes,
    Body,
    Identifier,
    Input,
    Kebab,
    ListInput,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    given,
    reads,
    seen,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.variables import VariableInput, settings_of
from landform.kit.errors import InvalidError
from landform.organizations.models import Organization
from landform.variables import queries, service, set_queries, sets
from landform.variables.models import VariableSet
from landform.variables.queries import ShownVariable
from landform.variables.sets import SetSettings
from landform.workspaces import organizations, projects
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Project

router = new_router()


class Permissions(Kebab):
    """What the present user may do to the variable set."""

    can_update: bool


def _permissions(row: VariableSet, context: Context) -> Permissions:
    return Permissions(can_update=Permission.WRITE_VARIABLE_SETS in context.held[row.id])


class SetAttributes(Attributes[VariableSet]):
    """Variables that several workspaces share."""

    description: str
    is_global: bool = reads("is_global", name="global")
    name: str
    permissions: Permissions = reads(_permissions)
    priority: bool = reads("is_priority")
    project_count: int = reads(lambda row, context: len(context.reaches[row.id].projects))
    updated_at: datetime
    var_count: int = reads(lambda row, context: len(context.reaches[row.id].variable_ids))
    workspace_count: int = reads(lambda row, context: len(context.reaches[row.id].workspaces))


async def _prepare(rows: Sequence[VariableSet], context: Context) -> None:
    session, actor = context.session, context.actor
    context.reaches.update(await set_queries.reach_of(session, actor, rows))
    for row in rows:
        context.held[row.id] = await permissions(session, actor, row.place)
        organization = await session.get_one(Organization, row.organization_id)
        context.organization_names[row.organization_id] = organization.name


async def _by_ids(ids: Sequence[str], context: Context) -> list[VariableSet]:
    return await seen(lambda each: set_queries.get_set(context.session, context.actor, each), ids)


async def _variables(
    rows: Sequence[VariableSet], context: Context
) -> dict[str, Sequence[ShownVariable]]:
    keyring = context.process.platform.keyring
    return {
        row.id: await queries.list_variables(context.session, keyring, context.actor, row)
        for row in rows
    }


def _owner(row: VariableSet, context: Context) -> Identifier:
    if row.project_id is not None:
        return Identifier("projects", row.project_id)
    return Identifier("organizations", context.organization_names[row.organization_id])


VARSETS = Resource[VariableSet, Context](
    TFE,
    "varsets",
    SetAttributes,
    relationships=[
        ToOne(
            "organization",
            "organizations",
            id=lambda row, context: context.organization_names[row.organization_id],
        ),
        ToOne("parent", ("organizations", "projects"), id=_owner),
        ToMany(
            "vars",
            "vars",
            ids=lambda row, context: context.reaches[row.id].variable_ids,
            load=_variables,
            eager=False,
        ),
        ToMany(
            "workspaces",
            "workspaces",
            ids=lambda row, context: [each.id for each in context.reaches[row.id].workspaces],
        ),
        ToMany(
            "projects",
            "projects",
            ids=lambda row, context: [each.id for each in context.reaches[row.id].projects],
        ),
    ],
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("q", "filter[global]"),
)


class SetInput(Kebab, rename={"is_global": "global"}):
    """What a client gives of a variable set."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    is_global: bool | UnsetType | None = UNSET
    priority: bool | UnsetType | None = UNSET


class Named(Kebab):
    """A workspace or a project, named by its id."""


VARSET = Input(
    TFE,
    "varsets",
    SetInput,
    one={"parent": ("organizations", "projects")},
    many={"workspaces": "workspaces", "projects": "projects", "vars": "vars"},
)
WORKSPACE_LIST = ListInput(TFE, "workspaces", Named)
PROJECT_LIST = ListInput(TFE, "projects", Named)
One = Annotated[Query, Depends(VARSETS.query)]
Listed = Annotated[ListQuery, Depends(VARSETS.list_query)]
Sent = Annotated[Body[SetInput], Depends(VARSET)]
SentWorkspaces = Annotated[tuple[Body[Named], ...], Depends(WORKSPACE_LIST)]
SentProjects = Annotated[tuple[Body[Named], ...], Depends(PROJECT_LIST)]


@router.get("/organizations/{organization}/varsets")
async def list_of_organization(
    organization: str, query: Listed, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    wanted = query.text("filter[global]").lower()
    found = await set_queries.list_sets(
        session,
        actor,
        owner,
        search=query.text("q"),
        is_global=None if not wanted else wanted == "true",
        page=query.page,
    )
    return await VARSETS.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/varsets", status_code=201)
async def create(organization: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    row = await sets.create_set(
        session, actor, owner, _settings(body), project=await _parent(owner, body, context)
    )
    await _apply(row, body, context)
    for each in body.many("vars"):
        keyring = context.process.platform.keyring
        settings = settings_of(each.read(VariableInput))
        await service.create_variable(session, keyring, actor, row, settings)
    return await VARSETS.one(row, query, context)


@router.get("/varsets/{varset_id}")
async def read(varset_id: str, query: One, context: CurrentContext) -> Response:
    row = await set_queries.get_set(context.session, context.actor, varset_id)
    return await VARSETS.one(row, query, context)


@router.patch("/varsets/{varset_id}")
async def update(varset_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    row = await set_queries.get_set(session, actor, varset_id)
    row = await sets.update_set(session, actor, row, _settings(body))
    await _apply(row, body, context)
    return await VARSETS.one(row, query, context)


@router.post("/varsets/{varset_id}")
async def update_by_post(
    varset_id: str, body: Sent, query: One, context: CurrentContext
) -> Response:
    return await update(varset_id, body, query, context)


@router.delete("/varsets/{varset_id}", status_code=204)
async def delete(varset_id: str, context: CurrentContext) -> Response:
    row = await set_queries.get_set(context.session, context.actor, varset_id)
    await sets.delete_set(context.session, context.actor, row)
    return Response(status_code=204)


@router.post("/varsets/{varset_id}/relationships/workspaces", status_code=204)
async def add_workspaces(varset_id: str, body: SentWorkspaces, context: CurrentContext) -> Response:
    row = await set_queries.get_set(context.session, context.actor, varset_id)
    await sets.apply_to_workspaces(context.session, context.actor, row, _ids(body))
    return Response(status_code=204)


@router.delete("/varsets/{varset_id}/relationships/workspaces", status_code=204)
async def remove_workspaces(
    varset_id: str, body: SentWorkspaces, context: CurrentContext
) -> Response:
    row = await set_queries.get_set(context.session, context.actor, varset_id)
    await sets.withdraw_from_workspaces(context.session, context.actor, row, _ids(body))
    return Response(status_code=204)


@router.post("/varsets/{varset_id}/relationships/projects", status_code=204)
async def add_projects(varset_id: str, body: SentProjects, context: CurrentContext) -> Response:
    row = await set_queries.get_set(context.session, context.actor, varset_id)
    await sets.apply_to_projects(context.session, context.actor, row, _ids(body))
    return Response(status_code=204)


@router.delete("/varsets/{varset_id}/relationships/projects", status_code=204)
async def remove_projects(varset_id: str, body: SentProjects, context: CurrentContext) -> Response:
    row = await set_queries.get_set(context.session, context.actor, varset_id)
    await sets.withdraw_from_projects(context.session, context.actor, row, _ids(body))
    return Response(status_code=204)


@router.get("/workspaces/{workspace_id}/varsets")
async def list_of_workspace(workspace_id: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    found = await set_queries.sets_of_workspace(
        session, actor, workspace, search=query.text("q"), page=query.page
    )
    return await VARSETS.many(found.items, query, context, total=found.total)


@router.get("/workspaces/{workspace_id}/applicable-varsets")
async def list_applicable(workspace_id: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    found = await set_queries.applicable_sets(
        session, actor, workspace, search=query.text("q"), page=query.page
    )
    return await VARSETS.many(found.items, query, context, total=found.total)


@router.get("/projects/{project_id}/varsets")
async def list_of_project(project_id: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    project = await projects.get_project(session, actor, project_id)
    found = await set_queries.sets_of_project(
        session, actor, project, search=query.text("q"), page=query.page
    )
    return await VARSETS.many(found.items, query, context, total=found.total)


def _settings(body: Body[SetInput]) -> SetSettings:
    sent: dict[str, Any] = {k: v for k, v in given(body.attributes).items() if v is not None}
    if "priority" in sent:
        sent["is_priority"] = sent.pop("priority")
    return SetSettings(**sent)


async def _parent(
    organization: Organization, body: Body[SetInput], context: Context
) -> Project | None:
    linked = body.one("parent")
    if linked is None or linked.kind == "organizations":
        if linked is not None and linked.id.lower() != organization.name.lower():
            raise InvalidError(f"The parent is {organization.name} or a project in it.")
        return None
    return await projects.get_project(context.session, context.actor, linked.id)


async def _apply(row: VariableSet, body: Body[SetInput], context: Context) -> None:
    """Apply the set to just the places that are named; those not mentioned stay as they are."""
    session, actor = context.session, context.actor
    if body.mentions("workspaces"):
        ids = [each.id for each in body.many("workspaces")]
        await sets.replace_workspaces(session, actor, row, ids)
    if body.mentions("projects"):
        ids = [each.id for each in body.many("projects")]
        await sets.replace_projects(session, actor, row, ids)


def _ids(body: tuple[Body[Named], ...]) -> list[str]:
    return [each.id for each in body]
