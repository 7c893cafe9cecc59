"""Where a provider sends a person back to: `/callback/v1/vcs/{id}`, as Terrakube has it."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from landform.edge.deps import CurrentProcess, Session, process_of
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.kit.errors import LandformError, NotFoundError
from landform.organizations.models import Organization
from landform.vcs import app_registration, callback, connections, queries
from landform.vcs.callback import Return
from landform.vcs.connections import CALLBACK
from landform.web.pages import (
    SECURITY_HEADERS,
    CurrentSession,
    CurrentVisitor,
    SendBackError,
    Visitor,
    redirect,
)
from landform.web.present import vcs as present
from landform.web.visit import Crumb, Visit, enter

router = APIRouter(include_in_schema=False)

_LONGEST: Final = 16384  # characters: a code, and what an old Azure DevOps adds to it

Text = Annotated[str, Query(max_length=_LONGEST)]


def _brought(
    vcs_id: str,
    code: Text = "",
    state: Text = "",
    error: Text = "",
    error_description: Text = "",
    installation_id: Text = "",
) -> Return:
    return Return(
        name=vcs_id,
        code=code,
        state=state,
        error=error,
        description=error_description,
        installation_id=installation_id,
    )


@router.get(CALLBACK + "/{vcs_id}")
async def come_back(
    request: Request,
    process: CurrentProcess,
    vcs_id: str,
    visitor: CurrentSession,
    back: Annotated[Return, Depends(_brought)],
) -> Response:
    """Trade the code for a token; go where the connection says, or to its page, which says why not.

    Whoever is no browser is told `Connected`, as Terrakube has it.
    """
    is_browser = "text/html" in request.headers.get("accept", "")
    try:
        then = await callback.finish(process.reach, visitor.actor, back)
    except NotFoundError:
        raise
    except LandformError as failure:
        if not is_browser:
            raise
        here, _ = await _page_of(request, process, visitor, vcs_id)
        raise SendBackError(here, str(failure)) from None
    if then:
        return RedirectResponse(then, status_code=302, headers=SECURITY_HEADERS)
    if not is_browser:
        return PlainTextResponse("Connected", headers=SECURITY_HEADERS)
    here, connection_id = await _page_of(request, process, visitor, vcs_id)
    try:
        found = await connections.test_connection(process.reach, visitor.actor, connection_id)
    except LandformError as failure:
        raise SendBackError(here, f"Connected, but: {failure}") from None
    known = f" The provider knows us as {found.identity}." if found.identity else ""
    return redirect(here, say=f"Connected.{known}")


@router.get(CALLBACK + "/{vcs_id}/register")
async def show_registration(
    request: Request, session: Session, visitor: CurrentVisitor, vcs_id: str, state: Text = ""
) -> Response:
    """Show what an app is registered with; its form posts that to the provider."""
    process = process_of(request)
    form = await app_registration.read_form(session, process.reach, visitor.actor, vcs_id, state)
    row = form.connection
    organization = await session.get_one(Organization, row.organization_id)
    visit = await enter(Visit(request, session, visitor), organization.name)
    crumbs = [
        Crumb("VCS providers", f"{visit.path}/vcs"),
        Crumb(row.name, f"{visit.path}/vcs/{row.id}"),
        Crumb("Register"),
    ]
    return await visit.page(
        "vcs/register.html",
        section="vcs",
        crumbs=crumbs,
        connection=row,
        url=form.url,
        manifest=form.manifest,
        permissions=present.app_permissions(),
    )


async def _page_of(
    request: Request, process: Process, visitor: Visitor, vcs_id: str
) -> tuple[str, str]:
    """Return the address of the connection's page, and its id."""
    async with transaction(process.platform.sessions) as session:
        row = await queries.find_by_callback(session, vcs_id)
        if row is None:
            raise NotFoundError("The connection was deleted meanwhile.")
        organization = await session.get_one(Organization, row.organization_id)
        visit = await enter(Visit(request, session, visitor), organization.name)
        return f"{visit.path}/vcs/{row.id}", row.id
