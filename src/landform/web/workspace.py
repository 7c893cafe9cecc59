"""The front page of a workspace."""

from typing import Final

from fastapi import APIRouter, Response

from landform.access.permissions import Permission
from landform.configurations import queries as configurations
from landform.configurations.readme import Readme
from landform.edge.deps import base_url
from landform.identity import users
from landform.kit.pagination import Page
from landform.runs import queries as runs
from landform.runs.models import Run
from landform.runs.queries import RunFilter
from landform.states import queries as states
from landform.states.models import StateVersion
from landform.web.present import states as present_states
from landform.web.present.runs import row_of
from landform.web.present.text import as_json
from landform.web.visit import InWorkspace
from landform.workspaces import tags
from landform.workspaces.models import Project

router = APIRouter(include_in_schema=False)

_LATEST: Final = 5
_RESOURCES: Final = 12  # on the front page; the page of the state has all


@router.get("/app/{organization}/{workspace}")
async def overview(visit: InWorkspace) -> Response:
    """Show how the workspace is doing and what it manages."""
    session, workspace = visit.session, visit.workspace
    first = Page(number=1, size=_LATEST)
    latest = await runs.list_of(session, visit.actor, workspace, first, RunFilter())
    current = await _run_at(visit)
    shown = [current, *latest.items] if current else latest.items
    ids = {run.created_by for run in shown} | {workspace.lock_holder_id or ""}
    names = await users.names_of(session, ids)
    state = await _state(visit)
    resources = present_states.resources_of(state.resources) if state else []
    project = await session.get_one(Project, workspace.project_id)
    bound = await tags.effective_bindings(session, visit.actor, workspace)
    owner = visit.organization.name
    return await visit.page(
        "workspaces/overview.html",
        section="overview",
        workspace=workspace,
        project=project.name,
        latest=[row_of(run, owner, workspace.name, names) for run in latest.items],
        current=row_of(current, owner, workspace.name, names) if current else None,
        state=state,
        resources=resources[:_RESOURCES],
        resource_count=len(resources),
        kinds=present_states.by_kind(resources),
        modules=present_states.by_module(resources),
        outputs=await _outputs(visit, state),
        readme=await _readme(visit),
        tags=[f"{each.key}={each.value}" if each.value else each.key for each in bound],
        lock_holder=names.get(workspace.lock_holder_id or "", workspace.lock_holder_id),
        may_plan=visit.may(Permission.QUEUE_PLAN),
        host=base_url(visit.request).split("://", 1)[-1],
    )


async def _run_at(visit: InWorkspace) -> Run | None:
    if visit.workspace.current_run_id is None:
        return None
    return await visit.session.get(Run, visit.workspace.current_run_id)


async def _readme(visit: InWorkspace) -> Readme | None:
    if not visit.may(Permission.READ_RUNS):
        return None
    keyring = visit.process.platform.keyring
    return await configurations.readme_of(visit.session, keyring, visit.actor, visit.workspace)


async def _state(visit: InWorkspace) -> StateVersion | None:
    if not visit.may(Permission.READ_OUTPUTS) or not visit.workspace.current_state_version_id:
        return None
    return await states.current(
        visit.session, visit.actor, visit.workspace, permission=Permission.READ_OUTPUTS
    )


async def _outputs(visit: InWorkspace, state: StateVersion | None) -> list[present_states.Output]:
    if state is None:
        return []
    rows = await states.outputs_of(visit.session, state)
    return present_states.outputs_of(visit.process.platform.keyring, rows, as_json)
