"""TFE variables, of workspaces and of variable sets."""

from typing import Annotated

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Identifier,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    given,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.contract import Category
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.variables import queries, service, set_queries
from landform.variables.queries import ShownVariable
from landform.variables.service import VariableSettings
from landform.workspaces import queries as workspaces

router = new_router()


class VariableAttributes(Attributes[ShownVariable]):
    """One input of runs; the value of a sensitive one is null."""

    category: Category = reads("row.category")
    description: str = reads("row.description")
    hcl: bool = reads("row.hcl")
    key: str = reads("row.key")
    sensitive: bool = reads("row.sensitive")
    value: str | None
    version_id: str = reads("row.version_id")


def _configurable(shown: ShownVariable) -> Identifier:
    row = shown.row
    if row.workspace_id is not None:
        return Identifier("workspaces", row.workspace_id)
    return Identifier("varsets", str(row.variable_set_id))


def _overwriter(shown: ShownVariable, context: Context) -> str | UnsetType | None:
    """Return the variable that a workspace's runs get instead; told where one is asked about."""
    return context.overwriters.get(shown.row.id, UNSET)


def _overwritten(shown: ShownVariable, context: Context) -> list[str] | UnsetType:
    return context.overwritten.get(shown.row.id, UNSET)


VARIABLES = Resource[ShownVariable, Context](
    TFE,
    "vars",
    VariableAttributes,
    key="row.id",
    relationships=[
        ToOne("configurable", ("workspaces", "varsets"), id=_configurable),
        ToOne("varset", "varsets", id=lambda shown: shown.row.variable_set_id or UNSET),
        ToOne("overwriter", "vars", id=_overwriter),
        ToMany("overwritten", "vars", ids=_overwritten),
    ],
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
    """Answer with every variable a run would get, also from variable sets."""
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    rows = await queries.effective(session, _keyring(context), actor, workspace)
    return await VARIABLES.many(rows, query, context)


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


@router.get("/varsets/{varset_id}/relationships/vars")
async def list_of_set(varset_id: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await set_queries.get_set(session, actor, varset_id)
    rows = await queries.list_variables(session, _keyring(context), actor, owner)
    return await VARIABLES.many(rows, query, context)


@router.post("/varsets/{varset_id}/relationships/vars", status_code=201)
async def create_in_set(
    varset_id: str, body: Sent, query: One, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    owner = await set_queries.get_set(session, actor, varset_id)
    shown = await service.create_variable(session, _keyring(context), actor, owner, _settings(body))
    return await VARIABLES.one(shown, query, context)


@router.get("/varsets/{varset_id}/relationships/vars/{variable_id}")
async def read_of_set(
    varset_id: str, variable_id: str, query: One, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    owner = await set_queries.get_set(session, actor, varset_id)
    shown = await queries.get_variable(session, _keyring(context), actor, owner, variable_id)
    return await VARIABLES.one(shown, query, context)


@router.patch("/varsets/{varset_id}/relationships/vars/{variable_id}")
async def update_in_set(
    varset_id: str, variable_id: str, body: Sent, query: One, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    owner = await set_queries.get_set(session, actor, varset_id)
    shown = await service.update_variable(
        session, _keyring(context), actor, owner, variable_id, _settings(body)
    )
    return await VARIABLES.one(shown, query, context)


@router.delete("/varsets/{varset_id}/relationships/vars/{variable_id}", status_code=204)
async def delete_in_set(varset_id: str, variable_id: str, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await set_queries.get_set(session, actor, varset_id)
    await service.delete_variable(session, actor, owner, variable_id)
    return Response(status_code=204)


@router.get("/workspaces/{workspace_id}/varsets/{varset_id}/relationships/vars")
async def list_inherited(
    workspace_id: str, varset_id: str, query: Listed, context: CurrentContext
) -> Response:
    rows = await _inherited(workspace_id, varset_id, context)
    return await VARIABLES.many(rows, query, context)


@router.get("/workspaces/{workspace_id}/varsets/{varset_id}/relationships/vars/{variable_id}")
async def read_inherited(
    workspace_id: str, varset_id: str, variable_id: str, query: One, context: CurrentContext
) -> Response:
    rows = await _inherited(workspace_id, varset_id, context)
    found = next((each for each in rows if each.row.id == variable_id), None)
    if found is None:
        raise NotFoundError(f"There is no variable {variable_id} in {varset_id}.")
    return await VARIABLES.one(found, query, context)


async def _inherited(workspace_id: str, varset_id: str, context: Context) -> list[ShownVariable]:
    """Return a set's variables as a workspace gets them, and note which goes before which."""
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    standings = await queries.standings(session, _keyring(context), actor, workspace)
    for each in standings:
        winner = None if each.beaten_by is None else each.beaten_by.row.id
        context.overwriters[each.shown.row.id] = winner
        context.overwritten.setdefault(each.shown.row.id, [])
        if winner is not None:
            context.overwritten.setdefault(winner, []).append(each.shown.row.id)
    sources = {each.candidate.source.row.id for each in standings if each.candidate.source}
    if varset_id not in sources:
        found = await set_queries.get_set(session, actor, varset_id)
        applied = await set_queries.applied_to(session, workspace)
        if found.id not in {each.row.id for each in applied}:
            raise NotFoundError(f"Variable set {varset_id} does not apply to {workspace.name}.")
    return [each.shown for each in standings if each.shown.row.variable_set_id == varset_id]


def _keyring(context: Context) -> Keyring:
    return context.process.platform.keyring


def _settings(body: Body[VariableInput]) -> VariableSettings:
    return settings_of(body.attributes)


def settings_of(sent: VariableInput) -> VariableSettings:
    """Return what a client gives; null means "leave it"."""
    return VariableSettings(**{k: v for k, v in given(sent).items() if v is not None})
