"""Terrakube's `/pat/v1` and `/access-token/v1/teams`, which speak plain JSON.

Facts: terrakube_backend.md §4.6, terrakube_user.md §5.2. A token's secret is shown once, to whoever
made it. There, anybody lists and deletes anybody's.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from landform.access import directory
from landform.access import tokens as access_tokens
from landform.api.jsonapi import ActionInput, Camel
from landform.api.terrakube.dialect import TERRAKUBE, CurrentContext
from landform.edge.deps import authenticated
from landform.identity import tokens
from landform.identity.actor import ActorKind
from landform.identity.models import ApiToken
from landform.kit.clock import now, rfc3339
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page

router = APIRouter(dependencies=[Depends(authenticated)], include_in_schema=False)

_DAYS_MAX: Final = 36_500
_LISTED: Final = 1000


class NewToken(Camel):
    """What a client asks of a token of its own; no days at all: until it is withdrawn."""

    days: int = 0
    description: str = ""


class NewTeamToken(Camel):
    """What a client asks of a token of a team; `group` is its name, or `ORGANIZATION/NAME`."""

    group: str = ""
    days: int = 0
    hours: int = 0
    minutes: int = 0
    description: str = ""


NEW_TOKEN = ActionInput(TERRAKUBE, NewToken)
NEW_TEAM_TOKEN = ActionInput(TERRAKUBE, NewTeamToken)


@router.post("/pat/v1", status_code=201)
async def create(
    sent: Annotated[NewToken, Depends(NEW_TOKEN)], context: CurrentContext
) -> Response:
    row, secret = await tokens.issue(
        context.session,
        context.actor,
        owner_kind=ActorKind.USER,
        owner_id=context.actor.id,
        description=sent.description,
        expires_at=_expiry(sent.days),
    )
    return _said(_shown(row) | {"token": secret}, 201)


@router.get("/pat/v1")
async def list_own(context: CurrentContext) -> Response:
    found = await tokens.list_(context.session, context.actor, context.actor.id, Page(1, _LISTED))
    return _said([_shown(row) for row in found.items])


@router.delete("/pat/v1/{token_id}", status_code=202)
async def delete(token_id: str, context: CurrentContext) -> Response:
    row = await tokens.get(context.session, context.actor, token_id)
    await tokens.revoke(context.session, context.actor, row)
    return Response(status_code=202)


@router.post("/access-token/v1/teams", status_code=201)
async def create_of_team(
    sent: Annotated[NewTeamToken, Depends(NEW_TEAM_TOKEN)], context: CurrentContext
) -> Response:
    organization, _, name = sent.group.rpartition("/")
    team = await directory.team_named(context.session, context.actor, name, organization)
    row, secret = await access_tokens.issue_for_team(
        context.session,
        context.actor,
        team,
        description=sent.description,
        expires_at=_expiry(sent.days, sent.hours, sent.minutes),
    )
    return _said(_shown(row) | {"group": team.name, "token": secret}, 201)


@router.get("/access-token/v1/teams")
async def list_of_teams(context: CurrentContext) -> Response:
    found = await access_tokens.list_of_teams(context.session, context.actor, limit=_LISTED)
    return _said([_shown(row) | {"group": team.name} for team, row in found])


@router.delete("/access-token/v1/teams/{token_id}", status_code=202)
async def delete_of_team(token_id: str, context: CurrentContext) -> Response:
    row = await access_tokens.get(context.session, context.actor, token_id)
    if row.team_id is None:
        raise InvalidError(f"{token_id} is no token of a team.")
    await access_tokens.revoke(context.session, context.actor, token_id)
    return Response(status_code=202)


def _expiry(days: int, hours: int = 0, minutes: int = 0) -> datetime | None:
    """Return when a token ends; None: never.

    Raises:
        InvalidError: that is in the past or too far off.
    """
    if min(days, hours, minutes) < 0 or days > _DAYS_MAX or max(hours, minutes) > _DAYS_MAX:
        raise InvalidError(f"Days, hours and minutes are from 0 to {_DAYS_MAX}.", pointer="/days")
    life = timedelta(days=days, hours=hours, minutes=minutes)
    return now() + life if life else None


def _shown(row: ApiToken) -> dict[str, Any]:
    return {
        "id": row.id,
        "description": row.description,
        "createdDate": rfc3339(row.created_at),
        "expirationDate": rfc3339(row.expires_at) if row.expires_at else None,
    }


def _said(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})
