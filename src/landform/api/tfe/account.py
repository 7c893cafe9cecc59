"""TFE account: who is asking."""

from typing import Annotated

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, Query, Resource, reads
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.identity.actor import Actor, ActorKind

router = new_router()


class UserAttributes(Attributes[Actor]):
    """Whoever the token belongs to; a team or organization shows as a service account."""

    avatar_url: str | None = reads(lambda _: None)
    is_admin: bool = reads("is_site_admin")
    is_service_account: bool = reads(lambda actor: actor.kind is not ActorKind.USER)
    is_site_admin: bool
    username: str = reads("name")
    v2_only: bool = reads(lambda _: False)


USERS = Resource[Actor, Context](TFE, "users", UserAttributes)


@router.get("/account/details")
async def details(
    query: Annotated[Query, Depends(USERS.query)], context: CurrentContext
) -> Response:
    return await USERS.one(context.actor, query, context)
