"""The table of an organization's workspaces, and making one."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import sight
from landform.edge.deps import CurrentProcess, base_url
from landform.identity.actor import Actor
from landform.kit.errors import MalformedError
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs import overview
from landform.runs.overview import Standing
from landform.toolchain.versions import Tool
from landform.vcs import queries as connections
from landform.web import lists
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import CurrentSession, redirect
from landform.web.present import workspaces as present
from landform.web.present.pages import Pages, with_query
from landform.web.visit import Crumb, InOrganization, Visit, enter
from landform.workspaces import organizations, projects, repositories, service, tags
from landform.workspaces.queries import WorkspaceFilter
from landform.workspaces.settings import WorkspaceSettings

router = APIRouter(include_in_schema=False)

_SIZE: Final = 50  # rows of a page
_PROJECTS: Final = 200  # that can be chosen from
_LARGEST_PAGE: Final = 100_000
Text = Annotated[str, Query(max_length=300)]
Number = Annotated[int, Query(ge=1, le=_LARGEST_PAGE)]


@dataclass(frozen=True)
class Asked:
    """How the table is narrowed, sorted and paged: the query of its address."""

    q: Text = ""
    status: Text = ""
    project: Text = ""
    tag: Text = ""
    locked: Text = ""
    sort: Text = "name"
    page: Number = 1

    @property
    def standing(self) -> Standing | None:
        """Return how the wanted workspaces are doing; None for in any way."""
        return _standing(self.status)

    @property
    def wanted(self) -> WorkspaceFilter:
        """Return which workspaces are wanted besides."""
        return WorkspaceFilter(
            search_name=self.q.strip(),
            project_id=self.project or None,
            tagged=_tags(self.tag),
            locked=True if self.locked else None,
        )

    @property
    def query(self) -> dict[str, str]:
        """Return it as an address says it, without the page's number."""
        sort = "" if self.sort == "name" else self.sort
        given = {"q": self.q, "status": self.status, "project": self.project, "tag": self.tag}
        return {**given, "locked": self.locked, "sort": sort}


AsAsked = Annotated[Asked, Depends()]


@router.get("/app/{organization}")
async def table(visit: InOrganization, asked: AsAsked) -> Response:
    """List the workspaces that are wanted, each with the run it is at."""
    host = _host(base_url(visit.request))
    values = await _table(visit.session, visit.actor, visit.organization, asked, host)
    number = str(asked.page) if asked.page > 1 else ""
    live = {**asked.query, "page": number, "since": lists.mark_of(values)}
    return await visit.page(
        "workspaces/table.html",
        section="workspaces",
        crumbs=[Crumb("Workspaces")],
        may_create=await visit.may_make_workspaces(),
        live=with_query(f"{visit.path}/workspaces/events", live),
        bulk=with_query(f"{visit.path}/workspaces/bulk", asked.query),
        deeds={deed.value: label for deed, (label, _) in present.DEEDS.items()},
        **values,
    )


@router.get("/organizations/{organization}/workspaces/events")
async def table_events(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    organization: str,
    asked: AsAsked,
    since: lists.Since = "",
    last_event_id: lists.LastEventId = "",
) -> Response:
    """Tell what changes in the table."""
    host = _host(base_url(request))

    async def find(visit: Visit) -> lists.Source:
        found = (await enter(visit, organization)).organization

        async def read(session: AsyncSession, actor: Actor) -> lists.Values:
            owner = await organizations.by_id_or_name(session, actor, found.id)
            return await _table(session, actor, owner, asked, host)

        return lists.Source(
            template="workspaces/_list.html",
            row_template="workspaces/_row.html",
            what=(found.id, asked, host),
            places=[found.id],
            sight=lambda session, actor: sight(session, actor, found.id),
            read=read,
        )

    return await lists.stream(request, process, visitor, find, last_event_id or since)


async def _table(
    session: AsyncSession, actor: Actor, organization: Organization, asked: Asked, host: str
) -> dict[str, Any]:
    """Return what the table shows, to everybody who sees the same workspaces."""
    page = Page(number=asked.page, size=_SIZE)
    found = await overview.list_with_runs(
        session,
        actor,
        organization,
        asked.wanted,
        standing=asked.standing,
        sort=asked.sort,
        page=page,
    )
    counts = await overview.count_by_standing(session, actor, organization)
    first = Page(number=1, size=_PROJECTS)
    shelves = await projects.list_projects(session, actor, organization, page=first)
    shown = [each.workspace for each in found.items]
    names = await tags.texts_of(session, shown)
    linked = await repositories.repositories_of(session, shown)
    path, query = f"/app/{organization.name}", asked.query
    return {
        "organization": organization.name,
        "host": host,
        "rows": [
            present.row_of(
                organization.name,
                each,
                names[each.workspace.id],
                linked.get(each.workspace.id),
            )
            for each in found.items
        ],
        "total": found.total,
        "all_count": present.all_of(counts),
        "columns": present.columns(path, query, asked.sort),
        "choices": present.choices(path, query, counts, asked.standing),
        "projects": [(each.id, each.name) for each in shelves.items],
        "query": query,
        "pages": Pages(path, query, page, found.total),
    }


@router.get("/organizations/{organization}/workspaces/new")
async def show_new(visit: InOrganization, project: Text = "") -> Response:
    """Show the roads to a new workspace."""
    shelves = await visit.shelves()
    return await visit.page(
        "workspaces/new.html",
        section="workspaces",
        crumbs=[Crumb("New workspace")],
        project=project,
        projects=[(each.id, each.name) for each in shelves],
        default_project=visit.organization.default_project_id,
        tools=[(tool.value, present.TOOLS[tool]) for tool in Tool],
        has_connections=await _has_connections(visit),
        may_connect=visit.may(Permission.MANAGE_VCS),
        url=base_url(visit.request),
        host=_host(base_url(visit.request)),
    )


@router.post("/organizations/{organization}/workspaces/new")
async def create(visit: InOrganization, form: OwnForm) -> Response:
    """Make a workspace and lead to it."""
    tool = form.line("tool")
    settings = WorkspaceSettings(
        name=form.line("name"),
        description=form.line("description"),
        tool=Tool(tool) if tool in set(Tool) else None,
        tool_version=form.line("version"),
        source="tfe-ui",
    )
    project = None
    if form.line("project"):
        project = await projects.get_project(visit.session, visit.actor, form.line("project"))
    with refusals_to(f"{visit.path}/workspaces/new", names={"terraform_version": "version"}):
        made = await service.create_workspace(
            visit.session, visit.actor, visit.organization, settings, project=project
        )
    place = f"/app/{visit.organization.name}/{made.name}"
    return redirect(place, say=f"{made.name} was created.")


async def _has_connections(visit: InOrganization) -> bool:
    """Tell whether a repository can be chosen; who may not know is told of no lack."""
    if not visit.may(Permission.USE_VCS):
        return True
    return bool(await connections.list_usable(visit.session, visit.actor, visit.organization.id))


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
