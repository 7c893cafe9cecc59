"""The repository of a workspace: chosen through a connection, and what of it starts runs."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.edge.deps import CurrentProcess
from landform.edge.process import Process
from landform.kit.db import transaction, undone
from landform.kit.errors import LandformError, NotFoundError
from landform.triggers import linking
from landform.triggers.intents import rules_of
from landform.triggers.matching import Rules
from landform.vcs import queries as connections
from landform.vcs.facts import Listing, Repository
from landform.vcs.models import Connection
from landform.web.forms import Form, FormAlone, OwnForm, attempt, refusals_to
from landform.web.pages import (
    SECURITY_HEADERS,
    CurrentSession,
    SendBackError,
    Visitor,
    fragment,
    redirect,
)
from landform.web.present import vcs as present
from landform.web.trigger_form import Foreseeing, TriggerForm, look
from landform.web.visit import Crumb, InWorkspace, Visit, WorkspaceVisit, locate
from landform.workspaces import repositories, service
from landform.workspaces.models import WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings

router = APIRouter(include_in_schema=False)

_HERE: Final = "/app/{organization}/{workspace}/repository"
Text = Annotated[str, Query(max_length=300)]
Cursor = Annotated[str, Query(max_length=2000)]


@dataclass(frozen=True, kw_only=True)
class _Alone:
    """A visit that holds no transaction, as the provider is asked meanwhile."""

    request: Request
    process: Process
    visitor: Visitor
    names: tuple[str, str]
    organization_id: str
    path: str
    current: WorkspaceRepository | None

    async def again(self, session: AsyncSession) -> WorkspaceVisit:
        """Return the visit in a transaction."""
        return await locate(Visit(self.request, session, self.visitor), *self.names)


async def _alone(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    organization: str,
    workspace: str,
) -> _Alone:
    """Look first; who may not change the workspace comes no further."""
    names = (organization, workspace)
    async with transaction(process.platform.sessions) as session:
        visit = await locate(Visit(request, session, visitor), *names)
        await require(session, visit.actor, Permission.UPDATE_WORKSPACE, visit.workspace.place)
        found = await repositories.repositories_of(session, [visit.workspace])
        return _Alone(
            request=request,
            process=process,
            visitor=visitor,
            names=names,
            organization_id=visit.organization.id,
            path=visit.path,
            current=found.get(visit.workspace.id),
        )


Alone = Annotated[_Alone, Depends(_alone)]


@router.get(_HERE)
async def show(visit: InWorkspace) -> Response:
    """Show the repository and what of it starts runs, or the connections to choose one by."""
    return await _page(visit)


async def _page(visit: WorkspaceVisit, foreseen: Foreseeing | None = None) -> Response:
    found = await repositories.repositories_of(visit.session, [visit.workspace])
    row = found.get(visit.workspace.id)
    usable = await _usable(visit)
    connection = next((each for each in usable if row and each.id == row.connection_id), None)
    return await visit.page(
        "workspaces/repository.html",
        section="repository",
        crumbs=[Crumb("Repository")],
        workspace=visit.workspace,
        repository=row,
        connection=connection,
        connections=[(each, present.PROVIDERS[each.kind][0]) for each in usable],
        triggers=TriggerForm.of(visit.workspace, row) if row else None,
        **(foreseen or Foreseeing()).values,
        may_update=visit.may(Permission.UPDATE_WORKSPACE),
        may_connect=await may(
            visit.session,
            visit.actor,
            Permission.MANAGE_VCS,
            Place(organization_id=visit.organization.id),
        ),
    )


@router.get(f"{_HERE}/choose")
async def choose(seen: Alone, connection: Text, q: Text = "", cursor: Cursor = "") -> Response:
    """List what the connection sees at its provider, by search and page."""
    listing, failure = Listing[Repository](items=()), ""
    try:
        listing = await linking.search(
            seen.process.reach,
            seen.visitor.actor,
            seen.organization_id,
            connection,
            q.strip(),
            cursor,
        )
    except NotFoundError:
        raise
    except LandformError as refused:
        failure = str(refused)
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        row = await connections.get_connection(session, visit.actor, connection)
        return await visit.page(
            "workspaces/repository_choice.html",
            section="repository",
            status=422 if failure else 200,
            crumbs=[Crumb("Repository", f"{visit.path}/repository"), Crumb("Choose")],
            connection=row,
            found=listing.items,
            following=listing.following,
            q=q,
            failure=failure,
            current_id=seen.current.repository_id if seen.current else "",
        )


@router.post(_HERE)
async def link(seen: Alone, form: FormAlone) -> Response:
    """Plan the workspace from a repository, or from another branch of it."""
    here = f"{seen.path}/repository"
    branch = form.line("branch")
    try:
        found = await linking.look_up(
            seen.process.reach,
            seen.visitor.actor,
            seen.organization_id,
            seen.current,
            connection_id=form.line("connection"),
            reference=form.line("repository"),
            branch=branch,
        )
    except NotFoundError:
        raise
    except LandformError as failure:
        raise SendBackError(here, str(failure)) from None
    if branch and not found.head:
        raise SendBackError(here, f"{found.repository.identifier} has no branch {branch}.")
    given = RepositorySettings(
        connection_id=found.connection_id,
        repository=found.repository,
        head=found.head,
        branch=branch,
    )
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        keyring = seen.process.platform.keyring
        with refusals_to(here):
            await linking.link(session, keyring, visit.actor, visit.workspace, given)
    return redirect(here, say=f"The workspace follows {found.repository.identifier}.")


@router.post(f"{_HERE}/triggers")
async def update(visit: InWorkspace, form: OwnForm) -> Response:
    """Set what starts runs."""
    here = f"{visit.path}/repository"
    with refusals_to(here):
        await _set_triggers(visit, form)
    return redirect(here, say="Saved.")


@router.post(f"{_HERE}/preview")
async def preview(seen: Alone, form: FormAlone) -> Response:
    """Say what the last commits would have started by a form that is not saved.

    To a script it is the list; else the page, filled in as the form was.
    """
    sessions = seen.process.platform.sessions
    if seen.current is None:
        raise SendBackError(f"{seen.path}/repository", "The workspace follows no repository.")
    async with transaction(sessions) as session, undone(session):
        visit = await seen.again(session)
        rules, failure = await attempt(session, _set_triggers(visit, form))
    told = Foreseeing(failure=failure)
    if rules is not None:
        place = seen.current.connection_id, seen.current.repository_id
        told = await look(seen.process.reach, *place, rules)
    if seen.request.headers.get("hx-request"):
        part = fragment("workspaces/_foreseen.html", **told.values)
        return HTMLResponse(part, headers=SECURITY_HEADERS)
    async with transaction(sessions) as session, undone(session):
        visit = await seen.again(session)
        if rules is not None:
            await _set_triggers(visit, form)
        return await _page(visit, told)


async def _set_triggers(visit: WorkspaceVisit, form: Form) -> Rules:
    """Set what the form says, and return what starts runs by that.

    Raises:
        InvalidError: a setting cannot be.
    """
    settings, given = TriggerForm.filled(form).settings()
    session, keyring = visit.session, visit.process.platform.keyring
    workspace = await service.update_workspace(session, visit.actor, visit.workspace, settings)
    row = await linking.link(session, keyring, visit.actor, visit.workspace, given)
    return rules_of(workspace, row)


@router.post(f"{_HERE}/disconnect")
async def disconnect(visit: InWorkspace, form: OwnForm) -> Response:
    """Plan the workspace from no repository any more."""
    await repositories.disconnect(visit.session, visit.actor, visit.workspace)
    return redirect(f"{visit.path}/repository", say="The workspace follows no repository now.")


async def _usable(visit: WorkspaceVisit) -> list[Connection]:
    place = Place(organization_id=visit.organization.id)
    if not await may(visit.session, visit.actor, Permission.USE_VCS, place):
        return []
    return list(await connections.list_usable(visit.session, visit.actor, visit.organization.id))
