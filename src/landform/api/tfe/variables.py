"""TFE variables of workspaces."""

from typing import Annotated

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToOne,
    given,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.contract import Category
from landform.kit.crypto import Keyring
from landform.variables import queries, service
from landform.variables.queries import ShownVariable
from landform.variables.service import VariableSettings
from landform.workspaces import queries as workspaces

router = new_router()


class VariableAttributes(Attributes[ShownVariable]):
    """One input of a workspace's runs; the value of a sensitive one is null."""

    category: Category = reads("row.category")
    description: str = reads("row.description")
    hcl: bool = reads("row.hcl")
    key: str = reads("row.key")
    sensitive: bool = reads("row.sensitive")
    value: str | None
    version_id: str = reads("row.version_id")


VARIABLES = Resource[ShownVariable, Context](
    TFE,
    "vars",
    VariableAttributes,
    key="row.id",
    relationships=[ToOne("configurable", "workspaces", id="row.workspace_id")],
)


class VariableInput(Kebab):
    """What a client gives of a variable."""

    key: str | UnsetType | None = UNSET
    value: str | UnsetType | None = UNSET
    category: str | UnsetType | None = UNSET
    hcl: bool | UnsetType | None = UNSET
    sensitive: bool | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


VARIABLE = Input(TFE, "vars", VariableInput)
One = Annotated[Query, Depends(VARIABLES.query)]
Listed = Annotated[ListQuery, Depends(VARIABLES.list_query)]
Sent = Annotated[Body[VariableInput], Depends(VARIABLE)]


@router.get("/workspaces/{workspace_id}/vars")
async def list_of_workspace(workspace_id: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    rows = await queries.list_variables(session, _keyring(context), actor, workspace)
    return await VARIABLES.many(rows, query, context)


@router.get("/workspaces/{workspace_id}/all-vars")
async def list_all(workspace_id: str, query: Listed, context: CurrentContext) -> Response:
    """Answer with every variable a run would get; there are no variable sets yet."""
    return await list_of_workspace(workspace_id, query, context)


@router.post("/workspaces/{workspace_id}/vars", status_code=201)
async def create(workspace_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    shown = await service.create_variable(
        session, _keyring(context), actor, workspace, _settings(body)
    )
    return await VARIABLES.one(shown, query, context)


@router.get("/workspaces/{workspace_id}/vars/{variable_id}")
async def read(
    workspace_id: str, variable_id: str, query: One, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    shown = await queries.get_variable(session, _keyring(context), actor, workspace, variable_id)
    return await VARIABLES.one(shown, query, context)


@router.patch("/workspaces/{workspace_id}/vars/{variable_id}")
async def update(
    workspace_id: str, variable_id: str, body: Sent, query: One, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    shown = await service.update_variable(
        session, _keyring(context), actor, workspace, variable_id, _settings(body)
    )
    return await VARIABLES.one(shown, query, context)


@router.delete("/workspaces/{workspace_id}/vars/{variable_id}", status_code=204)
async def delete(workspace_id: str, variable_id: str, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    await service.delete_variable(session, actor, workspace, variable_id)
    return Response(status_code=204)


def _keyring(context: Context) -> Keyring:
    return context.process.platform.keyring


def _settings(body: Body[VariableInput]) -> VariableSettings:
    return VariableSettings(**{k: v for k, v in given(body.attributes).items() if v is not None})
