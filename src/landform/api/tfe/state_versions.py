"""TFE state versions and their outputs."""

import base64
import binascii
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.api.jsonapi.body import Body
from landform.api.jsonapi.declaration import Attributes, ToMany, ToOne, reads
from landform.api.jsonapi.inputs import Input
from landform.api.jsonapi.naming import Kebab
from landform.api.jsonapi.query import ListQuery, Query
from landform.api.jsonapi.resource import Resource
from landform.api.jsonapi.seen import seen
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.edge.signed_urls import Deed
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import InvalidError, MalformedError, TooLargeError
from landform.kit.storage import Store
from landform.runs import queries as runs
from landform.runs.models import Run
from landform.states import queries, service
from landform.states.models import StateOutput, StateStatus, StateVersion
from landform.states.service import Announcement
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace

router = new_router()

# Terraform keeps a local apply's state with us at this interval, so that a laptop that dies
# leaves more than nothing (terraform_facts.md §4: shorter ones are not honoured).
SNAPSHOT_HEADERS: Final = {"x-terraform-snapshot-interval": "20"}
_INLINE_BYTES: Final = 64 * 2**20


def _download_url(state: StateVersion, context: Context) -> str | None:
    if state.status is StateStatus.PENDING or not context.may(
        Permission.READ_STATE, state.workspace_id
    ):
        return None
    return context.signed(Deed.DOWNLOAD_STATE, state.id)


def _json_download_url(state: StateVersion, context: Context) -> str | None:
    if not state.has_json or not context.may(Permission.READ_STATE, state.workspace_id):
        return None
    return context.signed(Deed.DOWNLOAD_JSON_STATE, state.id)


def _upload(deed: Deed) -> Any:
    def read(state: StateVersion, context: Context) -> str | None:
        """The address is a permission: only whoever announced the state is told it."""
        if state.status is not StateStatus.PENDING or state.created_by != context.actor.id:
            return None
        return context.signed(deed, state.id)

    return reads(read)


class StateVersionAttributes(Attributes[StateVersion]):
    """One state of a workspace."""

    created_at: datetime
    hosted_json_state_download_url: str | None = reads(_json_download_url)
    hosted_json_state_upload_url: str | None = _upload(Deed.UPLOAD_JSON_STATE)
    hosted_state_download_url: str | None = reads(_download_url)
    hosted_state_upload_url: str | None = _upload(Deed.UPLOAD_STATE)
    intermediate: bool = reads("is_intermediate")
    lineage: str
    md5: str
    resources: list[dict[str, Any]]
    resources_processed: bool = reads(lambda state: state.status is StateStatus.FINALIZED)
    serial: int
    size: int | None = reads("size_bytes")
    status: StateStatus
    terraform_version: str | None


def _value(output: StateOutput, context: Context) -> Any:
    """Sensitive values are given only to who asks for that one output (tfe_api.md §1.5)."""
    if output.sensitive and output.id != context.shown_output:
        return None
    return queries.output_value(context.process.platform.keyring, output)


class StateVersionOutputAttributes(Attributes[StateOutput]):
    """One output of a state."""

    name: str
    sensitive: bool
    type: str = reads("kind")
    detailed_type: Any
    value: Any = reads(_value)


async def _by_ids(ids: Sequence[str], context: Context) -> list[StateVersion]:
    def read(each: str) -> Awaitable[StateVersion]:
        permission = Permission.READ_OUTPUTS
        return queries.get(context.session, context.actor, each, permission=permission)

    return await seen(read, ids)


async def _prepare(states: Sequence[StateVersion], context: Context) -> None:
    await context.learn(state.workspace_id for state in states)


async def _outputs(
    states: Sequence[StateVersion], context: Context
) -> dict[str, Sequence[StateOutput]]:
    return {state.id: await queries.outputs_of(context.session, state) for state in states}


class WorkspaceOutputAttributes(Attributes[StateOutput]):
    """One output of a workspace's newest state, as it is included with the workspace.

    Sensitive ones are without their value; the id is that of the state version's output.
    """

    name: str
    sensitive: bool
    output_type: str = reads("kind")
    value: Any = reads(_value)


WORKSPACE_OUTPUTS = Resource[StateOutput, Context](
    TFE,
    "workspace-outputs",
    WorkspaceOutputAttributes,
    url="/api/v2/state-version-outputs/{id}",
)
OUTPUTS = Resource[StateOutput, Context](
    TFE,
    "state-version-outputs",
    StateVersionOutputAttributes,
    url="/api/v2/state-version-outputs/{id}",
)
STATE_VERSIONS = Resource[StateVersion, Context](
    TFE,
    "state-versions",
    StateVersionAttributes,
    relationships=[
        ToOne("workspace", "workspaces"),
        ToOne("run", "runs"),
        ToMany(
            "outputs",
            "state-version-outputs",
            load=_outputs,
            eager=False,
            related="/api/v2/state-versions/{id}/outputs",
        ),
    ],
    url="/api/v2/state-versions/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("filter[workspace][name]", "filter[organization][name]"),
)


class CreateStateVersion(Kebab):
    """What a client says of a state; older ones send it along, base64."""

    serial: int
    md5: str
    lineage: str | None = None
    force: bool | None = None
    state: str | None = None
    json_state: str | None = None
    json_state_outputs: str | None = None
    intermediate: bool | None = None


class RollBack(Kebab):
    """A rollback names the older state in a relationship."""

    serial: int | UnsetType = UNSET
    md5: str | UnsetType = UNSET


CREATE = Input(
    TFE, "state-versions", CreateStateVersion, one={"run": "runs"}, body_bytes=2 * _INLINE_BYTES
)
ROLL_BACK = Input(TFE, "state-versions", RollBack, one={"rollback_state_version": "state-versions"})
One = Annotated[Query, Depends(STATE_VERSIONS.query)]
Listed = Annotated[ListQuery, Depends(STATE_VERSIONS.list_query)]
OutputList = Annotated[ListQuery, Depends(OUTPUTS.list_query)]


@router.post("/workspaces/{workspace_id}/state-versions", status_code=201)
async def create(
    workspace_id: str,
    body: Annotated[Body[CreateStateVersion], Depends(CREATE)],
    query: One,
    context: CurrentContext,
) -> Response:
    session, actor, sent = context.session, context.actor, body.attributes
    # Of its own, as no transaction may be open while a state goes into the store.
    async with transaction(context.process.platform.sessions) as before:
        workspace = await workspaces.get(before, actor, workspace_id)
        run = await _run(before, body, workspace, actor)
    announcement = Announcement(
        serial=sent.serial,
        md5=sent.md5,
        lineage=sent.lineage or "",
        force=bool(sent.force),
        is_intermediate=bool(sent.intermediate),
        run_id=run.id if run else None,
    )
    if sent.state is None:
        state = await service.announce(session, actor, workspace, announcement)
    else:
        raw = _decoded(sent.state, limit_bytes=context.process.max_state_bytes)
        state_id = await service.save(*_stores(context), actor, workspace, announcement, raw)
        state = await session.get_one(StateVersion, state_id)
    return _with_interval(await STATE_VERSIONS.one(state, query, context))


@router.patch("/workspaces/{workspace_id}/state-versions", status_code=201)
async def roll_back(
    workspace_id: str,
    body: Annotated[Body[RollBack], Depends(ROLL_BACK)],
    query: One,
    context: CurrentContext,
) -> Response:
    actor = context.actor
    async with transaction(context.process.platform.sessions) as before:
        workspace = await workspaces.get(before, actor, workspace_id)
        to = await queries.get(before, actor, body.need("rollback_state_version").id)
    state_id = await service.roll_back(*_stores(context), actor, workspace, to=to)
    state = await context.session.get_one(StateVersion, state_id)
    return await STATE_VERSIONS.one(state, query, context)


@router.get("/workspaces/{workspace_id}/current-state-version")
async def current(workspace_id: str, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    state = await queries.current(session, actor, workspace)
    return _with_interval(await STATE_VERSIONS.one(state, query, context))


@router.get("/workspaces/{workspace_id}/current-state-version-outputs")
async def current_outputs(
    workspace_id: str, query: OutputList, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    state = await queries.current(session, actor, workspace, permission=Permission.READ_OUTPUTS)
    return await OUTPUTS.many(await queries.outputs_of(session, state), query, context)


@router.get("/workspaces/{workspace_id}/state-versions")
async def list_of_workspace(workspace_id: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    found = await queries.list_of(session, actor, workspace, query.page)
    return await STATE_VERSIONS.many(found.items, query, context, total=found.total)


@router.get("/state-versions")
async def list_by_name(query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    organization = query.text("filter[organization][name]")
    name = query.text("filter[workspace][name]")
    if not organization or not name:
        raise MalformedError("Give filter[organization][name] and filter[workspace][name].")
    workspace = await workspaces.by_name(session, actor, organization, name)
    found = await queries.list_of(session, actor, workspace, query.page)
    return await STATE_VERSIONS.many(found.items, query, context, total=found.total)


@router.get("/state-versions/{state_version_id}")
async def read(state_version_id: str, query: One, context: CurrentContext) -> Response:
    state = await queries.get(
        context.session, context.actor, state_version_id, permission=Permission.READ_OUTPUTS
    )
    return _with_interval(await STATE_VERSIONS.one(state, query, context))


@router.get("/state-versions/{state_version_id}/outputs")
async def outputs(state_version_id: str, query: OutputList, context: CurrentContext) -> Response:
    session = context.session
    state = await queries.get(
        session, context.actor, state_version_id, permission=Permission.READ_OUTPUTS
    )
    return await OUTPUTS.many(await queries.outputs_of(session, state), query, context)


@router.get("/state-version-outputs/{output_id}")
async def read_output(
    output_id: str, query: Annotated[Query, Depends(OUTPUTS.query)], context: CurrentContext
) -> Response:
    output = await queries.output(context.session, context.actor, output_id)
    context.shown_output = output.id
    return await OUTPUTS.one(output, query, context)


async def _run(
    session: AsyncSession, body: Body[CreateStateVersion], workspace: Workspace, actor: Actor
) -> Run | None:
    """Return the run that the state is said to come from, which must be the workspace's."""
    linked = body.one("run")
    if linked is None:
        return None
    run = await runs.get(session, actor, linked.id)
    if run.workspace_id != workspace.id:
        raise InvalidError(
            f"Run {run.id} belongs to another workspace.", pointer="/data/relationships/run"
        )
    return run


def _with_interval(answer: Response) -> Response:
    answer.headers.update(SNAPSHOT_HEADERS)
    return answer


def _stores(context: Context) -> tuple[Sessions, Store, Keyring]:
    platform = context.process.platform
    return platform.sessions, platform.store, platform.keyring


def _decoded(encoded: str, *, limit_bytes: int) -> bytes:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise InvalidError("state is not base64.", pointer="/data/attributes/state") from None
    if len(raw) > limit_bytes:
        raise TooLargeError(f"A state has at most {limit_bytes // 2**20} MiB here.")
    return raw
