"""Users and members as requests about people name and show them.

A user is named by id, by username (teams) or by address (memberships). What is found by name is
found only among those the request is about, so that no answer tells who else there is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType
from sqlalchemy import func, or_, select

from landform.access.models import Membership
from landform.access.permissions import Permission, Place
from landform.access.service import permissions
from landform.api.jsonapi import Identifier
from landform.api.tfe.dialect import Context
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import User
from landform.kit.errors import InvalidError
from landform.organizations.models import Organization


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user, or the service account that a team or organization token acts as.

    What is UNSET is not for this reader to see.

    Attributes:
        password: the one-time password of a user made by this very request.
        speaks_for: whose token was shown, where the person is who asks.
    """

    id: str
    username: str
    kind: ActorKind = ActorKind.USER
    is_site_admin: bool = False
    email: str | UnsetType = UNSET
    is_suspended: bool | UnsetType = UNSET
    password: str | UnsetType = UNSET
    speaks_for: Identifier | UnsetType = UNSET


def person(user: User, viewer: Actor, *, password: str | UnsetType = UNSET) -> Person:
    """Return the user as `viewer` may see them: the address is their own and the admins'."""
    is_close = viewer.is_site_admin or viewer.id == user.id
    return Person(
        id=user.id,
        username=user.username,
        is_site_admin=user.is_site_admin,
        email=user.email if is_close else UNSET,
        is_suspended=user.is_suspended if viewer.is_site_admin else UNSET,
        password=password,
    )


async def users_by_id(context: Context, ids: Iterable[str]) -> dict[str, User]:
    """Return the users with these ids, for a caller who found the ids in what the actor sees."""
    rows = await context.session.scalars(select(User).where(User.id.in_(set(ids))))
    return {user.id: user for user in rows}


async def user_with_email(context: Context, email: str) -> User:
    """Return the one user with that address, for a caller who may bring people in.

    Raises:
        InvalidError: there is none, or more than one.
    """
    wanted = func.lower(User.email) == email.lower()
    found = (await context.session.scalars(select(User).where(wanted).limit(2))).all()
    if not email or not found:
        raise InvalidError(
            f"Nobody here has the address {email or '(none)'}. Invitations are not offered: a"
            " site admin makes the user first (POST /api/v2/admin/users).",
            pointer="email",
        )
    if len(found) > 1:
        raise InvalidError(
            f"Several users have the address {email}; a site admin must give them different ones.",
            pointer="email",
        )
    return found[0]


async def member_ids(context: Context, organization_id: str, names: Sequence[str]) -> list[str]:
    """Return the ids of the organization's members of these usernames, or ids.

    A name that no member has is returned as it is, for the service to refuse by it.
    """
    lowered = [name.lower() for name in names]
    query = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == organization_id,
            or_(func.lower(User.username).in_(lowered), User.id.in_(names)),
        )
    )
    members = (await context.session.scalars(query)).all()
    # A username goes before an id: TFE's clients send usernames.
    known = {user.id: user.id for user in members}
    known |= {user.username.lower(): user.id for user in members}
    return [known.get(name.lower()) or known.get(name) or name for name in names]


async def memberships_of(
    context: Context, organization_id: str, user_ids: Iterable[str]
) -> Sequence[Membership]:
    """Return the memberships of users in an organization that the actor may see.

    Those are its own, and all for who manages members.
    """
    session, actor = context.session, context.actor
    query = select(Membership).where(
        Membership.organization_id == organization_id, Membership.user_id.in_(set(user_ids))
    )
    held = await permissions(session, actor, Place(organization_id=organization_id))
    if Permission.MANAGE_MEMBERSHIP not in held:
        query = query.where(Membership.user_id == actor.id)
    return (await session.scalars(query.order_by(Membership.id))).all()


async def learn_organizations(context: Context, ids: Iterable[str]) -> None:
    """Load names of organizations, and what the actor may do there, for readers to use."""
    for organization_id in set(ids):
        place = Place(organization_id=organization_id)
        context.held[organization_id] = await permissions(context.session, context.actor, place)
        if organization_id not in context.organization_names:
            row = await context.session.get_one(Organization, organization_id)
            context.organization_names[organization_id] = row.name
