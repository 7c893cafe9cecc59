"""Terrakube's `variable` of a workspace. Facts: terrakube_backend.md §1.4, terrakube_user.md §5."""

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
    given,
    reads,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentWorkspace,
    new_router,
    selection_of,
)
from landform.kit.crypto import Keyring
from landform.variables import queries, service
from landform.variables.queries import ShownVariable
from landform.variables.service import VariableSettings

router = new_router()

FIELDS: Final = {
    "id": Field("id"),
    "key": Field("key"),
    "category": Field("category", lambda word: (word.lower(),)),
    "description": Field("description"),
    "hcl": Field("hcl"),
    "sensitive": Field("sensitive"),
    "createdDate": Field("created_at"),
}


class VariableAttributes(Attributes[ShownVariable]):
    """One input of a workspace's runs; the value of a sensitive one is null."""

    key: str = reads("row.key")
    value: str | None
    description: str = reads("row.description")
    category: str = reads(lambda shown: shown.row.category.upper())
    sensitive: bool = reads("row.sensitive")
    hcl: bool = reads("row.hcl")
    created_date: datetime = reads("row.created_at")


VARIABLE = Resource[ShownVariable, Context](
    TERRAKUBE,
    "variable",
    VariableAttributes,
    key="row.id",
    relationships=[ToOne("workspace", "workspace", id="row.workspace_id")],
    sorts=("key", "category", "created_date"),
    filters=("filter", "filter[variable]"),
)


class VariableInput(Camel):
    """What a client gives of a variable."""

    key: str | UnsetType | None = UNSET
    value: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    category: str | UnsetType | None = UNSET
    sensitive: bool | UnsetType | None = UNSET
    hcl: bool | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "variable", VariableInput)
One = Annotated[Query, Depends(VARIABLE.query)]
Sent = Annotated[Body[VariableInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/workspace/{workspace_id}/variable"
_ONE: Final = _PATH + "/{variable_id}"


@router.get(_PATH)
async def list_of_workspace(
    workspace: CurrentWorkspace,
    query: Annotated[ListQuery, Depends(VARIABLE.list_query)],
    context: CurrentContext,
) -> Response:
    found = await queries.select_variables(
        context.session,
        _keyring(context),
        context.actor,
        workspace,
        selection_of(query, "variable", FIELDS),
        query.page,
    )
    return await VARIABLE.many(found.items, query, context, total=found.total)


@router.post(_PATH, status_code=201)
async def create(
    workspace: CurrentWorkspace, body: Sent, query: One, context: CurrentContext
) -> Response:
    shown = await service.create_variable(
        context.session, _keyring(context), context.actor, workspace, _settings(body)
    )
    return await VARIABLE.one(shown, query, context)


@router.get(_ONE)
async def read(
    workspace: CurrentWorkspace, variable_id: str, query: One, context: CurrentContext
) -> Response:
    shown = await queries.get_variable(
        context.session, _keyring(context), context.actor, workspace, variable_id
    )
    return await VARIABLE.one(shown, query, context)


@router.patch(_ONE, status_code=204)
async def update(
    workspace: CurrentWorkspace, variable_id: str, body: Sent, context: CurrentContext
) -> Response:
    await service.update_variable(
        context.session, _keyring(context), context.actor, workspace, variable_id, _settings(body)
    )
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(
    workspace: CurrentWorkspace, variable_id: str, context: CurrentContext
) -> Response:
    await service.delete_variable(context.session, context.actor, workspace, variable_id)
    return Response(status_code=204)


def _keyring(context: Context) -> Keyring:
    return context.process.platform.keyring


def _settings(body: Body[VariableInput]) -> VariableSettings:
    return settings_of(body.attributes)


def settings_of(attributes: VariableInput) -> VariableSettings:
    """Translate Terrakube's names; null means "leave it"."""
    sent = {name: value for name, value in given(attributes).items() if value is not None}
    if sent.get("category"):
        sent["category"] = str(sent["category"]).lower()
    return VariableSettings(**sent)
