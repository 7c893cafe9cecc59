"""Where a provider sends a person back to: `/callback/v1/vcs/{id}`, as Terrakube has it."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from landform.edge.deps import CurrentProcess, Session, process_of
from landform.edge.process import Process
from landform.kit.db import transaction
from landform.kit.errors import NotFoundError
from landform.organizations.models import Organization
from landform.vcs import app_registration, callback, queries
from landform.vcs.callback import Return
from landform.vcs.connections import CALLBACK
from landform.web.pages import SECURITY_HEADERS, CurrentSession, CurrentVisitor, Visitor
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
    """Trade the code for a token; say `Connected`, or go where the connection says."""
    then = await callback.finish(process.reach, visitor.actor, back)
    if then:
        return RedirectResponse(then, status_code=302, headers=SECURITY_HEADERS)
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("Connected", headers=SECURITY_HEADERS)
    return await _connected(request, process, visitor, vcs_id)


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


async def _connected(request: Request, process: Process, visitor: Visitor, vcs_id: str) -> Response:
    async with transaction(process.platform.sessions) as session:
        row = await queries.find_by_callback(session, vcs_id)
        if row is None:
            raise NotFoundError("The connection was deleted meanwhile.")
        organization = await session.get_one(Organization, row.organization_id)
        visit = await enter(Visit(request, session, visitor), organization.name)
        crumbs = [Crumb("VCS providers", f"{visit.path}/vcs"), Crumb(row.name)]
        return await visit.page("vcs/connected.html", section="vcs", crumbs=crumbs, connection=row)
