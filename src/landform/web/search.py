"""Finding things by name or id, from any page; and the theme of the pages."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from landform.access.permissions import Permission, Place
from landform.access.service import may_somewhere, permissions
from landform.kit.errors import LandformError
from landform.kit.ids import is_id
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs import overview
from landform.runs import queries as runs
from landform.web.forms import OwnForm
from landform.web.pages import SECURITY_HEADERS, THEME_COOKIE, THEMES, fragment, redirect
from landform.web.visit import AnyVisit, Crumb
from landform.workspaces import organizations, projects
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace
from landform.workspaces.queries import WorkspaceFilter

router = APIRouter(include_in_schema=False)

_EACH: Final = 6  # results of one kind
_ORGANIZATIONS: Final = 5  # that are searched when none is given
_YEAR_S: Final = 365 * 86400
# label, end of the address, what one needs to see the page
_OF_AN_ORGANIZATION: Final = (
    ("New workspace", "/workspaces/new", Permission.CREATE_WORKSPACE),
    ("Projects", "/projects", None),
    ("Runs of the organization", "/runs", None),
    ("Variable sets", "/variable-sets", None),
    ("Teams", "/teams", None),
    ("VCS providers", "/vcs", Permission.USE_VCS),
    ("Agent pools", "/agent-pools", Permission.USE_AGENT_POOLS),
    ("Audit trail", "/audit", Permission.READ_AUDIT_TRAIL),
    ("Settings of the organization", "/settings", None),
)
_OF_A_WORKSPACE: Final = (
    ("Overview", "", Permission.READ_WORKSPACE),
    ("Runs", "/runs", Permission.READ_RUNS),
    ("New run", "/runs/new", Permission.QUEUE_PLAN),
    ("States", "/states", Permission.READ_STATE),
    ("Variables", "/variables", Permission.READ_VARIABLES),
    ("Repository", "/repository", Permission.READ_WORKSPACE),
    ("Access", "/access", Permission.MANAGE_ACCESS),
    ("Settings", "/settings", Permission.READ_WORKSPACE),
)
Text = Annotated[str, Query(max_length=200)]
Within = Annotated[str, Query(alias="in", max_length=200)]


@dataclass(frozen=True)
class Found:
    """One result."""

    label: str
    kind: str
    href: str
    note: str = ""
    status: str = ""  # of the latest run of a workspace


@router.get("/search")
async def search(visit: AnyVisit, q: Text = "", organization: Within = "") -> Response:
    """Show what is found, as a page."""
    return await visit.page(
        "layout/search.html",
        section="search",
        crumbs=[Crumb("Search")],
        q=q,
        organization=organization,
        found=await _find(visit, q.strip(), organization),
    )


@router.get("/search/found")
async def found(visit: AnyVisit, q: Text = "", organization: Within = "") -> Response:
    """Give what is found, for the palette."""
    results = await _find(visit, q.strip(), organization)
    return HTMLResponse(
        fragment("layout/_found.html", found=results, q=q), headers=SECURITY_HEADERS
    )


async def _find(visit: AnyVisit, text: str, organization: str) -> list[Found]:
    if is_id(text):
        return await _by_id(visit, text)
    results: list[Found] = []
    for owner in await _places(visit, organization):
        results += await _in(visit, owner, text)
    results += await _pages(visit, text, organization)
    return results[:30]


async def _places(visit: AnyVisit, name: str) -> list[Organization]:
    if name:
        try:
            return [await organizations.by_name(visit.session, visit.actor, name)]
        except LandformError:
            return []
    first = Page(number=1, size=_ORGANIZATIONS)
    shown = await organizations.list_organizations(visit.session, visit.actor, page=first)
    return list(shown.items)


async def _in(visit: AnyVisit, owner: Organization, text: str) -> list[Found]:
    first, wanted = Page(number=1, size=_EACH), WorkspaceFilter(search_name=text)
    session, actor = visit.session, visit.actor
    listed = await overview.list_with_runs(session, actor, owner, wanted, page=first)
    results = [
        Found(
            each.workspace.name,
            "Workspace",
            f"/app/{owner.name}/{each.workspace.name}",
            owner.name,
            each.run.status.value if each.run else "",
        )
        for each in listed.items
    ]
    if text:
        shelves = await projects.list_projects(session, actor, owner, search=text, page=first)
        results += [
            Found(each.name, "Project", f"/app/{owner.name}?project={each.id}", owner.name)
            for each in shelves.items
        ]
    return results + await _sections(visit, owner, text)


async def _sections(visit: AnyVisit, owner: Organization, text: str) -> list[Found]:
    """Find pages of workspaces: `network var` is the variables of the workspace network."""
    name, _, word = text.rpartition(" ")
    if not name.strip() or not word:
        return []
    first, wanted = Page(number=1, size=_EACH), WorkspaceFilter(search_name=name.strip())
    listed = await overview.list_with_runs(visit.session, visit.actor, owner, wanted, page=first)
    results = []
    for workspace in [each.workspace for each in listed.items]:
        held = await permissions(visit.session, visit.actor, workspace.place)
        results += [
            Found(f"{workspace.name}: {label}", "Page", f"/app/{owner.name}/{workspace.name}{tail}")
            for label, tail, needed in _OF_A_WORKSPACE
            if needed in held and label.lower().startswith(word.lower())
        ]
    return results


async def _by_id(visit: AnyVisit, text: str) -> list[Found]:
    try:
        if text.startswith("run-"):
            run = await runs.get(visit.session, visit.actor, text)
            workspace = await visit.session.get_one(Workspace, run.workspace_id)
            kind, tail = "Run", f"/runs/{run.id}"
        else:
            workspace = await workspaces.get(visit.session, visit.actor, text)
            kind, tail = "Workspace", ""
    except LandformError:
        return []
    owner = await visit.session.get_one(Organization, workspace.organization_id)
    path = f"/app/{owner.name}/{workspace.name}{tail}"
    return [Found(text if tail else workspace.name, kind, path, workspace.name)]


async def _pages(visit: AnyVisit, text: str, organization: str) -> list[Found]:
    home = f"/organizations/{organization}"
    every = [
        Found("Organizations", "Page", "/organizations"),
        Found("API tokens", "Page", "/account/tokens"),
        Found("Sessions", "Page", "/account/sessions"),
        Found("Second factor", "Page", "/account/two-factor"),
        Found("Linked accounts", "Page", "/account/identities"),
    ]
    for owner in await _places(visit, organization) if organization else ():
        held = await permissions(visit.session, visit.actor, Place(organization_id=owner.id))
        making = Permission.CREATE_WORKSPACE  # whoever may in one project makes them there
        if await may_somewhere(visit.session, visit.actor, making, owner.id):
            held |= {making}
        every += [
            Found("Workspaces", "Page", f"/app/{owner.name}"),
            *(
                Found(label, "Page", f"{home}{tail}")
                for label, tail, needed in _OF_AN_ORGANIZATION
                if needed is None or needed in held
            ),
        ]
    return [each for each in every if text.lower() in each.label.lower()]


@router.post("/theme")
async def set_theme(form: OwnForm) -> Response:
    """Remember light, dark, or as the system says."""
    answer = redirect(form.line("then", "/"))
    theme = form.line("theme")
    answer.set_cookie(
        THEME_COOKIE,
        theme if theme in THEMES else "auto",
        samesite="lax",
        path="/",
        max_age=_YEAR_S,
        httponly=True,
    )
    return answer
