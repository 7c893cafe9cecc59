"""Machines that act for a team by an issuer's word. TFE has no such thing; the words are ours."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response

from landform.access import directory
from landform.api.jsonapi import Attributes, Body, Input, Kebab, ListQuery, Query, Resource
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.federation import workloads
from landform.federation.models import FederatedCredential
from landform.federation.workloads import CredentialSettings
from landform.kit.errors import InvalidError
from landform.workspaces import organizations

router = new_router()


class CredentialAttributes(Attributes[FederatedCredential]):
    """Whose tokens are taken, and what they must say, for a token of the team."""

    name: str
    issuer: str
    audience: str
    claims: dict[str, str]
    team_id: str
    last_used_at: datetime | None
    created_at: datetime


CREDENTIALS = Resource[FederatedCredential, Context](
    TFE, "federated-credentials", CredentialAttributes
)


class CredentialInput(Kebab):
    """What a client gives of a credential."""

    name: str
    issuer: str
    audience: str
    claims: dict[str, str]
    team_id: str


CREDENTIAL = Input(TFE, "federated-credentials", CredentialInput)
CredentialQuery = Annotated[Query, Depends(CREDENTIALS.query)]
CredentialList = Annotated[ListQuery, Depends(CREDENTIALS.list_query)]


@router.get("/organizations/{organization}/federated-credentials")
async def list_all(organization: str, query: CredentialList, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    rows = await workloads.list_credentials(session, actor, owner.id)
    return await CREDENTIALS.many(rows, query, context)


@router.post("/organizations/{organization}/federated-credentials", status_code=201)
async def create(
    organization: str,
    body: Annotated[Body[CredentialInput], Depends(CREDENTIAL)],
    query: CredentialQuery,
    context: CurrentContext,
) -> Response:
    session, actor, sent = context.session, context.actor, body.attributes
    owner = await organizations.by_name(session, actor, organization)
    team = await directory.get_team(session, actor, sent.team_id)
    if team.organization_id != owner.id:
        raise InvalidError("The team is of another organization.", pointer="team_id")
    new = CredentialSettings(
        name=sent.name, issuer=sent.issuer, audience=sent.audience, claims=sent.claims
    )
    row = await workloads.create_credential(session, actor, team, new)
    return await CREDENTIALS.one(row, query, context)


@router.get("/federated-credentials/{credential_id}")
async def show(credential_id: str, query: CredentialQuery, context: CurrentContext) -> Response:
    row = await workloads.get_credential(context.session, context.actor, credential_id)
    return await CREDENTIALS.one(row, query, context)


@router.delete("/federated-credentials/{credential_id}", status_code=204)
async def delete(credential_id: str, context: CurrentContext) -> Response:
    await workloads.delete_credential(context.session, context.actor, credential_id)
    return Response(status_code=204)
