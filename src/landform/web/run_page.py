"""The page of a run and its parts, at the address that the command line prints."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import teams_of
from landform.access.permissions import Permission
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page
from landform.runs import queries
from landform.runs.models import Run, RunPhase
from landform.runs.status import PhaseStatus
from landform.web import log_reading
from landform.web.pages import (
    SECURITY_HEADERS,
    CurrentSession,
    Visitor,
    fragment,
    page,
    refused_form,
)
from landform.web.present import checks
from landform.web.present import plan as plans
from landform.web.present import runs as present
from landform.web.present.pages import Pages, with_query
from landform.web.present.plan import Plan
from landform.web.present.progress import Progress
from landform.web.regions import mark_of
from landform.web.run_reading import SHELF, Reading, read_run
from landform.web.visit import Crumb, Shell, Visit, WorkspaceVisit, locate

router = APIRouter(include_in_schema=False)

RUN: Final = "/app/{organization}/{workspace}/runs/{run_id}"
# What the page is made of, each the template `runs/_NAME.html` of an element `run-NAME`. A panel
# more is a template, its name here, and what it shows in `parts_of`: it is live with the others.
MAIN: Final = ("apply", "plan")  # each with the log of its phase
ASIDE: Final = ("timeline", "comments")
PARTS: Final = ("head", *ASIDE, *MAIN)
_SIZE: Final = 200  # changes of a page
_INLINE: Final = 40  # changes whose attributes come with the page
_RESOURCES: Final = 200  # of an apply on a page
_LIVE_RESOURCES: Final = 100  # while it goes on: they are sent and compared at every change
Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=100_000)]
Offset = Annotated[int | None, Query(ge=0, le=2**50)]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A run that the visitor, who is in `teams`, may see, read in a transaction that is over."""

    reading: Reading
    visit: WorkspaceVisit
    shell: Shell
    teams: frozenset[str]

    @property
    def here(self) -> str:
        """Return the address of the run."""
        return f"{self.visit.path}/runs/{self.reading.run.id}"


async def open_run(
    request: Request, process: Process, visitor: Visitor, *, subpage: str = ""
) -> Opened:
    """Read the run that the address names, for its page or for a `subpage` called so.

    Raises:
        NotFoundError: there is none there, or the visitor may not know of it.
    """
    names = request.path_params
    async with transaction(process.platform.sessions) as session:
        visit = await locate(
            Visit(request, session, visitor), names["organization"], names["workspace"]
        )
        run = await find_run(session, visit, names["run_id"])
        reading = await read_run(session, run)
        crumbs = [Crumb("Runs", f"{visit.path}/runs"), Crumb(run.id)]
        if subpage:
            crumbs[-1:] = [Crumb(run.id, f"{visit.path}/runs/{run.id}"), Crumb(subpage)]
        shell = await visit.shell("runs", tuple(crumbs))
        teams = frozenset(await session.scalars(teams_of(visit.actor)))
    return Opened(reading=reading, visit=visit, shell=shell, teams=teams)


async def find_run(session: AsyncSession, visit: WorkspaceVisit, run_id: str) -> Run:
    """Return a run of the workspace.

    Raises:
        NotFoundError: there is none.
    """
    run = await queries.get(session, visit.actor, run_id)
    if run.workspace_id != visit.workspace.id:
        raise NotFoundError(f"There is no run {run_id} in {visit.workspace.name}.")
    return run


async def parts_of(process: Process, reading: Reading) -> dict[str, Any]:
    """Return what the parts of the page share, whoever looks."""
    plan_phase, apply_phase = reading.phases
    plan = await SHELF.plan(process, plan_phase)
    nothing = Progress()
    view = reading.view
    progress = await SHELF.progress(process, apply_phase) if view.apply.began else nothing
    went_well = apply_phase.status is PhaseStatus.FINISHED
    progress = progress.settled(
        is_over=went_well or view.is_over or not view.apply.is_running, went_well=went_well
    )
    return {
        "run": view,
        "plan": plan,
        "plan_progress": await SHELF.progress(process, plan_phase) if view.plan.began else nothing,
        "progress": progress,
        # What terraform counts itself it says only at a good end.
        "apply_counts": view.apply.counts if went_well else present.done_of(progress.counts()),
        "words": plans.WORDS,
        "signs": plans.SIGNS,
        "check_looks": checks.LOOKS,
        "check_words": checks.WORDS,
    }


def whole(
    parts: dict[str, Any], opened: Opened, *, ask: str = "", applied: int = 1
) -> dict[str, Any]:
    """Return the parts with what is for this visitor only.

    Args:
        applied: which page of the resources of an apply that is over.
    """
    plan: Plan | None = parts["plan"]
    actor, held = opened.visit.actor, opened.visit.held
    return {
        **parts,
        **_applied(parts["progress"], applied, is_over=opened.reading.view.is_over),
        "deeds": present.deeds(
            opened.reading.run, opened.reading.standing, held, actor, opened.teams
        ),
        "standing": opened.reading.standing,
        "approvers": opened.reading.approvers,
        "destroyed": plan.destroyed if plan else [],
        "may_read_outputs": Permission.READ_OUTPUTS in held,
        "may_read_state": Permission.READ_STATE in held,
        "applies_itself": _applies_itself(opened.reading),
        "here": opened.here,
        "shell": opened.shell,
        "visitor": opened.visit.visitor,
        "ask": ask,
    }


def _applied(progress: Progress, number: int, *, is_over: bool) -> dict[str, Any]:
    """Return the resources of an apply, what needs a look first; while it goes on, the newest."""
    resources = list(enumerate(progress.resources.values()))
    if not is_over:
        resources.reverse()
    resources.sort(key=lambda each: _RANK[each[1].state])
    size = _RESOURCES if is_over else _LIVE_RESOURCES
    wanted = Page(number=number if is_over else 1, size=size)
    return {
        "shown_resources": resources[wanted.offset :][:size],
        "resource_pages": Pages("", {}, wanted, len(resources)),
    }


def _applies_itself(reading: Reading) -> bool:
    """Tell whether nobody is asked before the run, if it is run again, is applied."""
    run = reading.run
    return reading.workspace.auto_apply and not (run.plan_only or run.save_plan or run.is_destroy)


_RANK: Final = {"failed": 0, "open": 1, "working": 2, "done": 3}


@router.get(RUN)
async def show(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    find: Text = "",
    action: Text = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
    ask: Text = "",
    applied: Number = 1,
) -> Response:
    """Show what a run is, did and waits for."""
    opened = await open_run(request, process, visitor)
    parts = await parts_of(process, opened.reading)
    form = refused_form(request)
    asked = form["sent"].of if form["sent"] else ask  # a step that was refused is asked again
    values = whole(parts, opened, ask=asked, applied=applied)
    values |= changes(parts["plan"], opened.here, find, action, number)
    plan_phase, apply_phase = opened.reading.phases
    plan_log = await _tail(process, plan_phase, is_open=not opened.reading.view.apply.began)
    apply_log = await _tail(process, apply_phase, is_open=True)
    shown = {name: fragment(f"runs/_{name}.html", **values, **form) for name in PARTS}
    values |= {
        "parts": shown,
        "main_parts": MAIN,
        "aside_parts": ASIDE,
        "logs": {"plan": plan_log, "apply": apply_log},
        # Its stream does not tell again what is here already.
        "since": f"{plan_log['end']}.{apply_log['end']}.{mark_of(shown)}",
    }
    # One that is not over has a stream of its own (`landform.web.live`).
    is_over, about = opened.reading.view.is_over, opened.visit.about((opened.reading.run.id,))
    return page(request, "runs/run.html", follows=about if is_over else (), **values)


def changes(plan: Plan | None, here: str, find: str, action: str, number: int) -> dict[str, Any]:
    """Return the changes of a plan that are wanted, one page of them."""
    found = plans.narrowed(plan.changes, action=action, text=find) if plan else []
    wanted = Page(number=number, size=_SIZE)
    shown = found[wanted.offset :][: wanted.size]
    query = {"find": find, "action": action}
    return {
        "groups": plans.grouped(shown),
        "inline": len(shown) <= _INLINE,
        "change_pages": Pages(here, query, wanted, len(found)),
        "find": find,
        "chosen_action": action,
    }


@router.get(f"{RUN}/plan")
async def show_changes(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    find: Text = "",
    action: Text = "",
) -> Response:
    """Give the changes that are wanted, as a part of the page."""
    opened = await open_run(request, process, visitor)
    plan = await SHELF.plan(process, opened.reading.phases[0])
    values = changes(plan, opened.here, find, action, 1)
    part = _part(
        "runs/_changes.html", here=opened.here, words=plans.WORDS, signs=plans.SIGNS, **values
    )
    query = {"find": find, "action": action}
    part.headers["HX-Replace-Url"] = with_query(opened.here, query)
    return part


@router.get(f"{RUN}/plan/{{place}}")
async def show_change(
    request: Request, process: CurrentProcess, visitor: CurrentSession, place: int
) -> Response:
    """Give the attributes of one change; to a browser without scripts as a page."""
    opened = await open_run(request, process, visitor, subpage="Change")
    plan = await SHELF.plan(process, opened.reading.phases[0])
    change = next((each for each in plan.changes if each.number == place), None) if plan else None
    if change is None:
        raise NotFoundError(f"The plan has no change {place}.")
    values: dict[str, Any] = {
        "change": change,
        "here": opened.here,
        "signs": plans.SIGNS,
        "words": plans.WORDS,
    }
    if request.headers.get("hx-request"):
        return _part("runs/_change.html", **values)
    return page(request, "runs/change.html", visitor=visitor, shell=opened.shell, **values)


@router.get(f"{RUN}/log/{{name}}")
async def show_log(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    name: str,
    at: Offset = None,
    end: bool = False,
    q: Text = "",
) -> Response:
    """Show a stretch of a log, from `at` or the last of it, or find lines in the whole of it.

    To the page of the run, whose fold of it is opened, give the lines that it shows.
    """
    opened = await open_run(request, process, visitor, subpage="Log of the " + name)
    phase = _phase(opened, name)
    if request.headers.get("hx-request"):
        last = await log_reading.tail(process, phase.id)
        return _part("runs/_log_lines.html", here=opened.here, name=name, lines=last.lines)
    size = await log_reading.size_of(process, phase.id)
    # Some of what is before a line that is linked to, so that it can be understood.
    begin = max(0, size - log_reading.WINDOW_BYTES) if end else 0 if at is None else at
    shown = await log_reading.window(process, phase.id, begin=begin, size=size)
    # Who follows a match does not wait for all of them to be found again.
    searches = log_reading.SEARCHES
    matches = searches.known(phase.id, size, q)
    if q.strip() and at is None:
        matches = await searches.find(process, phase.id, size, q)
    return page(
        request,
        "runs/log.html",
        follows=opened.visit.about(
            # Its end, where that is shown; elsewhere it stays as it is.
            (opened.reading.run.id, phase.id) if shown.end == size and not q.strip() else ()
        ),
        visitor=visitor,
        shell=opened.shell,
        here=opened.here,
        name=name,
        q=q,
        matches=matches,
        at=at,
        lines=shown.lines,
        begin=shown.begin,
        before=max(0, shown.begin - log_reading.WINDOW_BYTES),
        end=shown.end,
        size=size,
    )


@router.get(f"{RUN}/log/{{name}}/download")
async def download_log(
    request: Request, process: CurrentProcess, visitor: CurrentSession, name: str
) -> Response:
    """Give the whole log, as it was written."""
    opened = await open_run(request, process, visitor)
    phase = _phase(opened, name)
    headers = {
        **SECURITY_HEADERS,
        "Content-Disposition": f'attachment; filename="{phase.id}.log"',
    }
    return StreamingResponse(
        log_reading.chunks(process, phase.id), media_type="text/plain", headers=headers
    )


def _phase(opened: Opened, name: str) -> RunPhase:
    for phase in opened.reading.phases:
        if phase.phase.value == name:
            return phase
    raise NotFoundError("A run has a log of its plan and one of its apply.")


async def _tail(process: Process, phase: RunPhase, *, is_open: bool) -> dict[str, Any]:
    read = log_reading.tail if is_open else log_reading.folded
    shown = await read(process, phase.id)
    return {
        "name": phase.phase.value,
        "lines": shown.lines,
        "size": shown.size,
        "shown": shown.end - shown.begin,
        "earlier": shown.begin > 0,
        "end": shown.end,
        "grows": log_reading.grows(phase),
        "is_open": is_open,
        "is_later": not is_open and shown.size > 0,
    }


def _part(template: str, /, **values: Any) -> HTMLResponse:
    return HTMLResponse(fragment(template, **values), headers=SECURITY_HEADERS)
