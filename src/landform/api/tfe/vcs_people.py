"""Who the people of a VCS provider are here. TFE has no such thing; the words are ours."""

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
from landform.vcs import people, queries
from landform.vcs.models import KnownPerson

router = new_router()


class PersonAttributes(Attributes[KnownPerson]):
    """A person of the provider, whose comments have the permissions of the user."""

    person_id: str
    name: str
    created_at: datetime


PEOPLE = Resource[KnownPerson, Context](
    TFE,
    "vcs-people",
    PersonAttributes,
    relationships=[
        ToOne("user", "users"),
        ToOne("oauth_client", "oauth-clients", id="connection_id"),
    ],
)


class PersonInput(Kebab):
    """Whom to introduce."""

    person_id: str | None = None
    name: str | None = None


PERSON = Input(TFE, "vcs-people", PersonInput, one={"user": "users"})
One = Annotated[Query, Depends(PEOPLE.query)]
Listed = Annotated[ListQuery, Depends(PEOPLE.list_query)]


@router.get("/oauth-clients/{oauth_client_id}/people")
async def list_of_client(oauth_client_id: str, query: Listed, context: CurrentContext) -> Response:
    row = await queries.get_connection(context.session, context.actor, oauth_client_id)
    found = await people.list_people(context.session, context.actor, row, query.page)
    return await PEOPLE.many(found.items, query, context, total=found.total)


@router.post("/oauth-clients/{oauth_client_id}/people", status_code=201)
async def create(
    oauth_client_id: str,
    body: Annotated[Body[PersonInput], Depends(PERSON)],
    query: One,
    context: CurrentContext,
) -> Response:
    connection = await queries.get_connection(context.session, context.actor, oauth_client_id)
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
async def delete(vcs_person_id: str, context: CurrentContext) -> Response:
    await people.forget(context.session, context.actor, vcs_person_id)
    return Response(status_code=204)
