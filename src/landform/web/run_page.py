"""The page of a run and its parts, at the address that the command line prints."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import teams_of
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page
from landform.runs import queries
from landform.runs.models import Run, RunPhase
from landform.web import log_reading
from landform.web.pages import SECURITY_HEADERS, CurrentSession, Visitor, fragment, page
from landform.web.present import checks
from landform.web.present import plan as plans
from landform.web.present import runs as present
from landform.web.present.pages import Pages
from landform.web.present.plan import Plan
from landform.web.present.progress import Progress
from landform.web.run_reading import SHELF, Reading, read_run
from landform.web.visit import Crumb, Shell, Visit, WorkspaceVisit, locate

router = APIRouter(include_in_schema=False)

RUN: Final = "/app/{organization}/{workspace}/runs/{run_id}"
_SIZE: Final = 200  # changes of a page
_INLINE: Final = 40  # changes whose attributes come with the page
_RESOURCES: Final = 500  # of an apply that are listed
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


async def open_run(request: Request, process: Process, visitor: Visitor) -> Opened:
    """Read the run that the address names.

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
        crumbs = (Crumb("Runs", f"{visit.path}/runs"), Crumb(run.id))
        shell = await visit.shell("runs", crumbs)
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
    return {
        "run": view,
        "plan": plan,
        "plan_progress": await SHELF.progress(process, plan_phase) if view.plan.began else nothing,
        "progress": await SHELF.progress(process, apply_phase) if view.apply.began else nothing,
        "words": plans.WORDS,
        "signs": plans.SIGNS,
        "check_looks": checks.LOOKS,
        "check_words": checks.WORDS,
    }


def whole(parts: dict[str, Any], opened: Opened, *, ask: str = "") -> dict[str, Any]:
    """Return the parts with what is for this visitor only."""
    plan: Plan | None = parts["plan"]
    actor, held = opened.visit.actor, opened.visit.held
    resources = sorted(
        parts["progress"].resources.values(), key=lambda each: (_RANK[each.state], each.since)
    )
    return {
        **parts,
        "deeds": present.deeds(
            opened.reading.run, opened.reading.standing, held, actor, opened.teams
        ),
        "standing": opened.reading.standing,
        "approvers": opened.reading.approvers,
        "destroyed": plan.destroyed() if plan else [],
        "shown_resources": resources[:_RESOURCES],
        "here": opened.here,
        "shell": opened.shell,
        "visitor": opened.visit.visitor,
        "ask": ask,
    }


_RANK: Final = {"failed": 0, "working": 1, "done": 2}


@router.get(RUN)
async def show(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    find: Text = "",
    action: Text = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
    ask: Text = "",
) -> Response:
    """Show what a run is, did and waits for."""
    opened = await open_run(request, process, visitor)
    parts = await parts_of(process, opened.reading)
    values = whole(parts, opened, ask=ask)
    values |= changes(parts["plan"], opened.here, find, action, number)
    plan_phase, apply_phase = opened.reading.phases
    plan_log = await _tail(process, plan_phase, is_open=not opened.reading.view.apply.began)
    apply_log = await _tail(process, apply_phase, is_open=True)
    since = f"{plan_log['end']}.{apply_log['end']}"
    return page(
        request, "runs/run.html", plan_log=plan_log, apply_log=apply_log, since=since, **values
    )


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
    return _part(
        "runs/_changes.html", here=opened.here, words=plans.WORDS, signs=plans.SIGNS, **values
    )


@router.get(f"{RUN}/plan/{{place}}")
async def show_change(
    request: Request, process: CurrentProcess, visitor: CurrentSession, place: int
) -> Response:
    """Give the attributes of one change; to a browser without scripts as a page."""
    opened = await open_run(request, process, visitor)
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
    q: Text = "",
) -> Response:
    """Show a stretch of a log, or find lines in the whole of it."""
    opened = await open_run(request, process, visitor)
    phase = _phase(opened, name)
    size = await log_reading.size_of(process, phase.id)
    # Some of what is before a line that is linked to, so that it can be understood.
    begin = 0 if at is None else at
    shown = await log_reading.window(process, phase.id, begin=begin, size=size)
    # Who follows a match does not wait for all of them to be found again.
    searches = log_reading.SEARCHES
    matches = searches.known(phase.id, size, q)
    if q.strip() and at is None:
        matches = await searches.find(process, phase.id, size, q)
    return page(
        request,
        "runs/log.html",
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
    shown = await log_reading.tail(process, phase.id)
    return {
        "name": phase.phase.value,
        "lines": shown.lines,
        "size": shown.size,
        "shown": shown.end - shown.begin,
        "earlier": shown.begin > 0,
        "end": shown.end,
        "grows": log_reading.grows(phase),
        "is_open": is_open,
    }


def _part(template: str, /, **values: Any) -> HTMLResponse:
    return HTMLResponse(fragment(template, **values), headers=SECURITY_HEADERS)
