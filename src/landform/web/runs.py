"""The page of a run, at the address that the command line prints, and the list that leads to it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import permissions, visible_workspaces
from landform.contract import LogStream
from landform.edge.deps import Session, process_of
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.clock import rfc3339
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.logs import service as logs
from landform.organizations.models import Organization
from landform.runs import queries, service
from landform.runs.models import Run, RunPhase
from landform.runs.status import FINAL, PhaseStatus, RunStatus, Step, can
from landform.web.pages import CurrentVisitor, page, redirect
from landform.workspaces import organizations
from landform.workspaces.models import Workspace

router = APIRouter(include_in_schema=False)

_LONGEST_LOG: Final = 1_000_000  # bytes shown in a page; the address for logs gives the whole
_SHOWN: Final = 200  # workspaces on the first page
_STEPS: Final = {
    "confirm": (Step.CONFIRM, "Confirm and apply", Permission.QUEUE_APPLY),
    "discard": (Step.DISCARD, "Discard", Permission.QUEUE_APPLY),
    "cancel": (Step.CANCEL, "Cancel", Permission.QUEUE_APPLY),
}


@router.get("/")
async def home(request: Request, session: Session, visitor: CurrentVisitor) -> Response:
    """List the workspaces the visitor may see, each with its latest run."""
    rows = []
    page_one = Page(number=1, size=_SHOWN)
    shown = await organizations.list_organizations(session, visitor.actor, page=page_one)
    for organization in shown.items:
        rows += await _listed(session, visitor.actor, organization)
    return page(request, "layout/home.html", visitor=visitor, workspaces=rows[:_SHOWN])


@router.get("/app/{organization}/{workspace}/runs/{run_id}")
async def show(
    request: Request,
    session: Session,
    visitor: CurrentVisitor,
    organization: str,
    workspace: str,
    run_id: str,
) -> Response:
    """Show what a run is, did and waits for."""
    run, of = await _find(session, visitor.actor, organization, workspace, run_id)
    found = await queries.phases_of(session, [run.id])
    phases = [await _phase(request, phase) for phase in found[run.id] if _began(phase)]
    shown = await _run(session, visitor.actor, run, of, request.url.path)
    return page(request, "runs/run.html", visitor=visitor, run=shown, phases=phases)


@router.post("/app/{organization}/{workspace}/runs/{run_id}")
async def act(
    request: Request,
    session: Session,
    visitor: CurrentVisitor,
    organization: str,
    workspace: str,
    run_id: str,
    form_token: Annotated[str, Form()],
    step: Annotated[str, Form()],
) -> Response:
    """Confirm, discard or cancel."""
    visitor.require_own_form(form_token)
    run, _ = await _find(session, visitor.actor, organization, workspace, run_id)
    if step == "confirm":
        await service.confirm(session, visitor.actor, run.id)
    elif step == "discard":
        await service.discard(session, visitor.actor, run.id)
    elif step == "cancel":
        await service.cancel(session, visitor.actor, run.id)
    else:
        raise InvalidError("A run can be confirmed, discarded or canceled here.")
    return redirect(request.url.path)


async def _find(
    session: AsyncSession, actor: Actor, organization: str, workspace: str, run_id: str
) -> tuple[Run, Workspace]:
    run = await queries.get(session, actor, run_id)
    of = await session.get_one(Workspace, run.workspace_id)
    owner = await session.get_one(Organization, run.organization_id)
    if (of.name, owner.name) != (workspace, organization):
        raise NotFoundError(f"There is no run {run_id} in {organization}/{workspace}.")
    return run, of


async def _run(
    session: AsyncSession, actor: Actor, run: Run, workspace: Workspace, path: str
) -> dict[str, Any]:
    held = await permissions(session, actor, workspace.place)
    owner = await session.get_one(Organization, run.organization_id)
    steps = [
        (name, label)
        for name, (step, label, permission) in _STEPS.items()
        if can(run.status, step) and permission in held and run.cancel_asked_at is None
    ]
    kind = "destroy" if run.is_destroy else "refresh" if run.refresh_only else "plan and apply"
    return {
        "id": run.id,
        "title": run.message.splitlines()[0] if run.message.strip() else "Run",
        "status": run.status.value,
        "kind": "plan only" if run.plan_only else kind,
        "tool": run.tool.value,
        "version": run.tool_version,
        "author": await _author(session, run),
        "created_at": rfc3339(run.created_at),
        "waits_for": await queries.wait_reason(session, run),
        "error": run.error,
        "organization": owner.name,
        "workspace": workspace.name,
        "is_over": run.status in FINAL or run.status is RunStatus.PLANNED,
        "steps": steps,
        "path": path,
    }


def _began(phase: RunPhase) -> bool:
    return phase.status is not PhaseStatus.PENDING


async def _phase(request: Request, phase: RunPhase) -> dict[str, Any]:
    platform = process_of(request).platform
    log = await logs.read_framed(
        platform.sessions,
        platform.store,
        phase_id=phase.id,
        stream=LogStream.TEXT,
        offset=1,
        limit=_LONGEST_LOG,
    )
    counts = ""
    if phase.additions is not None:
        counts = (
            f"{phase.additions} to add, {phase.changes} to change,"
            f" {phase.destructions} to destroy, {phase.imports} to import"
        )
    return {
        "name": phase.phase.value.capitalize(),
        "status": phase.status.value,
        "counts": counts,
        "lost": phase.maybe_not_in_state,
        "log": log.removesuffix(logs.ETX).decode(errors="replace"),
    }


async def _listed(
    session: AsyncSession, actor: Actor, organization: Organization
) -> list[dict[str, Any]]:
    visible = await visible_workspaces(session, actor, organization.id)
    query = (
        select(Workspace, Run)
        .outerjoin(Run, Run.id == Workspace.current_run_id)
        .where(visible, Workspace.organization_id == organization.id)
        .order_by(Workspace.name)
        .limit(_SHOWN)
    )
    return [
        {
            "organization": organization.name,
            "name": workspace.name,
            "run_id": run.id if run else None,
            "run_path": f"/app/{organization.name}/{workspace.name}/runs/{run.id}" if run else None,
            "status": run.status.value if run else None,
        }
        for workspace, run in await session.execute(query)
    ]


async def _author(session: AsyncSession, run: Run) -> str:
    user = await session.get(User, run.created_by)
    return user.username if user else run.created_by
