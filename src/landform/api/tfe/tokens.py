"""TFE authentication tokens of users, teams and organizations. A secret is shown once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access import directory
from landform.access import tokens as access_tokens
from landform.access.models import Team
from landform.api.jsonapi import (
    ActionInput,
    Attributes,
    Identifier,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToOne,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.people import learn_organizations
from landform.identity import tokens
from landform.identity.actor import ActorKind
from landform.identity.models import ApiToken
from landform.kit.errors import InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.workspaces import organizations

router = new_router()


@dataclass(frozen=True)
class ShownToken:
    """A token, and its secret in the answer that makes it."""

    row: ApiToken
    secret: str | UnsetType = UNSET


class TokenAttributes(Attributes[ShownToken]):
    """A bearer credential; `last-used-from`, an address, is ours."""

    created_at: datetime = reads("row.created_at")
    description: str = reads("row.description")
    expired_at: datetime | None = reads("row.expires_at")
    last_used_at: datetime | None = reads("row.last_used_at")
    last_used_from: str = reads("row.last_used_from")
    token: str | UnsetType = reads("secret")


def _created_by(shown: ShownToken, context: Context) -> Identifier | None:
    """Return who made it; an organization is known by its name. The platform is nobody."""
    maker = shown.row.created_by
    if maker.startswith("user-"):
        return Identifier("users", maker)
    if maker.startswith("team-"):
        return Identifier("teams", maker)
    name = context.organization_names.get(maker)
    return Identifier("organizations", name) if name else None


async def _prepare(rows: Sequence[ShownToken], context: Context) -> None:
    makers = {shown.row.created_by for shown in rows}
    await learn_organizations(context, (each for each in makers if each.startswith("org-")))


TOKENS = Resource[ShownToken, Context](
    TFE,
    "authentication-tokens",
    TokenAttributes,
    key="row.id",
    relationships=[
        ToOne("created_by", ("users", "teams", "organizations"), id=_created_by),
        ToOne("team", "teams", id="row.team_id"),
    ],
    prepare=_prepare,
)


class NewToken(Kebab):
    """What a client asks of a new token; without an expiry it holds until withdrawn."""

    description: str | None = None
    expired_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


NEW_TOKEN = ActionInput(TFE, NewToken)
One = Annotated[Query, Depends(TOKENS.query)]
Listed = Annotated[ListQuery, Depends(TOKENS.list_query)]
Sent = Annotated[NewToken, Depends(NEW_TOKEN)]


@router.get("/authentication-tokens/{token_id}")
async def read(token_id: str, query: One, context: CurrentContext) -> Response:
    row = await access_tokens.get(context.session, context.actor, token_id)
    return await TOKENS.one(ShownToken(row), query, context)


@router.delete("/authentication-tokens/{token_id}", status_code=204)
async def delete(token_id: str, context: CurrentContext) -> Response:
    await access_tokens.revoke(context.session, context.actor, token_id)
    return Response(status_code=204)


@router.get("/users/{user_id}/authentication-tokens")
async def list_of_user(user_id: str, query: Listed, context: CurrentContext) -> Response:
    found = await tokens.list_(context.session, context.actor, user_id, query.page)
    rows = [ShownToken(row) for row in found.items]
    return await TOKENS.many(rows, query, context, total=found.total)


@router.post("/users/{user_id}/authentication-tokens", status_code=201)
async def create_for_user(
    user_id: str, sent: Sent, query: One, context: CurrentContext
) -> Response:
    row, secret = await tokens.issue(
        context.session,
        context.actor,
        owner_kind=ActorKind.USER,
        owner_id=user_id,
        description=sent.description or "",
        expires_at=sent.expired_at,
    )
    return await TOKENS.one(ShownToken(row, secret), query, context)


@router.get("/teams/{team_id}/authentication-tokens")
async def list_of_team(team_id: str, query: Listed, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    rows = await access_tokens.list_of_team(context.session, context.actor, team)
    page = [ShownToken(row) for row in rows[query.page.offset :][: query.page.size]]
    return await TOKENS.many(page, query, context, total=len(rows))


@router.post("/teams/{team_id}/authentication-tokens", status_code=201)
async def create_for_team(
    team_id: str, sent: Sent, query: One, context: CurrentContext
) -> Response:
    """Make one more token of a team; its description tells it from the others."""
    if not sent.description:
        raise InvalidError("A token beside others needs a description.", pointer="description")
    return await _create_for_team(team_id, sent, sent.description, query, context)


@router.get("/teams/{team_id}/authentication-token")
async def read_of_team(team_id: str, query: One, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    return await TOKENS.one(ShownToken(await _only_of(team, context)), query, context)


@router.post("/teams/{team_id}/authentication-token", status_code=201)
async def replace_of_team(
    team_id: str, sent: Sent, query: One, context: CurrentContext
) -> Response:
    """Make the team's one token without a description, in place of the one it had."""
    return await _create_for_team(team_id, sent, "", query, context)


@router.delete("/teams/{team_id}/authentication-token", status_code=204)
async def delete_of_team(team_id: str, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    row = await _only_of(team, context)
    await access_tokens.revoke(context.session, context.actor, row.id)
    return Response(status_code=204)


async def _organization(
    organization: str, context: CurrentContext, token: str = ""
) -> Organization:
    """Read whose token is meant; `token=audit-trails` means another kind, which there is none of.

    To ignore that would replace or withdraw the one the organization works with.
    """
    if token not in ("", "organization"):
        raise InvalidError(f"An organization has no token of kind {token} here.")
    return await organizations.by_name(context.session, context.actor, organization)


Owner = Annotated[Organization, Depends(_organization)]


@router.get("/organizations/{organization}/authentication-token")
async def read_of_organization(owner: Owner, query: One, context: CurrentContext) -> Response:
    row = await _of_organization(owner, context)
    return await TOKENS.one(ShownToken(row), query, context)


@router.post("/organizations/{organization}/authentication-token", status_code=201)
async def replace_of_organization(
    owner: Owner, sent: Sent, query: One, context: CurrentContext
) -> Response:
    """Make the organization's one token, in place of the one it had."""
    row, secret = await access_tokens.issue_for_organization(
        context.session, context.actor, owner.id, expires_at=sent.expired_at
    )
    return await TOKENS.one(ShownToken(row, secret), query, context)


@router.delete("/organizations/{organization}/authentication-token", status_code=204)
async def delete_of_organization(owner: Owner, context: CurrentContext) -> Response:
    row = await _of_organization(owner, context)
    await access_tokens.revoke(context.session, context.actor, row.id)
    return Response(status_code=204)


async def _create_for_team(
    team_id: str, sent: NewToken, description: str, query: Query, context: Context
) -> Response:
    session, actor = context.session, context.actor
    team = await directory.get_team(session, actor, team_id)
    row, secret = await access_tokens.issue_for_team(
        session, actor, team, description=description, expires_at=sent.expired_at
    )
    return await TOKENS.one(ShownToken(row, secret), query, context)


async def _only_of(team: Team, context: Context) -> ApiToken:
    rows = await access_tokens.list_of_team(context.session, context.actor, team)
    row = next((row for row in rows if not row.description), None)
    if row is None:
        raise NotFoundError(f"Team {team.name} has no token without a description.")
    return row


async def _of_organization(owner: Organization, context: Context) -> ApiToken:
    row = await access_tokens.of_organization(context.session, context.actor, owner.id)
    if row is None:
        raise NotFoundError(f"Organization {owner.name} has no token.")
    return row
