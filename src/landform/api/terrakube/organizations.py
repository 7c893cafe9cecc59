"""Terrakube's `organization`. Facts: terrakube_backend.md §1.4, terrakube_user.md §5."""

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
    ToMany,
    given,
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
    refuse_set,
    selection_of,
)
from landform.organizations.models import Organization
from landform.organizations.service import OrganizationSettings
from landform.workspaces import organizations

router = new_router()

_NOT_OFFERED: Final = {
    "description": "An organization has no description here; leave it out.",
    "icon": "An organization has no icon here; leave it out.",
}
_FIELDS: Final = {
    "id": Field("id"),
    "name": Field("name"),
    "executionMode": Field("default_execution_mode"),
    "createdDate": Field("created_at"),
}


class OrganizationAttributes(Attributes[Organization]):
    """A tenant. `executionMode` is what its new workspaces start with."""

    name: str
    disabled: bool = reads(lambda _: False)
    execution_mode: str = reads("default_execution_mode")
    created_date: datetime = reads("created_at")


async def _by_ids(ids: Sequence[str], context: Context) -> list[Organization]:
    return await seen(
        lambda each: organizations.by_id_or_name(context.session, context.actor, each), ids
    )


_BELOW: Final = "/api/v1/organization/{id}/"

ORGANIZATION = Resource[Organization, Context](
    TERRAKUBE,
    "organization",
    OrganizationAttributes,
    relationships=[
        ToMany(kind, kind, related=f"{_BELOW}{kind}")
        for kind in ("workspace", "project", "team", "job", "template", "vcs")
    ],
    by_ids=_by_ids,
    sorts=("name", "execution_mode", "created_date"),
    filters=("filter", "filter[organization]"),
)


class OrganizationInput(Camel):
    """What a client gives of an organization; `disabled: true` deletes it."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    execution_mode: str | UnsetType | None = UNSET
    icon: str | UnsetType | None = UNSET
    disabled: bool | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "organization", OrganizationInput)
One = Annotated[Query, Depends(ORGANIZATION.query)]
Sent = Annotated[Body[OrganizationInput], Depends(INPUT)]

_ONE: Final = "/organization/{organization_id}"


@router.get("/organization")
async def list_all(
    query: Annotated[ListQuery, Depends(ORGANIZATION.list_query)], context: CurrentContext
) -> Response:
    found = await organizations.list_organizations(
        context.session,
        context.actor,
        selection=selection_of(query, "organization", _FIELDS),
        page=query.page,
    )
    return await ORGANIZATION.many(found.items, query, context, total=found.total)


@router.post("/organization", status_code=201)
async def create(body: Sent, query: One, context: CurrentContext) -> Response:
    sent = body.attributes
    refuse_set(_NOT_OFFERED, given(sent))
    row = await organizations.create_organization(
        context.session,
        context.actor,
        name=sent.name or "",
        default_execution_mode=sent.execution_mode or None,
    )
    return await ORGANIZATION.one(row, query, context)


@router.get(_ONE)
async def read(organization: CurrentOrganization, query: One, context: CurrentContext) -> Response:
    return await ORGANIZATION.one(organization, query, context)


@router.patch(_ONE, status_code=204)
async def update(
    organization: CurrentOrganization, body: Sent, context: CurrentContext
) -> Response:
    """Change it, or delete it: what else a client says of one that it deletes is of no use."""
    sent = body.attributes
    if sent.disabled is True:
        await organizations.delete_organization(context.session, context.actor, organization)
        return Response(status_code=204)
    refuse_set(_NOT_OFFERED, given(sent))
    settings = OrganizationSettings(
        name=sent.name or None, default_execution_mode=sent.execution_mode or None
    )
    await organizations.update_organization(context.session, context.actor, organization, settings)
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(organization: CurrentOrganization, context: CurrentContext) -> Response:
    await organizations.delete_organization(context.session, context.actor, organization)
    return Response(status_code=204)
