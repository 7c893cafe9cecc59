"""A new workspace from a repository: where from, which one, and what of it is to start runs."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.toolchain.versions import Tool
from landform.triggers import linking
from landform.triggers.foreseeing import rules_to_be
from landform.triggers.linking import Found
from landform.vcs import queries as connections
from landform.vcs.facts import Listing, Repository
from landform.web.forms import Form, FormAlone, Refusal, refusals_to, sent_back
from landform.web.pages import (
    SECURITY_HEADERS,
    CurrentSession,
    SendBackError,
    Visitor,
    fragment,
    redirect,
)
from landform.web.present import vcs as providers
from landform.web.present.pages import with_query
from landform.web.present.workspaces import TOOLS
from landform.web.returning import SENT, Sent
from landform.web.trigger_form import Foreseeing, TriggerForm, look
from landform.web.visit import Crumb, OrganizationVisit, Visit, enter
from landform.workspaces import projects, repositories, service
from landform.workspaces.models import Project, Workspace

router = APIRouter(include_in_schema=False)

_NEW: Final = "/organizations/{organization}/workspaces/new/repository"
_LONGEST_NAME: Final = 90
_FIELDS: Final = ("name", "description", "tool", "version", "project", "branch")
# What the form calls what the service calls otherwise.
_NAMES: Final = {"terraform_version": "version"}
Text = Annotated[str, Query(max_length=300)]
Cursor = Annotated[str, Query(max_length=2000)]


@dataclass(frozen=True, kw_only=True)
class _Alone:
    """A visit that holds no transaction, as the provider is asked meanwhile."""

    request: Request
    process: Process
    visitor: Visitor
    name: str
    organization_id: str

    @property
    def here(self) -> str:
        """Return the address of the flow."""
        return f"/organizations/{self.name}/workspaces/new/repository"

    async def again(self, session: AsyncSession) -> OrganizationVisit:
        """Return the visit in a transaction."""
        return await enter(Visit(self.request, session, self.visitor), self.name)


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The repository that was chosen, as the form carries it along."""

    connection_id: str
    repository_id: str
    identifier: str
    default_branch: str

    @classmethod
    def of(cls, found: Found) -> "_Chosen":
        repository = found.repository
        return cls(
            connection_id=found.connection_id,
            repository_id=repository.id,
            identifier=repository.identifier,
            default_branch=repository.default_branch,
        )

    @classmethod
    def filled(cls, field: Callable[[str], str]) -> "_Chosen":
        return cls(
            connection_id=field("connection"),
            repository_id=field("repository"),
            identifier=field("identifier"),
            default_branch=field("default_branch"),
        )


async def _alone(
    request: Request, process: CurrentProcess, visitor: CurrentSession, organization: str
) -> _Alone:
    async with transaction(process.platform.sessions) as session:
        found = (await enter(Visit(request, session, visitor), organization)).organization
    return _Alone(
        request=request,
        process=process,
        visitor=visitor,
        name=found.name,
        organization_id=found.id,
    )


Alone = Annotated[_Alone, Depends(_alone)]


@router.get(_NEW)
async def show(
    seen: Alone,
    connection: Text = "",
    repository: Text = "",
    q: Text = "",
    cursor: Cursor = "",
    project: Text = "",
) -> Response:
    """Lead from a connection to a repository and to what the workspace is to be."""
    async with transaction(seen.process.platform.sessions) as session:
        await (await seen.again(session)).shelves()
    sent: Sent | None = seen.request.scope.get(SENT)
    if (
        sent
    ):  # it carries along what was chosen; the provider, which may be away, is not asked again
        return await _form(seen, _Chosen.filled(sent.text), {}, TriggerForm())
    if not connection:
        return await _connections(seen, project)
    failure = Refusal()
    if repository:
        try:
            found = await _look_up(seen, connection, repository, "")
        except LandformError as refused:
            failure = Refusal(str(refused), "repository")
        else:
            name = re.sub(r"[^A-Za-z0-9_-]+", "-", found.repository.name).strip("-")
            given = {"name": name[:_LONGEST_NAME], "project": project}
            return await _form(seen, _Chosen.of(found), given, TriggerForm())
    return await _choice(seen, connection, q, cursor, project, typed=repository, failure=failure)


async def _connections(seen: _Alone, project: str) -> Response:
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        place = Place(organization_id=seen.organization_id)
        usable = []
        if await may(session, visit.actor, Permission.USE_VCS, place):
            usable = list(await connections.list_usable(session, visit.actor, seen.organization_id))
        return await visit.page(
            "workspaces/new_connection.html",
            section="workspaces",
            crumbs=_crumbs(visit, Crumb("From a repository")),
            here=seen.here,
            connections=[
                (each, providers.PROVIDERS[each.kind][0], *providers.look(each)) for each in usable
            ],
            may_connect=visit.may(Permission.MANAGE_VCS),
            project=project,
        )


async def _choice(
    seen: _Alone,
    connection: str,
    q: str,
    cursor: str,
    project: str,
    *,
    typed: str,
    failure: Refusal,
) -> Response:
    listing = Listing[Repository](items=())
    try:
        listing = await linking.search(
            seen.process.reach,
            seen.visitor.actor,
            seen.organization_id,
            connection,
            q.strip(),
            cursor,
        )
    except LandformError as refused:
        failure = failure or Refusal.of(refused)
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        row = await connections.get_connection(session, visit.actor, connection)
        return await visit.page(
            "workspaces/new_choice.html",
            section="workspaces",
            status=422 if failure else 200,
            crumbs=_crumbs(visit, Crumb("From a repository", seen.here), Crumb(row.name)),
            here=seen.here,
            connection=row,
            found=listing.items,
            following=listing.following,
            q=q,
            typed=typed,
            project=project,
            failure=failure,
        )


@router.post(_NEW)
async def create(seen: Alone, form: FormAlone) -> Response:
    """Make the workspace with its repository, and lead to it."""
    await _require_creating(seen, form)
    connection, repository, branch = map(form.line, ("connection", "repository", "branch"))
    again = with_query(seen.here, {"connection": connection, "repository": repository})
    try:
        found = await _look_up(seen, connection, repository, branch)
    except LandformError as refused:
        raise sent_back(again, refused) from None
    if branch and not found.head:
        reason = f"{found.repository.identifier} has no branch {branch}."
        raise SendBackError(again, reason, pointer="branch")
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        with refusals_to(again, names=_NAMES):
            made = await _made(visit, form, found)
    say = f"{made.name} was created, and follows {found.repository.identifier}."
    return redirect(f"/app/{seen.name}/{made.name}", say=say)


@router.post(f"{_NEW}/preview")
async def preview(seen: Alone, form: FormAlone) -> Response:
    """Say what the last commits would have started by what is filled in; nothing is made.

    To a script it is the list; else the page, filled in as the form was.
    """
    await _require_creating(seen, form)
    chosen, triggers = _Chosen.filled(form.line), TriggerForm.filled(form)
    told = await _foreseen(seen, chosen, triggers, form.line("branch"))
    if seen.request.headers.get("hx-request"):
        part = fragment("workspaces/_foreseen.html", **told.values)
        return HTMLResponse(part, headers=SECURITY_HEADERS)
    return await _form(seen, chosen, _given(form), triggers, told=told)


@router.get(f"{_NEW}/branches")
async def branches(
    seen: Alone, connection: Text = "", repository: Text = "", branch: Text = ""
) -> Response:
    """Return branches to choose from while one is typed; none where the provider does not say."""
    names: Sequence[str] = ()
    with suppress(LandformError):
        names = await linking.branches(
            seen.process.reach,
            seen.visitor.actor,
            seen.organization_id,
            connection,
            repository,
            branch.strip(),
        )
    part = fragment("workspaces/_branches.html", branches=names)
    return HTMLResponse(part, headers=SECURITY_HEADERS)


async def _foreseen(
    seen: _Alone, chosen: _Chosen, triggers: TriggerForm, branch: str
) -> Foreseeing:
    try:
        settings, given = triggers.settings()
        rules = rules_to_be(settings, replace(given, branch=branch), chosen.default_branch)
        async with transaction(seen.process.platform.sessions) as session:
            await repositories.usable_connection(
                session, seen.visitor.actor, seen.organization_id, chosen.connection_id
            )
    except LandformError as refused:
        return Foreseeing(failure=str(refused))
    return await look(seen.process.reach, chosen.connection_id, chosen.repository_id, rules)


async def _form(
    seen: _Alone,
    chosen: _Chosen,
    given: dict[str, str],
    triggers: TriggerForm,
    *,
    told: Foreseeing | None = None,
) -> Response:
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        shelves = await visit.shelves()
        back = f"{seen.here}?connection={chosen.connection_id}"
        return await visit.page(
            "workspaces/new_repository.html",
            section="workspaces",
            crumbs=_crumbs(visit, Crumb("From a repository", back), Crumb(chosen.identifier)),
            here=seen.here,
            back=back,
            chosen=chosen,
            given={**dict.fromkeys(_FIELDS, ""), **given},
            triggers=triggers,
            projects=[(each.id, each.name) for each in shelves],
            default_project=visit.organization.default_project_id,
            tools=[(tool.value, TOOLS[tool]) for tool in Tool],
            **(told or Foreseeing()).values,
        )


def _given(form: Form) -> dict[str, str]:
    return {name: form.line(name) for name in _FIELDS}


async def _made(visit: OrganizationVisit, form: Form, found: Found) -> Workspace:
    """Make the workspace that the form describes, planned from the repository that was found."""
    settings, given = TriggerForm.filled(form).settings()
    tool = form.line("tool")
    settings = replace(
        settings,
        name=form.line("name"),
        description=form.line("description"),
        tool=Tool(tool) if tool in set(Tool) else None,
        tool_version=form.line("version"),
        source="tfe-ui",
    )
    given = replace(
        given,
        connection_id=found.connection_id,
        repository=found.repository,
        head=found.head,
        branch=form.line("branch"),
    )
    session, actor = visit.session, visit.actor
    workspace = await service.create_workspace(
        session, actor, visit.organization, settings, project=await _project(visit, form)
    )
    keyring = visit.process.platform.keyring
    await linking.link(session, keyring, actor, workspace, given)
    return workspace


async def _require_creating(seen: _Alone, form: Form) -> None:
    """Ask for the permission before anything is asked of the provider."""
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        project = await _project(visit, form)
        place = project.place if project else Place(organization_id=seen.organization_id)
        await require(session, visit.actor, Permission.CREATE_WORKSPACE, place)


async def _project(visit: OrganizationVisit, form: Form) -> Project | None:
    project_id = form.line("project")
    if not project_id:
        return None
    return await projects.get_project(visit.session, visit.actor, project_id)


async def _look_up(seen: _Alone, connection: str, reference: str, branch: str) -> Found:
    return await linking.look_up(
        seen.process.reach,
        seen.visitor.actor,
        seen.organization_id,
        None,
        connection_id=connection,
        reference=reference,
        branch=branch,
    )


def _crumbs(visit: OrganizationVisit, *more: Crumb) -> list[Crumb]:
    return [Crumb("New workspace", f"{visit.path}/workspaces/new"), *more]
