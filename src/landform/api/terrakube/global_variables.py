"""Terrakube's `globalvar`: the variables of an organization's global variable sets.

Facts: terrakube_backend.md §1.4. All of them are listed and changed; what is made goes into the set
called `Organization variables`, which is made with the first.
"""

from typing import Annotated, Final

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, Body, Input, ListQuery, Query, Resource, ToOne, reads
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    new_router,
    selection_of,
)
from landform.api.terrakube.variables import FIELDS, VariableInput, settings_of
from landform.organizations.models import Organization
from landform.variables import queries, service, sets
from landform.variables.models import VariableSet
from landform.variables.queries import ShownVariable

router = new_router()


class GlobalAttributes(Attributes[ShownVariable]):
    """One input of every run of the organization; the value of a sensitive one is null."""

    key: str = reads("row.key")
    value: str | None
    description: str = reads("row.description")
    category: str = reads(lambda shown: shown.row.category.upper())
    sensitive: bool = reads("row.sensitive")
    hcl: bool = reads("row.hcl")


GLOBALVAR = Resource[ShownVariable, Context](
    TERRAKUBE,
    "globalvar",
    GlobalAttributes,
    key="row.id",
    relationships=[
        ToOne(
            "organization",
            "organization",
            id=lambda shown, context: context.organization_ids[shown.row.id],
        )
    ],
    sorts=("key", "category"),
    filters=("filter", "filter[globalvar]"),
)


class GlobalInput(VariableInput):
    """What a client gives of a variable of the organization."""


INPUT = Input(TERRAKUBE, "globalvar", GlobalInput)
One = Annotated[Query, Depends(GLOBALVAR.query)]
Sent = Annotated[Body[GlobalInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/globalvar"
_ONE: Final = _PATH + "/{variable_id}"


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(GLOBALVAR.list_query)],
    context: CurrentContext,
) -> Response:
    found = await queries.select_global(
        context.session,
        context.process.platform.keyring,
        context.actor,
        organization,
        selection_of(query, "globalvar", FIELDS),
        query.page,
    )
    for each in found.items:
        context.organization_ids[each.row.id] = organization.id
    return await GLOBALVAR.many(found.items, query, context, total=found.total)


@router.post(_PATH, status_code=201)
async def create(
    organization: CurrentOrganization, body: Sent, query: One, context: CurrentContext
) -> Response:
    session, actor, keyring = context.session, context.actor, context.process.platform.keyring
    owner = await sets.organizations_own(session, actor, organization)
    settings = settings_of(body.attributes)
    shown = await service.create_variable(session, keyring, actor, owner, settings)
    context.organization_ids[shown.row.id] = organization.id
    return await GLOBALVAR.one(shown, query, context)


@router.get(_ONE)
async def read(
    organization: CurrentOrganization, variable_id: str, query: One, context: CurrentContext
) -> Response:
    keyring = context.process.platform.keyring
    owner = await _owner(organization, variable_id, context)
    shown = await queries.get_variable(context.session, keyring, context.actor, owner, variable_id)
    context.organization_ids[shown.row.id] = organization.id
    return await GLOBALVAR.one(shown, query, context)


@router.patch(_ONE, status_code=204)
async def update(
    organization: CurrentOrganization, variable_id: str, body: Sent, context: CurrentContext
) -> Response:
    session, actor, keyring = context.session, context.actor, context.process.platform.keyring
    owner = await _owner(organization, variable_id, context)
    settings = settings_of(body.attributes)
    await service.update_variable(session, keyring, actor, owner, variable_id, settings)
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(
    organization: CurrentOrganization, variable_id: str, context: CurrentContext
) -> Response:
    owner = await _owner(organization, variable_id, context)
    await service.delete_variable(context.session, context.actor, owner, variable_id)
    return Response(status_code=204)


async def _owner(organization: Organization, variable_id: str, context: Context) -> VariableSet:
    return await queries.global_set_with(context.session, context.actor, organization, variable_id)
