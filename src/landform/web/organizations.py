"""Organizations and their projects: choosing, making, settings."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import tokens
from landform.access.events import (
    MemberAdded,
    MemberRemoved,
    TeamDeleted,
    TeamMembersAdded,
    TeamMembersRemoved,
)
from landform.access.permissions import Permission
from landform.agents import queries as agents
from landform.edge.deps import CurrentProcess
from landform.identity.actor import Actor
from landform.identity.models import ApiToken
from landform.kit.errors import ForbiddenError
from landform.kit.pagination import Page
from landform.organizations.events import OrganizationCreated, OrganizationDeleted
from landform.organizations.service import OrganizationSettings
from landform.runs import overview
from landform.runs.overview import Tally
from landform.web import lists
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import CurrentSession, SendBackError, redirect
from landform.web.present import modes
from landform.web.present.pages import Pages, with_query
from landform.web.visit import AnyVisit, Crumb, InOrganization, Visit
from landform.workspaces import organizations, projects
from landform.workspaces.projects import ProjectSettings

router = APIRouter(include_in_schema=False)

_SIZE = 50
_FIRST = Page(number=1, size=1)
_POOLS = Page(number=1, size=500)
Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=100_000)]
# By which organizations come to be somebody's to see, and cease to be.
_COMING_AND_GOING: Final = tuple(
    kind.__name__
    for kind in (
        *(OrganizationCreated, OrganizationDeleted, MemberAdded, MemberRemoved),
        *(TeamMembersAdded, TeamMembersRemoved, TeamDeleted),
    )
)


@dataclass(frozen=True)
class Row:
    """One organization of the list."""

    key: str
    tally: Tally


@router.get("/")
async def home(visit: AnyVisit) -> Response:
    """Lead to the only organization, or let one be chosen."""
    first = Page(number=1, size=2)
    found = await organizations.list_organizations(visit.session, visit.actor, page=first)
    if found.total == 1:
        return redirect(f"/app/{found.items[0].name}")
    return redirect("/organizations" if found.total else "/welcome")


@router.get("/organizations")
async def show_all(visit: AnyVisit, q: Text = "", page: Number = 1) -> Response:
    """List the organizations that the visitor may know of."""
    values = await _list(visit.session, visit.actor, q.strip(), page)
    number = str(page) if page > 1 else ""
    live = {"q": q, "page": number, "since": lists.mark_of(values)}
    return await visit.page(
        "organizations/list.html",
        section="organizations",
        crumbs=[Crumb("Organizations")],
        live=with_query("/organizations/events", live),
        **values,
    )


@router.get("/organizations/events")
async def events(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    q: Text = "",
    page: Number = 1,
    since: lists.Since = "",
    last_event_id: lists.LastEventId = "",
) -> Response:
    """Tell what changes in the list."""

    async def find(visit: Visit) -> lists.Source:
        return lists.Source(
            template="organizations/_list.html",
            row_template="organizations/_row.html",
            what=(q, page),
            places=_COMING_AND_GOING,
            sight=_sight,
            read=lambda session, actor: _list(session, actor, q.strip(), page),
        )

    return await lists.stream(request, process, visitor, find, last_event_id or since)


async def _sight(session: AsyncSession, actor: Actor) -> str:
    return "" if actor.is_site_admin else actor.id


async def _list(session: AsyncSession, actor: Actor, q: str, number: int) -> dict[str, Any]:
    wanted = Page(number=number, size=_SIZE)
    found = await organizations.list_organizations(session, actor, search=q, page=wanted)
    tallies = await overview.tallies(session, actor, found.items)
    return {
        "rows": [Row(each.name, tallies.get(each.id, Tally())) for each in found.items],
        "places": [each.id for each in found.items],
        "q": q,
        "pages": Pages("/organizations", {"q": q}, wanted, found.total),
    }


@router.get("/organizations/new")
async def show_new(visit: AnyVisit) -> Response:
    """Show the form."""
    return await visit.page(
        "organizations/new.html",
        section="organizations",
        crumbs=[Crumb("Organizations", "/organizations"), Crumb("New")],
    )


@router.post("/organizations/new")
async def create(visit: AnyVisit, form: OwnForm) -> Response:
    """Make an organization and lead to it."""
    with refusals_to("/organizations/new"):
        made = await organizations.create_organization(
            visit.session, visit.actor, name=form.line("name"), email=form.line("email")
        )
    found = await organizations.list_organizations(visit.session, visit.actor, page=_FIRST)
    to = f"/welcome?organization={made.name}" if found.total == 1 else f"/app/{made.name}"
    return redirect(to, say=f"Organization {made.name} was created.")


@router.get("/organizations/{organization}/settings")
async def show_settings(visit: InOrganization) -> Response:
    """Show what can be set."""
    pools = None
    if visit.may(Permission.USE_AGENT_POOLS):
        pools = await agents.list_pools(visit.session, visit.actor, visit.organization.id, _POOLS)
    organization = visit.organization
    mode = modes.chosen(organization.default_execution_mode, organization.default_agent_pool_id)
    return await visit.page(
        "organizations/settings.html",
        section="settings",
        follows=("identity", "agents"),
        crumbs=[Crumb("Settings")],
        organization=organization,
        modes=modes.choices(pools.items if pools else [], present=mode),
        mode=mode,
        may_update=visit.may(Permission.UPDATE_ORGANIZATION),
        may_delete=visit.may(Permission.DELETE_ORGANIZATION),
        tokens=await _tokens_of(visit),
    )


async def _tokens_of(visit: InOrganization) -> list[ApiToken] | None:
    try:
        row = await tokens.of_organization(visit.session, visit.actor, visit.organization.id)
    except ForbiddenError:
        return None
    return [row] if row is not None else []


@router.post("/organizations/{organization}/settings")
async def update(visit: InOrganization, form: OwnForm) -> Response:
    """Change what is given."""
    days = form.line("max_token_days", "0") or "0"
    if not days.isascii() or not days.isdigit():
        raise SendBackError(
            f"{visit.path}/settings", "Days are a number.", pointer="max_token_days"
        )
    mode, pool_id = modes.read(form.line("default_execution_mode"))
    settings = OrganizationSettings(
        name=form.line("name"),
        email=form.line("email"),
        default_execution_mode=mode,
        default_agent_pool_id=pool_id,
        allow_force_delete_workspaces=form.flag("allow_force_delete_workspaces"),
        max_token_days=min(int(days[:9]), 10**6) if form.flag("max_token_days") else None,
    )
    names = {"default_agent_pool_id": "default_execution_mode"}
    with refusals_to(f"{visit.path}/settings", names=names):
        changed = await organizations.update_organization(
            visit.session, visit.actor, visit.organization, settings
        )
    return redirect(f"/organizations/{changed.name}/settings", say="Saved.")


@router.post("/organizations/{organization}/delete")
async def delete(visit: InOrganization, form: OwnForm) -> Response:
    """Delete an organization whose name was typed."""
    back = f"{visit.path}/settings"
    if form.line("name") != visit.organization.name:
        raise SendBackError(back, "Type the organization's name to delete it.", pointer="name")
    with refusals_to(back):
        await organizations.delete_organization(visit.session, visit.actor, visit.organization)
    return redirect("/organizations", say=f"Organization {visit.organization.name} was deleted.")


@router.get("/organizations/{organization}/projects")
async def show_projects(visit: InOrganization, q: Text = "", page: Number = 1) -> Response:
    """List the projects that the visitor may read."""
    wanted = Page(number=page, size=_SIZE)
    found = await projects.list_projects(
        visit.session, visit.actor, visit.organization, search=q.strip(), page=wanted
    )
    path = f"{visit.path}/projects"
    return await visit.page(
        "organizations/projects.html",
        section="projects",
        follows=("workspaces", "runs"),
        crumbs=[Crumb("Projects")],
        projects=found.items,
        counts=await projects.workspace_counts(visit.session, found.items),
        tallies=await overview.tallies_of_projects(
            visit.session, visit.actor, visit.organization.id, found.items
        ),
        default_id=visit.organization.default_project_id,
        may_create=visit.may(Permission.CREATE_PROJECT),
        q=q,
        pages=Pages(path, {"q": q}, wanted, found.total),
    )


@router.post("/organizations/{organization}/projects")
async def create_project(visit: InOrganization, form: OwnForm) -> Response:
    """Make a project."""
    settings = ProjectSettings(name=form.line("name"), description=form.line("description"))
    with refusals_to(f"{visit.path}/projects"):
        made = await projects.create_project(
            visit.session, visit.actor, visit.organization, settings
        )
    return redirect(f"{visit.path}/projects", say=f"Project {made.name} was created.")


@router.post("/organizations/{organization}/projects/{project_id}")
async def change_project(visit: InOrganization, project_id: str, form: OwnForm) -> Response:
    """Rename or delete a project."""
    back = f"{visit.path}/projects"
    project = await projects.get_project(visit.session, visit.actor, project_id)
    with refusals_to(back):
        if form.line("deed") == "delete":
            await projects.delete_project(visit.session, visit.actor, project)
            return redirect(back, say=f"Project {project.name} was deleted.")
        settings = ProjectSettings(name=form.line("name"), description=form.line("description"))
        await projects.update_project(visit.session, visit.actor, project, settings)
    return redirect(back, say="Saved.")
