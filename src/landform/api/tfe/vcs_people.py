"""Who people and groups of a VCS provider are here. TFE has no such thing; the words are ours."""

from datetime import datetime
from typing import Annotated, Any, Final

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
from landform.vcs import groups, people, queries
from landform.vcs.models import Connection, KnownGroup, KnownPerson

router = new_router()

_OF_CONNECTION: Final[ToOne[Any, Context]] = ToOne(
    "oauth_client", "oauth-clients", id="connection_id"
)


class PersonAttributes(Attributes[KnownPerson]):
    """A person of the provider, whose comments have the permissions of the user."""

    person_id: str
    name: str
    created_at: datetime


PEOPLE = Resource[KnownPerson, Context](
    TFE,
    "vcs-people",
    PersonAttributes,
    relationships=[ToOne("user", "users"), _OF_CONNECTION],
)


class PersonInput(Kebab):
    """Whom to introduce."""

    person_id: str | None = None
    name: str | None = None


PERSON = Input(TFE, "vcs-people", PersonInput, one={"user": "users"})


class GroupAttributes(Attributes[KnownGroup]):
    """A group of the provider, whose members' comments have the permissions of the team."""

    name: str
    created_at: datetime


GROUPS = Resource[KnownGroup, Context](
    TFE,
    "vcs-groups",
    GroupAttributes,
    relationships=[ToOne("team", "teams"), _OF_CONNECTION],
)


class GroupInput(Kebab):
    """Which group to admit."""

    name: str | None = None


GROUP = Input(TFE, "vcs-groups", GroupInput, one={"team": "teams"})
OnePerson = Annotated[Query, Depends(PEOPLE.query)]
People = Annotated[ListQuery, Depends(PEOPLE.list_query)]
OneGroup = Annotated[Query, Depends(GROUPS.query)]
Groups = Annotated[ListQuery, Depends(GROUPS.list_query)]


async def _connection(oauth_client_id: str, context: CurrentContext) -> Connection:
    return await queries.get_connection(context.session, context.actor, oauth_client_id)


CurrentConnection = Annotated[Connection, Depends(_connection)]


@router.get("/oauth-clients/{oauth_client_id}/people")
async def list_people(
    connection: CurrentConnection,
    query: People,
    context: CurrentContext,
) -> Response:
    found = await people.list_people(context.session, context.actor, connection, query.page)
    return await PEOPLE.many(found.items, query, context, total=found.total)


@router.post("/oauth-clients/{oauth_client_id}/people", status_code=201)
async def introduce(
    connection: CurrentConnection,
    body: Annotated[Body[PersonInput], Depends(PERSON)],
    query: OnePerson,
    context: CurrentContext,
) -> Response:
    user = body.one("user")
    row = await people.introduce(
        context.session,
        context.actor,
        connection,
        person_id=(body.attributes.person_id or "").strip(),
        name=(body.attributes.name or "").strip(),
        user_id=user.id if user else "",
    )
    return await PEOPLE.one(row, query, context)


@router.delete("/vcs-people/{vcs_person_id}", status_code=204)
async def forget(vcs_person_id: str, context: CurrentContext) -> Response:
    await people.forget(context.session, context.actor, vcs_person_id)
    return Response(status_code=204)


@router.get("/oauth-clients/{oauth_client_id}/groups")
async def list_groups(
    connection: CurrentConnection,
    query: Groups,
    context: CurrentContext,
) -> Response:
    found = await groups.list_groups(context.session, context.actor, connection, query.page)
    return await GROUPS.many(found.items, query, context, total=found.total)


@router.post("/oauth-clients/{oauth_client_id}/groups", status_code=201)
async def admit(
    connection: CurrentConnection,
    body: Annotated[Body[GroupInput], Depends(GROUP)],
    query: OneGroup,
    context: CurrentContext,
) -> Response:
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
async def dismiss(vcs_group_id: str, context: CurrentContext) -> Response:
    await groups.dismiss(context.session, context.actor, vcs_group_id)
    return Response(status_code=204)
