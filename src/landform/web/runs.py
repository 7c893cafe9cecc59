"""Lists of runs, starting one, and what a person does to one."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require, sight
from landform.edge.deps import CurrentProcess
from landform.identity.actor import Actor
from landform.kit.errors import InvalidError, MalformedError
from landform.kit.pagination import Page, Paged
from landform.organizations.models import Organization
from landform.runs import approvals, creation, queries, service
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.runs.queries import RunFilter
from landform.runs.status import RunStatus
from landform.web import lists
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import CurrentSession, redirect
from landform.web.present import runs as present
from landform.web.present.pages import Pages, with_query
from landform.web.run_page import RUN, find_run
from landform.web.run_reading import authors_of
from landform.web.visit import (
    Crumb,
    InOrganization,
    InWorkspace,
    OrganizationVisit,
    Visit,
    WorkspaceVisit,
    enter,
    locate,
)
from landform.workspaces import organizations
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace

router = APIRouter(include_in_schema=False)

# What the form calls what the service calls otherwise.
_NAMES: Final = {"target_addrs": "targets", "replace_addrs": "replace"}

_SIZE: Final = 30
_MOST_AHEAD: Final = 1000  # rows after a page that are counted
Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=100_000)]
_STEPS: Final = {
    "approve": (approvals.approve, "Approved."),
    "confirm": (service.confirm, "Confirmed."),
    "discard": (service.discard, "Discarded."),
    "cancel": (service.cancel, "Asked to stop."),
    "force-cancel": (service.force_cancel, "Force-canceled."),
}


@dataclass(frozen=True)
class Asked:
    """How a list of runs is narrowed and paged: the query of its address."""

    q: Text = ""
    status: Text = ""
    page: Number = 1

    @property
    def wanted(self) -> RunFilter:
        """Return which runs are wanted."""
        if self.status and self.status not in set(RunStatus):
            raise MalformedError(f"A status is one of {', '.join(RunStatus)}.")
        statuses = [RunStatus(self.status)] if self.status else []
        return RunFilter(text=self.q.strip(), statuses=statuses)


AsAsked = Annotated[Asked, Depends()]


@router.get("/app/{organization}/{workspace}/runs")
async def list_of_workspace(visit: InWorkspace, asked: AsAsked) -> Response:
    """List the workspace's runs, newest first."""
    values = await _of_workspace(visit.session, visit.actor, visit.workspace.id, asked)
    return await _page(visit, values, f"{visit.path}/runs/events", asked)


@router.get("/organizations/{organization}/runs")
async def list_of_organization(visit: InOrganization, asked: AsAsked) -> Response:
    """List the runs of every workspace that the visitor may see, newest first."""
    values = await _of_organization(visit.session, visit.actor, visit.organization.id, asked)
    return await _page(visit, values, f"{visit.path}/runs/events", asked)


async def _page(
    visit: OrganizationVisit, values: dict[str, Any], events: str, asked: Asked
) -> Response:
    number = str(asked.page) if asked.page > 1 else ""
    live = {"q": asked.q, "status": asked.status, "page": number, "since": lists.mark_of(values)}
    return await visit.page(
        "runs/list.html",
        section="runs",
        crumbs=[Crumb("Runs")],
        may_plan=visit.may(Permission.QUEUE_PLAN) and isinstance(visit, WorkspaceVisit),
        live=with_query(events, live),
        **values,
    )


@router.get("/app/{organization}/{workspace}/runs/events")
async def events_of_workspace(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    organization: str,
    workspace: str,
    asked: AsAsked,
    since: lists.Since = "",
    last_event_id: lists.LastEventId = "",
) -> Response:
    """Tell what changes in the list of the workspace's runs."""

    async def find(visit: Visit) -> lists.Source:
        place = (await locate(visit, organization, workspace)).workspace.place
        await require(visit.session, visit.actor, Permission.READ_RUNS, place)
        return lists.Source(
            template="runs/_list.html",
            row_template="runs/_row.html",
            what=(place.workspace_id, asked),
            places=[str(place.workspace_id)],
            sight=lists.alike,
            read=lambda session, actor: _of_workspace(
                session, actor, str(place.workspace_id), asked
            ),
        )

    return await lists.stream(request, process, visitor, find, last_event_id or since)


@router.get("/organizations/{organization}/runs/events")
async def events_of_organization(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    organization: str,
    asked: AsAsked,
    since: lists.Since = "",
    last_event_id: lists.LastEventId = "",
) -> Response:
    """Tell what changes in the list of the organization's runs."""

    async def find(visit: Visit) -> lists.Source:
        found = (await enter(visit, organization)).organization
        return lists.Source(
            template="runs/_list.html",
            row_template="runs/_row.html",
            what=(found.id, asked),
            places=[found.id],
            sight=lambda session, actor: sight(session, actor, found.id),
            read=lambda session, actor: _of_organization(session, actor, found.id, asked),
        )

    return await lists.stream(request, process, visitor, find, last_event_id or since)


async def _of_workspace(
    session: AsyncSession, actor: Actor, workspace_id: str, asked: Asked
) -> dict[str, Any]:
    workspace = await workspaces.get(session, actor, workspace_id)
    owner = await session.get_one(Organization, workspace.organization_id)
    page = Page(number=asked.page, size=_SIZE)
    found = await queries.list_of(session, actor, workspace, page, asked.wanted)
    path = f"/app/{owner.name}/{workspace.name}/runs"
    return {"is_of_one": True, **await _list(session, owner.name, found, page, path, asked)}


async def _of_organization(
    session: AsyncSession, actor: Actor, organization_id: str, asked: Asked
) -> dict[str, Any]:
    owner = await organizations.by_id_or_name(session, actor, organization_id)
    page = Page(number=asked.page, size=_SIZE)
    found = await queries.list_in_organization(
        session, actor, owner, page, asked.wanted, most_ahead=_MOST_AHEAD
    )
    path = f"/organizations/{owner.name}/runs"
    return {"is_of_one": False, **await _list(session, owner.name, found, page, path, asked)}


async def _list(
    session: AsyncSession, owner: str, found: Paged[Run], page: Page, path: str, asked: Asked
) -> dict[str, Any]:
    authors = await authors_of(session, found.items)
    ids = {run.workspace_id for run in found.items}
    query = select(Workspace.id, Workspace.name).where(Workspace.id.in_(ids))
    places = {row.id: row.name for row in await session.execute(query)}
    return {
        "rows": [
            present.row_of(run, owner, places[run.workspace_id], authors[run.id])
            for run in found.items
        ],
        "pages": Pages(
            path, {"q": asked.q, "status": asked.status}, page, found.total, found.is_counted
        ),
        "q": asked.q,
        "chosen": asked.status,
        "statuses": [each.value for each in RunStatus],
    }


@router.get("/app/{organization}/{workspace}/runs/new")
async def show_new(visit: InWorkspace) -> Response:
    """Show the form of a new run."""
    return await visit.page(
        "runs/new.html",
        section="runs",
        crumbs=[Crumb("Runs", f"{visit.path}/runs"), Crumb("New")],
        applies_itself=visit.workspace.auto_apply,
    )


@router.post("/app/{organization}/{workspace}/runs/new")
async def create(visit: InWorkspace, form: OwnForm) -> Response:
    """Start a run on the newest configuration."""
    kind = form.line("kind", "apply")
    new = NewRun(
        message=form.text("message"),
        source=creation.OUR_PAGES,
        plan_only=kind == "plan",
        refresh_only=kind == "refresh",
        is_destroy=kind == "destroy",
        target_addrs=form.lines("targets"),
        replace_addrs=form.lines("replace"),
    )
    keyring = visit.process.platform.keyring
    with refusals_to(f"{visit.path}/runs/new", names=_NAMES):
        made = await creation.create_run(visit.session, keyring, visit.actor, visit.workspace, new)
    return redirect(f"{visit.path}/runs/{made.id}")


@router.post(RUN)
async def act(visit: InWorkspace, run_id: str, form: OwnForm) -> Response:
    """Approve, confirm, discard, cancel, force-cancel, or run again."""
    run = await find_run(visit.session, visit, run_id)
    here, step = f"{visit.path}/runs/{run.id}", form.line("step")
    with refusals_to(here, at="comment"):
        if step == "retry":
            keyring = visit.process.platform.keyring
            made = await creation.create_again(
                visit.session, keyring, visit.actor, visit.workspace, run
            )
            return redirect(f"{visit.path}/runs/{made.id}")
        if step not in _STEPS:
            raise InvalidError(f"A run can be told to {', '.join(_STEPS)} or retry.")
        take, said = _STEPS[step]
        await take(visit.session, visit.actor, run.id, comment=form.text("comment"))
    return redirect(here, say=said)


@router.post(f"{RUN}/comments")
async def comment(visit: InWorkspace, run_id: str, form: OwnForm) -> Response:
    """Say something of the run."""
    run = await find_run(visit.session, visit, run_id)
    here = f"{visit.path}/runs/{run.id}"
    with refusals_to(here, at="body"):
        await service.add_comment(visit.session, visit.actor, run.id, form.text("body"))
    return redirect(f"{here}#run-comments")
