"""Who the people of a provider are here: whose permissions a comment of theirs has.

A provider tells who wrote a comment, by an id of its own. Names and addresses there can be chosen
and change hands, so nobody is matched by them; an owner says who is who.
"""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Membership
from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit import events
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.vcs import queries
from landform.vcs.events import PersonForgotten, PersonIntroduced
from landform.vcs.models import Connection, KnownPerson

_UNIQUE: Final = "uq_vcs_people_connection_id_person_id"
_LIMIT: Final = 200  # characters


async def list_people(
    session: AsyncSession, actor: Actor, connection: Connection, page: Page
) -> Paged[KnownPerson]:
    """Return who is known of a connection's provider, by name.

    Raises:
        ForbiddenError: `actor` may not manage connections.
    """
    await require(session, actor, Permission.MANAGE_VCS, connection.place)
    wanted = select(KnownPerson).where(KnownPerson.connection_id == connection.id)
    return await fetch_page(session, wanted, page, KnownPerson.name, KnownPerson.id)


async def introduce(
    session: AsyncSession,
    actor: Actor,
    connection: Connection,
    *,
    person_id: str,
    name: str,
    user_id: str,
) -> KnownPerson:
    """Say that a person of the provider is a member of our organization.

    From then on their comments have the member's permissions, so that only owners may say so.

    Args:
        person_id: the provider's id of the person, as the list of deliveries shows it.
        name: for people who read the list.

    Raises:
        ForbiddenError: `actor` is no owner.
        InvalidError: there is no such member, or the person is known already.
    """
    await require(session, actor, Permission.MANAGE_OWNERS, connection.place)
    check_text(person_id, what="The person's id", limit=_LIMIT, pointer="person_id")
    check_text(name, what="The name", limit=_LIMIT, pointer="name")
    if not person_id:
        raise InvalidError("Give the provider's id of the person.", pointer="person_id")
    member = select(Membership.id).where(
        Membership.organization_id == connection.organization_id, Membership.user_id == user_id
    )
    if await session.scalar(member) is None:
        raise InvalidError(f"{user_id} is no member of the organization.", pointer="user")
    row = KnownPerson(
        connection_id=connection.id,
        person_id=person_id,
        name=name,
        user_id=user_id,
        created_by=actor.id,
    )
    taken = InvalidError(f"{person_id} is known already.", pointer="person_id")
    async with unique(session, _UNIQUE, taken):
        session.add(row)
    events.publish(
        session,
        PersonIntroduced(
            actor_id=actor.id,
            organization_id=connection.organization_id,
            subject_id=row.id,
            connection_id=connection.id,
            person_id=person_id,
            user_id=user_id,
        ),
    )
    return row


async def forget(session: AsyncSession, actor: Actor, known_id: str) -> None:
    """Take from a person of the provider what `introduce` gave.

    Raises:
        NotFoundError: nobody is known by this id, or `actor` may not know of it.
        ForbiddenError: `actor` is no owner.
    """
    row, connection = await queries.get_known(session, actor, KnownPerson, known_id, what="person")
    await require(session, actor, Permission.MANAGE_OWNERS, connection.place)
    await session.delete(row)
    events.publish(
        session,
        PersonForgotten(
            actor_id=actor.id,
            organization_id=connection.organization_id,
            subject_id=row.id,
            connection_id=connection.id,
            person_id=row.person_id,
            user_id=row.user_id,
        ),
    )


async def behind(session: AsyncSession, connection_id: str, person_id: str) -> Actor | None:
    """Return who a person of the provider is here, for the platform itself; None for nobody.

    Who was suspended or is no member any more is nobody.
    """
    query = (
        select(User)
        .join(KnownPerson, KnownPerson.user_id == User.id)
        .join(Connection, Connection.id == KnownPerson.connection_id)
        .join(
            Membership,
            (Membership.user_id == User.id)
            & (Membership.organization_id == Connection.organization_id),
        )
        .where(
            KnownPerson.connection_id == connection_id,
            KnownPerson.person_id == person_id,
            ~User.is_suspended,
        )
    )
    user = (await session.scalars(query)).one_or_none()
    return actor_of(user) if user is not None else None
