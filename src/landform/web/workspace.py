"""The front page of a workspace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Permissions
from landform.access.service import permissions
from landform.configurations import queries as configurations
from landform.edge.deps import CurrentProcess, base_url
from landform.identity import users
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs import queries as runs
from landform.runs.models import Run
from landform.runs.queries import RunFilter
from landform.states import queries as states
from landform.states.models import StateVersion
from landform.web import lists
from landform.web.pages import CurrentSession
from landform.web.present import states as present_states
from landform.web.present.pages import with_query
from landform.web.present.runs import row_of
from landform.web.present.text import as_json
from landform.web.present.workspaces import TOOLS
from landform.web.run_reading import authors_of
from landform.web.visit import InWorkspace, Visit, locate
from landform.workspaces import queries as workspaces
from landform.workspaces import tags
from landform.workspaces.models import LockHolder, Project, Workspace, WorkspaceRepository

router = APIRouter(include_in_schema=False)

_LATEST: Final = 5
_RESOURCES: Final = 12  # on the front page; the page of the state has all


@dataclass(frozen=True, kw_only=True)
class About:
    """What is said beside of a workspace.

    Attributes:
        repository: whose pushes it is planned from, and `branch` which of them; empty without one.
        lock: by whom it is locked; empty when it is open.
        state: serial and size in bytes of its state, for who may read of it.
    """

    id: str
    project: str
    engine: str
    runs: str
    applies: str
    directory: str
    state: tuple[int, int] | None
    lock: str
    locked_at: datetime | None
    lock_reason: str
    created_at: datetime
    repository: str
    branch: str


@router.get("/app/{organization}/{workspace}")
async def overview(visit: InWorkspace) -> Response:
    """Show how the workspace is doing and what it manages."""
    host = _host(visit.request)
    keyring = visit.process.platform.keyring
    values = await _values(visit.session, keyring, visit.actor, visit.workspace.id, host)
    return await visit.page(
        "workspaces/overview.html",
        section="overview",
        workspace=visit.workspace,
        may_plan=visit.may(Permission.QUEUE_PLAN),
        live=with_query(f"{visit.path}/events", {"since": lists.mark_of(values)}),
        **values,
    )


@router.get("/app/{organization}/{workspace}/events")
async def events(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    organization: str,
    workspace: str,
    since: lists.Since = "",
    last_event_id: lists.LastEventId = "",
) -> Response:
    """Tell what changes on the front page."""
    host, keyring = _host(request), process.platform.keyring

    async def find(visit: Visit) -> lists.Source:
        place = (await locate(visit, organization, workspace)).workspace.place
        workspace_id = str(place.workspace_id)

        async def sight(session: AsyncSession, actor: Actor) -> Permissions:
            return await permissions(session, actor, place)

        return lists.Source(
            template="workspaces/_overview.html",
            row_template="",
            what=(workspace_id, host),
            places=[workspace_id],
            sight=sight,
            read=lambda session, actor: _values(session, keyring, actor, workspace_id, host),
        )

    return await lists.stream(request, process, visitor, find, last_event_id or since)


async def _values(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace_id: str, host: str
) -> dict[str, Any]:
    """Return what the page shows to everybody with the permissions that `actor` has there."""
    workspace = await workspaces.get(session, actor, workspace_id)
    organization = await session.get_one(Organization, workspace.organization_id)
    held = await permissions(session, actor, workspace.place)
    first = Page(number=1, size=_LATEST)
    latest = await runs.list_of(session, actor, workspace, first, RunFilter())
    current = await session.get(Run, workspace.current_run_id) if workspace.current_run_id else None
    shown = [current, *latest.items] if current else latest.items
    authors = await authors_of(session, shown)
    holder = workspace.lock_holder_id
    names = await users.names_of(session, [holder]) if holder else {}
    state = None
    if Permission.READ_OUTPUTS in held and workspace.current_state_version_id:
        state = await states.current(session, actor, workspace, permission=Permission.READ_OUTPUTS)
    resources = present_states.resources_of(state.resources) if state else []
    readme = None
    if Permission.READ_RUNS in held:
        readme = await configurations.readme_of(session, keyring, actor, workspace)
    bound = await tags.effective_bindings(session, actor, workspace)
    owner = organization.name
    linked = await session.get(WorkspaceRepository, workspace.id)
    outputs = await states.outputs_of(session, state) if state else []
    project = await session.get_one(Project, workspace.project_id)
    return {
        "rows": [],
        "here": f"/app/{owner}/{workspace.name}",
        "owner": owner,
        "name": workspace.name,
        "host": host,
        "about": _about(workspace, project, state, names, linked),
        "latest": [row_of(run, owner, workspace.name, authors[run.id]) for run in latest.items],
        "current": row_of(current, owner, workspace.name, authors[current.id]) if current else None,
        "state_href": f"/app/{owner}/{workspace.name}/states/{state.id}"
        if state and Permission.READ_STATE in held
        else "",
        "instances": state.resource_count if state else 0,
        "resources": resources[:_RESOURCES],
        "resource_count": len(resources),
        "kinds": present_states.by_kind(resources),
        "modules": present_states.by_module(resources),
        "outputs": present_states.outputs_of(keyring, outputs, as_json),
        "readme": readme,
        "drift": (workspace.drifted, f"/app/{owner}/{workspace.name}/runs/{workspace.drift_run_id}")
        if workspace.drifted and Permission.READ_RUNS in held
        else None,
        "tags": [f"{each.key}={each.value}" if each.value else each.key for each in bound],
    }


def _about(
    workspace: Workspace,
    project: Project,
    state: StateVersion | None,
    names: dict[str, str],
    linked: WorkspaceRepository | None,
) -> About:
    holder = workspace.lock_holder_id or ""
    is_run = workspace.lock_holder_kind is LockHolder.RUN
    return About(
        id=workspace.id,
        project=project.name,
        engine=f"{TOOLS[workspace.tool]} {workspace.tool_version}",
        runs=_WHERE[workspace.execution_mode.value],
        applies="automatically" if workspace.auto_apply else "when confirmed",
        directory=workspace.working_directory,
        state=(state.serial, state.size_bytes or 0) if state else None,
        lock="a run" if is_run else names.get(holder, holder),
        locked_at=workspace.locked_at,
        lock_reason=workspace.lock_reason,
        created_at=workspace.created_at,
        repository=linked.identifier if linked else "",
        branch=(linked.branch or linked.default_branch) if linked else "",
    )


_WHERE: Final = {"remote": "here", "local": "on the command line", "agent": "on agents"}


def _host(request: Request) -> str:
    return base_url(request).split("://", 1)[-1]
