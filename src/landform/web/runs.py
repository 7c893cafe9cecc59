"""Lists of runs, starting one, and what a person does to one."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from landform.access.permissions import Permission
from landform.identity import users
from landform.kit.errors import InvalidError, MalformedError
from landform.kit.pagination import Page, Paged
from landform.runs import approvals, creation, queries, service
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.runs.queries import RunFilter
from landform.runs.status import RunStatus
from landform.web.forms import Form, OwnForm, attempt, refusals_to
from landform.web.pages import redirect
from landform.web.present import runs as present
from landform.web.present.pages import Pages
from landform.web.run_page import RUN, find_run
from landform.web.visit import Crumb, InOrganization, InWorkspace, OrganizationVisit
from landform.workspaces.models import Workspace

router = APIRouter(include_in_schema=False)

_SIZE: Final = 30
Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=100_000)]
_STEPS: Final = {
    "approve": (approvals.approve, "Approved."),
    "confirm": (service.confirm, "Confirmed."),
    "discard": (service.discard, "Discarded."),
    "cancel": (service.cancel, "Asked to stop."),
    "force-cancel": (service.force_cancel, "Force-canceled."),
}


@router.get("/app/{organization}/{workspace}/runs")
async def list_of_workspace(
    visit: InWorkspace, q: Text = "", status: Text = "", page: Number = 1
) -> Response:
    """List the workspace's runs, newest first."""
    wanted, shown = _filter(q, status), Page(number=page, size=_SIZE)
    found = await queries.list_of(visit.session, visit.actor, visit.workspace, shown, wanted)
    return await _list(visit, found, shown, f"{visit.path}/runs", q, status)


@router.get("/organizations/{organization}/runs")
async def list_of_organization(
    visit: InOrganization, q: Text = "", status: Text = "", page: Number = 1
) -> Response:
    """List the runs of every workspace that the visitor may see, newest first."""
    wanted, shown = _filter(q, status), Page(number=page, size=_SIZE)
    found = await queries.list_in_organization(
        visit.session, visit.actor, visit.organization, shown, wanted
    )
    return await _list(visit, found, shown, f"{visit.path}/runs", q, status)


async def _list(
    visit: OrganizationVisit, found: Paged[Run], shown: Page, path: str, q: str, status: str
) -> Response:
    names = await users.names_of(visit.session, (run.created_by for run in found.items))
    ids = {run.workspace_id for run in found.items}
    query = select(Workspace.id, Workspace.name).where(Workspace.id.in_(ids))
    places = {row.id: row.name for row in await visit.session.execute(query)}
    owner = visit.organization.name
    return await visit.page(
        "runs/list.html",
        section="runs",
        crumbs=[Crumb("Runs")],
        rows=[present.row_of(run, owner, places[run.workspace_id], names) for run in found.items],
        pages=Pages(path, {"q": q, "status": status}, shown, found.total),
        q=q,
        chosen=status,
        statuses=[each.value for each in RunStatus],
        may_plan=visit.may(Permission.QUEUE_PLAN) and path.startswith("/app/"),
    )


def _filter(q: str, status: str) -> RunFilter:
    if status and status not in set(RunStatus):
        raise MalformedError(f"A status is one of {', '.join(RunStatus)}.")
    return RunFilter(text=q.strip(), statuses=[RunStatus(status)] if status else [])


@router.get("/app/{organization}/{workspace}/runs/new")
async def show_new(visit: InWorkspace) -> Response:
    """Show the form of a new run."""
    return await _new(visit, Form({}))


@router.post("/app/{organization}/{workspace}/runs/new")
async def create(visit: InWorkspace, form: OwnForm) -> Response:
    """Start a run on the newest configuration."""
    kind = form.line("kind", "apply")
    new = NewRun(
        message=form.text("message"),
        source="tfe-ui",
        plan_only=kind == "plan",
        refresh_only=kind == "refresh",
        is_destroy=kind == "destroy",
        target_addrs=form.lines("targets"),
        replace_addrs=form.lines("replace"),
    )
    keyring = visit.process.platform.keyring
    made, failure = await attempt(
        visit.session,
        creation.create_run(visit.session, keyring, visit.actor, visit.workspace, new),
    )
    if made is None:
        return await _new(visit, form, failure)
    return redirect(f"{visit.path}/runs/{made.id}")


async def _new(visit: InWorkspace, form: Form, failure: str = "") -> Response:
    return await visit.page(
        "runs/new.html",
        status=422 if failure else 200,
        section="runs",
        crumbs=[Crumb("Runs", f"{visit.path}/runs"), Crumb("New")],
        given={
            "message": form.text("message"),
            "kind": form.line("kind", "apply"),
            "targets": form.text("targets"),
            "replace": form.text("replace"),
        },
        failure=failure,
    )


@router.post(RUN)
async def act(visit: InWorkspace, run_id: str, form: OwnForm) -> Response:
    """Approve, confirm, discard, cancel, force-cancel, or run again."""
    run = await find_run(visit.session, visit, run_id)
    here, step = f"{visit.path}/runs/{run.id}", form.line("step")
    with refusals_to(here):
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
    with refusals_to(here):
        await service.add_comment(visit.session, visit.actor, run.id, form.text("body"))
    return redirect(f"{here}#run-comments")
