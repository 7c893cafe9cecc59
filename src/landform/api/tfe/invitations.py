"""Invitations of people who have no account. TFE invites by e-mail alone; the words are ours."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from landform.access import directory, invitations
from landform.access.models import Invitation
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.edge.deps import base_url
from landform.workspaces import organizations

router = new_router()


@dataclass(frozen=True)
class Shown:
    """An invitation, and its link in the one answer that tells it."""

    row: Invitation
    link: str | None = None


class InvitationAttributes(Attributes[Shown]):
    """Whom an organization invited; `link` is told once, to who makes the invitation."""

    invitee: str = reads("row.invitee")
    team_ids: list[str] = reads("row.team_ids")
    link: str | None
    created_at: datetime = reads("row.created_at")
    expires_at: datetime = reads("row.expires_at")


INVITATIONS = Resource[Shown, Context](
    TFE, "organization-invitations", InvitationAttributes, key="row.id"
)


class NewInvitation(Kebab):
    """Whom to invite: `invitee` is an address or a name."""

    invitee: str
    team_ids: list[str] = []


NEW_INVITATION = Input(TFE, "organization-invitations", NewInvitation)
One = Annotated[Query, Depends(INVITATIONS.query)]
Listed = Annotated[ListQuery, Depends(INVITATIONS.list_query)]


@router.get("/organizations/{organization}/organization-invitations")
async def list_all(organization: str, query: Listed, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    rows = await invitations.list_(session, actor, owner.id)
    return await INVITATIONS.many([Shown(row) for row in rows], query, context)


@router.post("/organizations/{organization}/organization-invitations", status_code=201)
async def create(
    organization: str,
    body: Annotated[Body[NewInvitation], Depends(NEW_INVITATION)],
    query: One,
    context: CurrentContext,
    request: Request,
) -> Response:
    session, actor, sent = context.session, context.actor, body.attributes
    owner = await organizations.by_name(session, actor, organization)
    place = Place(organization_id=owner.id)
    await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    into = [await directory.get_team(session, actor, each) for each in sent.team_ids[:100]]
    row, secret = await invitations.invite(
        session, actor, owner.id, invitee=sent.invitee, into=into
    )
    shown = Shown(row, f"{base_url(request)}/invitation/{secret}")
    return await INVITATIONS.one(shown, query, context)


@router.get("/organization-invitations/{invitation_id}")
async def read(invitation_id: str, query: One, context: CurrentContext) -> Response:
    row = await invitations.get(context.session, context.actor, invitation_id)
    return await INVITATIONS.one(Shown(row), query, context)


@router.delete("/organization-invitations/{invitation_id}", status_code=204)
async def delete(invitation_id: str, context: CurrentContext) -> Response:
    row = await invitations.get(context.session, context.actor, invitation_id)
    await invitations.revoke(context.session, context.actor, row)
    return Response(status_code=204)
