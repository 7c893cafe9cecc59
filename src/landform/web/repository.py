"""The repository of a workspace: chosen through a connection, and what of it starts runs."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from landform.access.permissions import Permission, Place
from landform.access.service import may
from landform.kit.db import transaction, undone
from landform.kit.errors import LandformError, NotFoundError
from landform.triggers import linking
from landform.triggers.intents import rules_of
from landform.triggers.matching import Rules
from landform.vcs import queries as connections
from landform.vcs.facts import Listing, Repository
from landform.vcs.models import Connection
from landform.web.alone import ChangeableAlone
from landform.web.forms import Form, FormAlone, OwnForm, attempt, refusals_to, sent_back
from landform.web.pages import (
    SECURITY_HEADERS,
    SendBackError,
    fragment,
    redirect,
)
from landform.web.present import vcs as present
from landform.web.trigger_form import Foreseeing, TriggerForm, look
from landform.web.visit import CONNECTIONS, Crumb, InWorkspace, WorkspaceVisit
from landform.workspaces import repositories, service
from landform.workspaces.models import WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings

router = APIRouter(include_in_schema=False)

_HERE: Final = "/app/{organization}/{workspace}/repository"
Text = Annotated[str, Query(max_length=300)]
Cursor = Annotated[str, Query(max_length=2000)]


@router.get(_HERE)
async def show(visit: InWorkspace) -> Response:
    """Show the repository and what of it starts runs, or the connections to choose one by."""
    return await _page(visit)


async def _followed(visit: WorkspaceVisit) -> WorkspaceRepository | None:
    found = await repositories.repositories_of(visit.session, [visit.workspace])
    return found.get(visit.workspace.id)


async def _page(visit: WorkspaceVisit, foreseen: Foreseeing | None = None) -> Response:
    row = await _followed(visit)
    usable = await _usable(visit)
    connection = next((each for each in usable if row and each.id == row.connection_id), None)
    return await visit.page(
        "workspaces/repository.html",
        section="repository",
        follows=CONNECTIONS,
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
async def choose(
    seen: ChangeableAlone, connection: Text, q: Text = "", cursor: Cursor = ""
) -> Response:
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
        current = await _followed(visit)
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
            current_id=current.repository_id if current else "",
        )


@router.post(_HERE)
async def link(seen: ChangeableAlone, form: FormAlone) -> Response:
    """Plan the workspace from a repository, or from another branch of it."""
    here = f"{seen.path}/repository"
    branch, again, at = form.line("branch"), here, "branch"
    if form.line("of") == "address":
        chosen = urlencode({"connection": form.line("connection")})
        again, at = f"{here}/choose?{chosen}", "repository"
    async with transaction(seen.process.platform.sessions) as session:
        current = await _followed(await seen.again(session))
    try:
        found = await linking.look_up(
            seen.process.reach,
            seen.visitor.actor,
            seen.organization_id,
            current,
            connection_id=form.line("connection"),
            reference=form.line("repository"),
            branch=branch,
        )
    except NotFoundError:
        raise
    except LandformError as failure:
        raise sent_back(again, failure, at=at, names={"identifier": at}) from None
    if branch and not found.head:
        reason = f"{found.repository.identifier} has no branch {branch}."
        raise SendBackError(here, reason, pointer="branch")
    given = RepositorySettings(
        connection_id=found.connection_id,
        repository=found.repository,
        head=found.head,
        branch=branch,
    )
    async with transaction(seen.process.platform.sessions) as session:
        visit = await seen.again(session)
        keyring = seen.process.platform.keyring
        with refusals_to(again, at=at, names={"vcs_repo": at}):
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
async def preview(seen: ChangeableAlone, form: FormAlone) -> Response:
    """Say what the last commits would have started by a form that is not saved.

    To a script it is the list; else the page, filled in as the form was.
    """
    sessions = seen.process.platform.sessions
    async with transaction(sessions) as session, undone(session):
        visit = await seen.again(session)
        current = await _followed(visit)
        if current is None:
            raise SendBackError(f"{seen.path}/repository", "The workspace follows no repository.")
        place = current.connection_id, current.repository_id
        rules, failure = await attempt(session, _set_triggers(visit, form))
    told = Foreseeing(failure=failure)
    if rules is not None:
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
