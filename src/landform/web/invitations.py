"""Invitations: made and withdrawn by who manages members, used by who has the link."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from landform.access import directory, invitations
from landform.edge.deps import Session, base_url
from landform.edge.statuses import status_of
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.web.forms import OwnForm, Refusal, refusals_to
from landform.web.pages import page, redirect
from landform.web.visit import Crumb, InOrganization

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=4096)]


@router.post("/organizations/{organization}/invitations")
async def change(visit: InOrganization, form: OwnForm) -> Response:
    """Make an invitation and show its link, this once; or withdraw one."""
    back, session, actor = f"{visit.path}/teams", visit.session, visit.actor
    with refusals_to(back):
        if form.line("deed") == "withdraw":
            row = await invitations.get(session, actor, form.line("invitation"))
            await invitations.revoke(session, actor, row)
            return redirect(back, say=f"The invitation of {row.invitee} was withdrawn.")
        teams = [each for each in form.all("team") if each]
        into = [await directory.get_team(session, actor, each) for each in teams[:100]]
        row, secret = await invitations.invite(
            session, actor, visit.organization.id, invitee=form.line("invitee"), into=into
        )
    return await visit.page(
        "organizations/invited.html",
        section="teams",
        crumbs=[Crumb("Teams", back), Crumb("Invitation")],
        invitation=row,
        link=f"{base_url(visit.request)}/invitation/{secret}",
    )


@router.get("/invitation/{secret}")
async def show(request: Request, session: Session, secret: str) -> Response:
    """Show whoever has the link a form for a name and a password."""
    return await _page(request, session, secret)


@router.post("/invitation/{secret}")
async def accept(
    request: Request, session: Session, secret: str, username: Text, password: Text, again: Text
) -> Response:
    """Make the account; it signs in as any other then, so that nobody is signed in unawares."""
    failure = Refusal()
    if password != again:
        failure = Refusal("The two passwords are not the same.", "again")
    if not failure:
        try:
            async with session.begin_nested():
                await invitations.accept(session, secret, username=username, password=password)
        except (InvalidError, ConflictError) as refused:
            failure = Refusal.of(refused)
    if failure:
        return await _page(request, session, secret, failure=failure, username=username)
    return redirect("/login", say="The account is made. Sign in.")


async def _page(
    request: Request, session: Session, secret: str, *, failure: str = "", username: str = ""
) -> Response:
    try:
        row = await invitations.opened(session, secret)
    except NotFoundError as gone:
        values: dict[str, Any] = dict.fromkeys(("organization", "invitee", "username"), "")
        values["failure"] = str(gone)
        return page(request, "sign_in/invitation.html", status=status_of(gone), **values)
    organization = await session.get_one(Organization, row.organization_id)
    return page(
        request,
        "sign_in/invitation.html",
        status=422 if failure else 200,
        failure=failure,
        organization=organization.name,
        invitee=row.invitee,
        username=username,
    )
