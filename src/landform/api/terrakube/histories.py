"""Terrakube's `history`, which is a state here, and the addresses of states and logs.

Facts: terrakube_backend.md §1.4, §4.3 and §4.4. There, any token reads any log; not here.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from landform.api.jsonapi import Attributes, ListQuery, Query, Resource, ToOne, reads
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentWorkspace,
    brief_context,
    find_workspace,
    new_router,
    selection_of,
)
from landform.contract import LogStream
from landform.edge.brief import BriefActor
from landform.kit.errors import NotFoundError
from landform.kit.storage import Content
from landform.logs import service as logs
from landform.runs import queries as runs
from landform.states import queries
from landform.states.models import StateStatus, StateVersion
from landform.workspaces import organizations
from landform.workspaces.models import Workspace

router = new_router()
# What is no JSON:API: a state, and the text of a log.
files = APIRouter(include_in_schema=False)

_RAW: Final = ".raw"
_FIELDS: Final = {
    "id": Field("id"),
    "jobReference": Field("run_id"),
    "serial": Field("serial"),
    "md5": Field("md5"),
    "lineage": Field("lineage"),
    "createdDate": Field("created_at"),
}


def _output(state: StateVersion, context: Context) -> str:
    organization_id = context.organization_ids[state.workspace_id]
    return (
        f"{context.base}/tfstate/v1/organization/{organization_id}"
        f"/workspace/{state.workspace_id}/state/{state.id}.json"
    )


class HistoryAttributes(Attributes[StateVersion]):
    """One state of a workspace; `output` is the address of what it holds."""

    job_reference: str | None = reads("run_id")
    output: str = reads(_output)
    serial: int
    md5: str
    lineage: str
    created_by: str
    created_date: datetime = reads("created_at")


async def _prepare(rows: Sequence[StateVersion], context: Context) -> None:
    for workspace_id in {row.workspace_id for row in rows} - context.organization_ids.keys():
        workspace = await context.session.get_one(Workspace, workspace_id)
        context.organization_ids[workspace_id] = workspace.organization_id


HISTORY = Resource[StateVersion, Context](
    TERRAKUBE,
    "history",
    HistoryAttributes,
    relationships=[ToOne("workspace", "workspace")],
    prepare=_prepare,
    sorts=("created_date", "serial"),
    filters=("filter", "filter[history]"),
)

_PATH: Final = "/organization/{organization_id}/workspace/{workspace_id}/history"
_STATES: Final = "/tfstate/v1/organization/{organization_id}/workspace/{workspace_id}/state"


@router.get(_PATH)
async def list_of_workspace(
    workspace: CurrentWorkspace,
    query: Annotated[ListQuery, Depends(HISTORY.list_query)],
    context: CurrentContext,
) -> Response:
    found = await queries.select_states(
        context.session,
        context.actor,
        workspace,
        selection_of(query, "history", _FIELDS),
        query.page,
    )
    return await HISTORY.many(found.items, query, context, total=found.total)


@router.get(_PATH + "/{history_id}")
async def read(
    workspace: CurrentWorkspace,
    history_id: str,
    query: Annotated[Query, Depends(HISTORY.query)],
    context: CurrentContext,
) -> Response:
    return await HISTORY.one(await _state(context, workspace, history_id), query, context)


@files.get(_STATES + "/terraform.tfstate")
async def download_current(
    request: Request, organization_id: str, workspace_id: str, actor: BriefActor
) -> Response:
    """Give the newest state, as terraform wrote it."""
    async with brief_context(request, actor) as context:
        workspace = await _workspace(context, organization_id, workspace_id)
        path = (await queries.current(context.session, actor, workspace)).path
    return _stream(await context.process.platform.store.open(path))


@files.get(_STATES + "/{history_id}.json")
async def download(
    request: Request, organization_id: str, workspace_id: str, history_id: str, actor: BriefActor
) -> Response:
    """Give a state as `terraform show -json` does, or, of `ID.raw`, as terraform wrote it.

    Where no client sent the JSON form, it has the outputs and no resources.
    """
    is_raw = history_id.endswith(_RAW)
    async with brief_context(request, actor) as context:
        workspace = await _workspace(context, organization_id, workspace_id)
        state = await _state(context, workspace, history_id.removesuffix(_RAW))
        if not is_raw and not state.has_json:
            return _file(json.dumps(await _outputs(context, state)).encode())
        path = state.path if is_raw else state.json_path
    return _stream(await context.process.platform.store.open(path))


@files.get("/tfoutput/v1/organization/{organization_id}/job/{job_id}/step/{step_id}")
async def read_log(
    request: Request, organization_id: str, job_id: str, step_id: str, actor: BriefActor
) -> Response:
    """Give the log of a step so far, as text."""
    async with brief_context(request, actor) as context:
        owner = await organizations.by_id_or_name(context.session, actor, organization_id)
        run = await runs.get(context.session, actor, job_id)
        phases = (await runs.phases_of(context.session, [run.id]))[run.id]
    if run.organization_id != owner.id or step_id not in [each.id for each in phases]:
        raise NotFoundError(f"There is no step {step_id} of job {job_id}.")
    platform = context.process.platform
    text = logs.chunks(platform.sessions, platform.store, phase_id=step_id, stream=LogStream.TEXT)
    return StreamingResponse(text, media_type="text/plain; charset=utf-8", headers=_HEADERS)


async def _workspace(context: Context, organization_id: str, workspace_id: str) -> Workspace:
    owner = await organizations.by_id_or_name(context.session, context.actor, organization_id)
    return await find_workspace(context, owner, workspace_id)


async def _state(context: Context, workspace: Workspace, state_id: str) -> StateVersion:
    state = await queries.get(context.session, context.actor, state_id)
    if state.workspace_id != workspace.id or state.status is not StateStatus.FINALIZED:
        raise NotFoundError(f"There is no state version {state_id}.")
    return state


async def _outputs(context: Context, state: StateVersion) -> dict[str, Any]:
    keyring = context.process.platform.keyring
    rows = await queries.outputs_of(context.session, state)
    outputs = {
        row.name: {
            "sensitive": row.sensitive,
            "type": row.detailed_type,
            "value": queries.output_value(keyring, row),
        }
        for row in rows
    }
    return {
        "format_version": "1.0",
        "terraform_version": state.terraform_version,
        "values": {"outputs": outputs, "root_module": {}},
    }


_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _stream(content: Content) -> Response:
    headers = {**_HEADERS, "Content-Length": str(content.size_bytes)}
    return StreamingResponse(content.pieces, media_type="application/json", headers=headers)


def _file(data: bytes) -> Response:
    return Response(data, media_type="application/json", headers=_HEADERS)
