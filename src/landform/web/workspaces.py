"""The table of an organization's workspaces, and making one."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from landform.access.permissions import Permission
from landform.edge.deps import base_url
from landform.kit.errors import MalformedError
from landform.kit.pagination import Page
from landform.runs import overview
from landform.runs.overview import Standing
from landform.toolchain.versions import Tool
from landform.web.forms import OwnForm, attempt
from landform.web.pages import redirect
from landform.web.present import workspaces as present
from landform.web.present.pages import Pages
from landform.web.visit import Crumb, InOrganization
from landform.workspaces import projects, service, tags
from landform.workspaces.queries import WorkspaceFilter
from landform.workspaces.settings import WorkspaceSettings

router = APIRouter(include_in_schema=False)

_SIZE: Final = 50  # rows of a page
_PROJECTS: Final = 200  # that can be chosen from
_LARGEST_PAGE: Final = 100_000
Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=_LARGEST_PAGE)]


@router.get("/app/{organization}")
async def table(
    visit: InOrganization,
    q: Text = "",
    status: Text = "",
    project: Text = "",
    tag: Text = "",
    locked: Text = "",
    sort: Text = "name",
    page: Number = 1,
) -> Response:
    """List the workspaces that are wanted, each with the run it is at."""
    standing = _standing(status)
    shown_page = Page(number=page, size=_SIZE)
    wanted = WorkspaceFilter(
        search_name=q.strip(),
        project_id=project or None,
        tagged=_tags(tag),
        locked=True if locked else None,
    )
    session, actor = visit.session, visit.actor
    found = await overview.list_with_runs(
        session,
        actor,
        visit.organization,
        wanted,
        standing=standing,
        sort=sort,
        page=shown_page,
    )
    counts = await overview.count_by_standing(session, actor, visit.organization)
    first = Page(number=1, size=_PROJECTS)
    shelves = await projects.list_projects(session, actor, visit.organization, page=first)
    names = await tags.texts_of(session, [each.workspace for each in found.items])
    path = f"/app/{visit.organization.name}"
    query = {
        "q": q,
        "status": status,
        "project": project,
        "tag": tag,
        "locked": locked,
        "sort": "" if sort == "name" else sort,
    }
    return await visit.page(
        "workspaces/table.html",
        section="workspaces",
        crumbs=[Crumb("Workspaces")],
        rows=[
            present.row_of(visit.organization.name, each, names[each.workspace.id])
            for each in found.items
        ],
        total=found.total,
        all_count=sum(counts.values()),
        columns=present.columns(path, query, sort),
        choices=present.choices(path, query, counts, standing),
        projects=[(each.id, each.name) for each in shelves.items],
        query=query,
        pages=Pages(path, query, shown_page, found.total),
        may_create=visit.may(Permission.CREATE_WORKSPACE),
        host=_host(base_url(visit.request)),
    )


@router.get("/organizations/{organization}/workspaces/new")
async def show_new(visit: InOrganization, project: Text = "") -> Response:
    """Show the two roads to a new workspace."""
    return await _new(visit, {"project": project})


@router.post("/organizations/{organization}/workspaces/new")
async def create(visit: InOrganization, form: OwnForm) -> Response:
    """Make a workspace and lead to it."""
    given = {
        name: form.line(name) for name in ("name", "description", "tool", "version", "project")
    }
    settings = WorkspaceSettings(
        name=given["name"],
        description=given["description"],
        tool=Tool(given["tool"]) if given["tool"] in set(Tool) else None,
        tool_version=given["version"],
        source="tfe-ui",
    )
    project = None
    if given["project"]:
        project = await projects.get_project(visit.session, visit.actor, given["project"])
    made, failure = await attempt(
        visit.session,
        service.create_workspace(
            visit.session, visit.actor, visit.organization, settings, project=project
        ),
    )
    if made is None:
        return await _new(visit, given, failure)
    then = "/repository" if form.line("then") == "repository" else ""
    place = f"/app/{visit.organization.name}/{made.name}"
    return redirect(f"{place}{then}", say=f"{made.name} was created.")


async def _new(visit: InOrganization, given: dict[str, str], failure: str = "") -> Response:
    first = Page(number=1, size=_PROJECTS)
    found = await projects.list_projects(visit.session, visit.actor, visit.organization, page=first)
    return await visit.page(
        "workspaces/new.html",
        status=422 if failure else 200,
        section="workspaces",
        crumbs=[Crumb("New workspace")],
        failure=failure,
        given={"tool": "terraform", "version": "", "name": "", "description": "", **given},
        projects=[(each.id, each.name) for each in found.items],
        default_project=visit.organization.default_project_id,
        tools=[(tool.value, {"tofu": "OpenTofu"}.get(tool, "Terraform")) for tool in Tool],
        host=_host(base_url(visit.request)),
    )


def _host(url: str) -> str:
    return url.split("://", 1)[-1]


def _standing(text: str) -> Standing | None:
    if not text:
        return None
    try:
        return Standing(text)
    except ValueError:
        raise MalformedError(f"A status is one of {', '.join(Standing)}.") from None


def _tags(text: str) -> list[tuple[str, str | None]]:
    """Read `env=prod team` as tags: a key alone stands for any value."""
    found: list[tuple[str, str | None]] = []
    for word in re.split(r"[\s,]+", text.strip()):
        key, is_given, value = word.partition("=")
        if key:
            found.append((key, value if is_given else None))
    return found
