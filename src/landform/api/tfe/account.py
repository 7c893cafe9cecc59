"""TFE users: who is asking, who somebody is, and a password of one's own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import msgspec
from fastapi import Depends, Request, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Identifier,
    Input,
    Kebab,
    Query,
    Resource,
    ToOne,
    reads,
    wrong,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.people import Person, person, users_by_id
from landform.edge.deps import address_of
from landform.identity import sign_in, users
from landform.identity.actor import ActorKind
from landform.kit.errors import ForbiddenError, UnauthenticatedError

router = new_router()

_KINDS: Final = {ActorKind.TEAM: "teams", ActorKind.RUN: "runs"}


class Permissions(Kebab):
    """What the present user may do to their account."""

    can_create_organizations: bool
    can_change_email: bool
    can_change_username: bool
    can_change_password: bool
    can_manage_user_tokens: bool


def _permissions(shown: Person, context: Context) -> Permissions | UnsetType:
    if shown.id != context.actor.id:
        return UNSET
    is_user = shown.kind is ActorKind.USER
    return Permissions(
        can_create_organizations=is_user,
        can_change_email=False,
        can_change_username=False,
        can_change_password=is_user,
        can_manage_user_tokens=is_user,
    )


class UserAttributes(Attributes[Person]):
    """A person who can sign in; a team's or organization's token shows as a service account.

    `password` is ours: the one-time password, once, in the answer that makes the user.
    """

    avatar_url: str | None = reads(lambda _: None)
    email: str | UnsetType
    is_admin: bool = reads("is_site_admin")
    is_service_account: bool = reads(lambda shown: shown.kind is not ActorKind.USER)
    is_site_admin: bool
    is_suspended: bool | UnsetType
    password: str | UnsetType
    permissions: Permissions | UnsetType = reads(_permissions)
    username: str
    v2_only: bool = reads(lambda _: False)


async def _by_ids(ids: Sequence[str], context: Context) -> list[Person]:
    found = await users_by_id(context, ids)
    return [person(user, context.actor) for user in found.values()]


USERS = Resource[Person, Context](
    TFE,
    "users",
    UserAttributes,
    relationships=[
        ToOne(
            "authenticated_resource",
            ("users", "teams", "organizations", "runs"),
            id="speaks_for",
        )
    ],
    by_ids=_by_ids,
    filters=("q", "filter[admin]", "filter[suspended]"),
)


class NewPassword(msgspec.Struct):
    """A password and the one before it; TFE spells these with underscores."""

    current_password: str
    password: str
    password_confirmation: str


PASSWORD = Input(TFE, "users", NewPassword)
UserQuery = Annotated[Query, Depends(USERS.query)]


@router.get("/account/details")
async def details(query: UserQuery, context: CurrentContext) -> Response:
    return await USERS.one(await _myself(context), query, context)


@router.patch("/account/password")
async def change_password(
    request: Request,
    body: Annotated[Body[NewPassword], Depends(PASSWORD)],
    query: UserQuery,
    context: CurrentContext,
) -> Response:
    """Change the password of who knows the present one: a token alone is not enough."""
    session, actor, sent = context.session, context.actor, body.attributes
    if actor.kind is not ActorKind.USER:
        raise ForbiddenError("Only a user has a password.")
    if sent.password != sent.password_confirmation:
        raise wrong(
            "/data/attributes/password_confirmation", "The two new passwords are not the same."
        )
    try:
        await sign_in.check_own_password(
            context.process.platform.sessions,
            actor,
            sent.current_password,
            address=address_of(request),
        )
    except UnauthenticatedError:
        raise wrong("/data/attributes/current_password", "The present password is wrong.") from None
    user = await users.get(session, actor, actor.id)
    await users.change_password(
        session, users.actor_of(user), old=sent.current_password, new=sent.password
    )
    return await USERS.one(await _myself(context), query, context)


@router.get("/users/{user_id}")
async def read(user_id: str, query: UserQuery, context: CurrentContext) -> Response:
    user = await users.get(context.session, context.actor, user_id)
    return await USERS.one(person(user, context.actor), query, context)


async def _myself(context: Context) -> Person:
    """Return who is asking. A service account has the id of what it stands for."""
    actor = context.actor
    if actor.kind is ActorKind.USER:
        user = await users.get(context.session, actor, actor.id)
        return replace(person(user, actor), speaks_for=Identifier("users", actor.id))
    kind = _KINDS.get(actor.kind, "organizations")
    named = actor.name if kind == "organizations" else actor.id
    return Person(
        id=actor.id, username=actor.name, kind=actor.kind, speaks_for=Identifier(kind, named)
    )
