"""TFE's administration of users, and a route of our own that makes one."""

from typing import Annotated

from fastapi import Depends, Response

from landform.api.jsonapi import Body, Input, Kebab, ListQuery, Query, QueryError
from landform.api.tfe.account import USERS
from landform.api.tfe.dialect import TFE, CurrentContext, new_router
from landform.api.tfe.people import person
from landform.identity import accounts, second_factor, users
from landform.kit.errors import ForbiddenError

router = new_router()


class NewUser(Kebab):
    """Who is to be able to sign in."""

    username: str
    email: str
    is_admin: bool = False


NEW_USER = Input(TFE, "users", NewUser)
One = Annotated[Query, Depends(USERS.query)]


@router.get("/admin/users")
async def list_all(
    query: Annotated[ListQuery, Depends(USERS.list_query)], context: CurrentContext
) -> Response:
    for name in ("q", "filter[admin]", "filter[suspended]"):
        if query.text(name):
            raise QueryError("This list cannot be narrowed yet; page through it.", parameter=name)
    found = await users.list_(context.session, context.actor, query.page)
    rows = [person(user, context.actor) for user in found.items]
    return await USERS.many(rows, query, context, total=found.total)


@router.post("/admin/users", status_code=201)
async def create(
    body: Annotated[Body[NewUser], Depends(NEW_USER)], query: One, context: CurrentContext
) -> Response:
    """Make a user, and tell their one-time password: in this answer and never again."""
    sent = body.attributes
    user, password = await accounts.make_account(
        context.session,
        context.actor,
        username=sent.username,
        email=sent.email,
        is_site_admin=sent.is_admin,
    )
    return await USERS.one(person(user, context.actor, password=password), query, context)


@router.post("/admin/users/{user_id}/actions/reset_password")
async def reset_password(user_id: str, query: One, context: CurrentContext) -> Response:
    """Give the user a one-time password, told in this answer and never again. Ours."""
    user = await users.get(context.session, context.actor, user_id)
    password = await accounts.reset_password(context.session, context.actor, user)
    return await USERS.one(person(user, context.actor, password=password), query, context)


@router.post("/admin/users/{user_id}/actions/suspend")
async def suspend(user_id: str, query: One, context: CurrentContext) -> Response:
    user = await users.get(context.session, context.actor, user_id)
    await users.suspend(context.session, context.actor, user)
    return await USERS.one(person(user, context.actor), query, context)


@router.post("/admin/users/{user_id}/actions/disable_two_factor")
async def disable_two_factor(user_id: str, query: One, context: CurrentContext) -> Response:
    user = await users.get(context.session, context.actor, user_id)
    if not context.actor.is_site_admin:
        raise ForbiddenError("Only a site admin can remove a second factor by a token.")
    await second_factor.remove(context.session, context.actor, user)
    return await USERS.one(person(user, context.actor), query, context)


@router.post("/admin/users/{user_id}/actions/unsuspend")
async def unsuspend(user_id: str, query: One, context: CurrentContext) -> Response:
    user = await users.get(context.session, context.actor, user_id)
    await users.reinstate(context.session, context.actor, user)
    return await USERS.one(person(user, context.actor), query, context)
