"""TFE organizations, what they are entitled to, and how busy they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response

from landform.access.permissions import Permission, Place
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
from landform.organizations.models import Organization
from landform.organizations.service import OrganizationSettings
from landform.runs import queries as runs
from landform.runs.queries import Capacity
from landform.workspaces import organizations

router = new_router()


class Permissions(Kebab):
    """What the present user may do in the organization."""

    can_update: bool
    can_destroy: bool
    can_create_team: bool
    can_create_workspace: bool
    can_create_project: bool
    can_manage_users: bool
    can_update_api_token: bool


def _permissions(organization: Organization, context: Context) -> Permissions:
    held = context.held[organization.id]
    return Permissions(
        can_update=Permission.UPDATE_ORGANIZATION in held,
        can_destroy=Permission.DELETE_ORGANIZATION in held,
        can_create_team=Permission.MANAGE_TEAMS in held,
        can_create_workspace=Permission.CREATE_WORKSPACE in held,
        can_create_project=Permission.CREATE_PROJECT in held,
        can_manage_users=Permission.MANAGE_MEMBERSHIP in held,
        can_update_api_token=Permission.MANAGE_ORGANIZATION_TOKEN in held,
    )


class OrganizationAttributes(Attributes[Organization]):
    """A tenant."""

    allow_force_delete_workspaces: bool
    assessments_enforced: bool = reads(lambda _: False)
    cost_estimation_enabled: bool = reads(lambda _: False)
    created_at: datetime
    default_execution_mode: str
    email: str
    external_id: str = reads("id")
    max_token_days: int | None
    name: str
    permissions: Permissions = reads(_permissions)


async def _prepare(rows: Sequence[Organization], context: Context) -> None:
    for row in rows:
        place = Place(organization_id=row.id)
        context.held[row.id] = await permissions(context.session, context.actor, place)


async def _by_ids(names: Sequence[str], context: Context) -> list[Organization]:
    return await seen(
        lambda name: organizations.by_name(context.session, context.actor, name), names
    )


ORGANIZATIONS = Resource[Organization, Context](
    TFE,
    "organizations",
    OrganizationAttributes,
    key="name",
    relationships=[
        ToOne("default_project", "projects"),
        ToOne("default_agent_pool", "agent-pools"),
        ToOne("entitlement_set", "entitlement-sets", id="id"),
    ],
    url="/api/v2/organizations/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("search[name]",),
)


class EntitlementAttributes(Attributes[Organization]):
    """What is offered here: true for what works, false for what does not yet."""

    agents: bool = reads(lambda _: True)
    audit_logging: bool = reads(lambda _: True)
    configuration_designer: bool = reads(lambda _: False)
    cost_estimation: bool = reads(lambda _: False)
    global_run_tasks: bool = reads(lambda _: False)
    operations: bool = reads(lambda _: True)
    policy_enforcement: bool = reads(lambda _: False)
    private_module_registry: bool = reads(lambda _: False)
    private_run_tasks: bool = reads(lambda _: False)
    run_tasks: bool = reads(lambda _: False)
    self_serve_billing: bool = reads(lambda _: False)
    sentinel: bool = reads(lambda _: False)
    sso: bool = reads(lambda _: True)
    state_storage: bool = reads(lambda _: True)
    teams: bool = reads(lambda _: True)
    usage_reporting: bool = reads(lambda _: False)
    user_limit: int | None = reads(lambda _: None)
    vcs_integrations: bool = reads(lambda _: True)


ENTITLEMENTS = Resource[Organization, Context](TFE, "entitlement-sets", EntitlementAttributes)


class CapacityAttributes(Attributes[Capacity]):
    """How many runs wait and work."""

    pending: int
    running: int


CAPACITY = Resource[Capacity, Context](
    TFE, "organization-capacity", CapacityAttributes, key="organization_id"
)


class OrganizationInput(Kebab):
    """What a client gives of an organization; of `max-token-days`, which is ours, 0 is no limit."""

    name: str | None = None
    email: str | None = None
    default_execution_mode: str | None = None
    allow_force_delete_workspaces: bool | None = None
    max_token_days: int | None = None


ORGANIZATION = Input(
    TFE, "organizations", OrganizationInput, one={"default_agent_pool": "agent-pools"}
)
One = Annotated[Query, Depends(ORGANIZATIONS.query)]
Sent = Annotated[Body[OrganizationInput], Depends(ORGANIZATION)]


@router.get("/organizations")
async def list_all(
    query: Annotated[ListQuery, Depends(ORGANIZATIONS.list_query)], context: CurrentContext
) -> Response:
    found = await organizations.list_organizations(
        context.session, context.actor, search=query.text("search[name]"), page=query.page
    )
    return await ORGANIZATIONS.many(found.items, query, context, total=found.total)


@router.post("/organizations", status_code=201)
async def create(body: Sent, query: One, context: CurrentContext) -> Response:
    sent = body.attributes
    organization = await organizations.create_organization(
        context.session,
        context.actor,
        name=sent.name or "",
        email=sent.email or "",
        default_execution_mode=sent.default_execution_mode,
        allow_force_delete_workspaces=sent.allow_force_delete_workspaces,
    )
    if sent.max_token_days:
        limit = OrganizationSettings(max_token_days=sent.max_token_days)
        await organizations.update_organization(context.session, context.actor, organization, limit)
    return await ORGANIZATIONS.one(organization, query, context)


@router.get("/organizations/{name}")
async def read(name: str, query: One, context: CurrentContext) -> Response:
    organization = await organizations.by_name(context.session, context.actor, name)
    return await ORGANIZATIONS.one(organization, query, context)


@router.patch("/organizations/{name}")
async def update(name: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor, sent = context.session, context.actor, body.attributes
    organization = await organizations.by_name(session, actor, name)
    pool = body.one("default_agent_pool")
    settings = OrganizationSettings(
        name=sent.name,
        email=sent.email,
        default_execution_mode=sent.default_execution_mode,
        default_agent_pool_id=pool.id if pool else None,
        allow_force_delete_workspaces=sent.allow_force_delete_workspaces,
        max_token_days=sent.max_token_days,
    )
    await organizations.update_organization(session, actor, organization, settings)
    return await ORGANIZATIONS.one(organization, query, context)


@router.delete("/organizations/{name}", status_code=204)
async def delete(name: str, context: CurrentContext) -> Response:
    organization = await organizations.by_name(context.session, context.actor, name)
    await organizations.delete_organization(context.session, context.actor, organization)
    return Response(status_code=204)


@router.get("/organizations/{name}/entitlement-set")
async def entitlements(
    name: str, query: Annotated[Query, Depends(ENTITLEMENTS.query)], context: CurrentContext
) -> Response:
    organization = await organizations.by_name(context.session, context.actor, name)
    return await ENTITLEMENTS.one(organization, query, context)


@router.get("/organizations/{name}/capacity")
async def capacity(
    name: str, query: Annotated[Query, Depends(CAPACITY.query)], context: CurrentContext
) -> Response:
    organization = await organizations.by_name(context.session, context.actor, name)
    return await CAPACITY.one(await runs.capacity(context.session, organization), query, context)
