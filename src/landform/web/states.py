"""The states of a workspace: versions, what differs between two, graph and download."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.identity import users
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, MalformedError, NotFoundError
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs import queries as runs
from landform.states import queries
from landform.states.graph import LARGEST_BYTES, Graph, graph_of
from landform.states.models import StateStatus, StateVersion
from landform.web import lists
from landform.web.pages import SECURITY_HEADERS, CurrentSession, Visitor, page
from landform.web.present import states as present
from landform.web.present.pages import Pages, with_query
from landform.web.present.plan import SIGNS, Change
from landform.web.present.state_diff import STATE_WORDS, differences
from landform.web.present.text import as_json
from landform.web.visit import Crumb, InWorkspace, Visit, WorkspaceVisit, locate
from landform.workspaces import queries as workspaces

router = APIRouter(include_in_schema=False)

_SIZE: Final = 30
STATES: Final = "/app/{organization}/{workspace}/states"
Number = Annotated[int, Query(ge=1, le=100_000)]
Text = Annotated[str, Query(max_length=100)]


@router.get(STATES)
async def show_all(visit: InWorkspace, page: Number = 1) -> Response:
    """List the versions, newest first."""
    values = await _list(visit.session, visit.actor, visit.workspace.id, page)
    number = str(page) if page > 1 else ""
    live = {"page": number, "since": lists.mark_of(values)}
    return await visit.page(
        "states/list.html",
        section="states",
        crumbs=[Crumb("States")],
        live=with_query(f"{visit.path}/states/events", live),
        **values,
    )


@router.get(f"{STATES}/events")
async def events(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    page: Number = 1,
    since: lists.Since = "",
    last_event_id: lists.LastEventId = "",
) -> Response:
    """Tell what changes in the list."""

    async def find(visit: Visit) -> lists.Source:
        place = (await located(request, visit.session, visitor)).workspace.place
        await require(visit.session, visit.actor, Permission.READ_STATE, place)
        workspace_id = str(place.workspace_id)
        return lists.Source(
            template="states/_list.html",
            row_template="states/_row.html",
            what=(workspace_id, page),
            places=[workspace_id],
            sight=lists.alike,
            read=lambda session, actor: _list(session, actor, workspace_id, page),
        )

    return await lists.stream(request, process, visitor, find, last_event_id or since)


async def _list(
    session: AsyncSession, actor: Actor, workspace_id: str, number: int
) -> dict[str, Any]:
    workspace = await workspaces.get(session, actor, workspace_id)
    owner = await session.get_one(Organization, workspace.organization_id)
    wanted = Page(number=number, size=_SIZE)
    found = await queries.list_of(session, actor, workspace, wanted)
    authors = await authors_of(session, found.items)
    here = f"/app/{owner.name}/{workspace.name}"
    return {
        "rows": present.rows_of(found.items, workspace.current_state_version_id, authors),
        "here": here,
        "pages": Pages(f"{here}/states", {}, wanted, found.total),
    }


@router.get(f"{STATES}/diff")
async def show_diff(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    old: Annotated[str, Query(max_length=100)],
    new: Annotated[str, Query(max_length=100)],
) -> Response:
    """Show what two versions differ in; sensitive values are not shown."""
    async with transaction(process.platform.sessions) as session:
        visit = await located(request, session, visitor)
        pair = [await find_state(session, visit, each) for each in (old, new)]
        shell = await visit.shell(
            "states", (Crumb("States", f"{visit.path}/states"), Crumb("Diff"))
        )
    found, more = await compared(process, *pair)
    return page(
        request,
        "states/diff.html",
        visitor=visitor,
        shell=shell,
        old=pair[0],
        new=pair[1],
        changes=found,
        more=more,
        signs=SIGNS,
        words=STATE_WORDS,
    )


@router.get(f"{STATES}/{{state_id}}")
async def show(visit: InWorkspace, state_id: str) -> Response:
    """Show one version: resources and outputs."""
    state = await find_state(visit.session, visit, state_id)
    rows = await queries.outputs_of(visit.session, state)
    keyring = visit.process.platform.keyring
    authors = await authors_of(visit.session, [state])
    return await visit.page(
        "states/state.html",
        section="states",
        follows=("states",),
        crumbs=[Crumb("States", f"{visit.path}/states"), Crumb(f"Serial {state.serial}")],
        state=state,
        author=authors[state.id],
        resources=present.resources_of(state.resources),
        outputs=present.outputs_of(keyring, rows, as_json),
        is_current=state.id == visit.workspace.current_state_version_id,
        current_id=visit.workspace.current_state_version_id,
        may_roll_back=visit.may(Permission.WRITE_STATE) and visit.may(Permission.LOCK_WORKSPACE),
    )


@router.get(f"{STATES}/{{state_id}}/graph")
async def show_graph(
    request: Request, process: CurrentProcess, visitor: CurrentSession, state_id: str
) -> Response:
    """Show what depends on what: as a picture where scripts run, and as a list everywhere."""
    async with transaction(process.platform.sessions) as session:
        visit = await located(request, session, visitor)
        state = await find_state(session, visit, state_id)
        here = f"{visit.path}/states"
        steps = (
            Crumb("States", here),
            Crumb(f"Serial {state.serial}", f"{here}/{state.id}"),
            Crumb("Graph"),
        )
        shell = await visit.shell("states", steps)
    found = await _graph(process, state)
    return page(
        request,
        "states/graph.html",
        visitor=visitor,
        shell=shell,
        state=state,
        modules=present.modules_of(found),
        count=len(found.nodes),
        left_out=found.left_out,
    )


@router.get(f"{STATES}/{{state_id}}/graph.json")
async def graph_data(
    request: Request, process: CurrentProcess, visitor: CurrentSession, state_id: str
) -> Response:
    """Give the picture's data: addresses and what depends on what, no attribute of anything."""
    async with transaction(process.platform.sessions) as session:
        visit = await located(request, session, visitor)
        state = await find_state(session, visit, state_id)
    found = await _graph(process, state)
    content = msgspec.json.encode({"nodes": found.nodes, "left_out": found.left_out})
    return Response(content, media_type="application/json", headers=SECURITY_HEADERS)


@router.get(f"{STATES}/{{state_id}}/download")
async def download(
    request: Request, process: CurrentProcess, visitor: CurrentSession, state_id: str
) -> Response:
    """Give a version as terraform wrote it."""
    async with transaction(process.platform.sessions) as session:
        visit = await located(request, session, visitor)
        state = await find_state(session, visit, state_id)
    name = f"{visit.workspace.name}-{state.serial}.tfstate"
    content = await process.platform.store.open(state.path)
    headers = {
        **SECURITY_HEADERS,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(content.size_bytes),
    }
    return StreamingResponse(content.pieces, media_type="application/json", headers=headers)


async def located(request: Request, session: AsyncSession, visitor: Visitor) -> WorkspaceVisit:
    """Return a visit of the workspace that the address names."""
    names = request.path_params
    visit = Visit(request, session, visitor)
    return await locate(visit, names["organization"], names["workspace"])


async def authors_of(session: AsyncSession, states: Sequence[StateVersion]) -> dict[str, str]:
    """Return the name of who saved each state: of one that a run saved, of who made the run."""
    makers = await runs.creators(session, {each.run_id for each in states if each.run_id})
    people = {each.id: makers.get(each.run_id or "", each.created_by) for each in states}
    names = await users.names_of(session, people.values())
    return {state_id: names.get(who, who) for state_id, who in people.items()}


async def find_state(session: AsyncSession, visit: WorkspaceVisit, state_id: str) -> StateVersion:
    """Return a version of the workspace's that can be read.

    Raises:
        NotFoundError: there is none.
    """
    state = await queries.get(session, visit.actor, state_id)
    shown = state.status in (StateStatus.FINALIZED, StateStatus.OFFERED)
    if state.workspace_id != visit.workspace.id or not shown:
        raise NotFoundError(f"There is no state version {state_id}.")
    return state


async def _raw(process: Process, state: StateVersion) -> bytes:
    return await process.platform.store.get(state.path)


async def _graph(process: Process, state: StateVersion) -> Graph:
    if (state.size_bytes or 0) > LARGEST_BYTES:
        raise InvalidError(f"A state above {LARGEST_BYTES >> 20} MiB is too large for a graph.")
    return await asyncio.to_thread(graph_of, await _raw(process, state))


async def compared(
    process: Process, old: StateVersion, new: StateVersion
) -> tuple[list[Change], int]:
    """Return what differs from `old` to `new`, and how much more there is.

    Raises:
        MalformedError: one of the two cannot be read.
    """
    raws = [await _raw(process, each) for each in (old, new)]
    try:
        return await asyncio.to_thread(differences, *raws)
    except msgspec.DecodeError:
        raise MalformedError("One of the two is no state that can be read.") from None
