"""Which groups of a VCS provider are teams here. TFE has no such thing; the words are ours."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToOne,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.vcs import groups, queries
from landform.vcs.models import KnownGroup

router = new_router()


class GroupAttributes(Attributes[KnownGroup]):
    """A group of the provider, whose members' comments have the permissions of the team."""

    name: str
    created_at: datetime


GROUPS = Resource[KnownGroup, Context](
    TFE,
    "vcs-groups",
    GroupAttributes,
    relationships=[
        ToOne("team", "teams"),
        ToOne("oauth_client", "oauth-clients", id="connection_id"),
    ],
)


class GroupInput(Kebab):
    """Which group to admit."""

    name: str | None = None


GROUP = Input(TFE, "vcs-groups", GroupInput, one={"team": "teams"})
One = Annotated[Query, Depends(GROUPS.query)]
Listed = Annotated[ListQuery, Depends(GROUPS.list_query)]


@router.get("/oauth-clients/{oauth_client_id}/groups")
async def list_of_client(oauth_client_id: str, query: Listed, context: CurrentContext) -> Response:
    row = await queries.get_connection(context.session, context.actor, oauth_client_id)
    found = await groups.list_groups(context.session, context.actor, row, query.page)
    return await GROUPS.many(found.items, query, context, total=found.total)


@router.post("/oauth-clients/{oauth_client_id}/groups", status_code=201)
async def create(
    oauth_client_id: str,
    body: Annotated[Body[GroupInput], Depends(GROUP)],
    query: One,
    context: CurrentContext,
) -> Response:
    connection = await queries.get_connection(context.session, context.actor, oauth_client_id)
    team = body.one("team")
    row = await groups.admit(
        context.session,
        context.process.reach,
        context.actor,
        connection,
        name=(body.attributes.name or "").strip(),
        team_id=team.id if team else "",
    )
    return await GROUPS.one(row, query, context)


@router.delete("/vcs-groups/{vcs_group_id}", status_code=204)
async def delete(vcs_group_id: str, context: CurrentContext) -> Response:
    await groups.dismiss(context.session, context.actor, vcs_group_id)
    return Response(status_code=204)
