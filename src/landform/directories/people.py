"""The people of a directory: they come, change and leave, and leaving is at once.

Of whom a directory did not have made, it says only whether they belong: to its organization, or to
the site. A site admin is nobody's to push.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import memberships, teams
from landform.access.models import Membership, Team, TeamMember
from landform.directories.events import (
    PersonDeprovisioned,
    PersonProvisioned,
    PersonReprovisioned,
)
from landform.directories.models import DirectoryGroup, DirectoryMember, DirectoryPerson
from landform.directories.service import Source
from landform.identity import leaving, users
from landform.identity.models import User
from landform.kit import events
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.kit.text import check_text
from landform.kit.unique import unique

_ONE_AT_A_TIME: Final = 0x1D2B0001  # as where identity providers make users
_LIMIT: Final = 254
_OUTSIDE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_USERNAME_LIMIT: Final = 40
_SHORTEST: Final = 2
_ATTEMPTS: Final = 20

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class PersonSettings:
    """What a directory says of a person; None leaves it as it is."""

    user_name: str | None = None
    external_id: str | None = None
    email: str | None = None
    display_name: str | None = None
    is_active: bool | None = None


@dataclass(frozen=True)
class Shown:
    """A person and the user that they are."""

    person: DirectoryPerson
    user: User


async def get_person(session: AsyncSession, source: Source, person_id: str) -> Shown:
    """Return a person of the directory.

    Raises:
        NotFoundError: it knows of none.
    """
    query = _of(source).where(DirectoryPerson.id == person_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no user {person_id[:80]} in this directory.")
    return Shown(row[0], row[1])


async def list_people(
    session: AsyncSession, source: Source, *, by: tuple[str, str] | None, skip: int, most: int
) -> tuple[int, Sequence[Shown]]:
    """Return how many people there are, and some of them, in the order they came.

    Args:
        by: only those of whom `user_name`, `external_id`, `email` or `id` is this.
    """
    query = _of(source)
    if by is not None:
        name, value = by
        match name:
            case "user_name":
                query = query.where(func.lower(DirectoryPerson.user_name) == value.lower())
            case "external_id":
                query = query.where(DirectoryPerson.external_id == value)
            case "email":
                query = query.where(func.lower(User.email) == value.lower())
            case _:
                query = query.where(DirectoryPerson.id == value)
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(DirectoryPerson.created_at, DirectoryPerson.id).offset(skip).limit(most)
    return total, [Shown(row[0], row[1]) for row in await session.execute(page)]


async def add_person(session: AsyncSession, source: Source, settings: PersonSettings) -> Shown:
    """Take a person in: the user who has their address, or a new one.

    Raises:
        InvalidError: there is no name, or something is malformed.
        ConflictError: the directory has them, or they are nobody's to push.
    """
    _check(settings)
    if not settings.user_name:
        raise InvalidError("A user needs a userName.", pointer="userName")
    await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    taken = _of(source).where(func.lower(DirectoryPerson.user_name) == settings.user_name.lower())
    if (await session.execute(taken)).first() is not None:
        raise ConflictError(f"There is a user {settings.user_name} in this directory.")
    user = await _with_email(session, settings.email or "")
    is_new = user is None
    if user is None:
        user = await _make(session, source, settings)
    row = await _row_of(session, source, user)
    if row is not None and not row.is_deleted:
        raise ConflictError(f"This directory knows {settings.email} by another name.")
    if row is None:
        row = DirectoryPerson(
            directory_id=source.directory.id, user_id=user.id, owns_user=is_new, user_name=""
        )
        session.add(row)
    row.is_deleted, row.is_active = False, True
    row.user_name, row.external_id = settings.user_name, settings.external_id or ""
    row.display_name = settings.display_name or ""
    await session.flush()
    events.publish(
        session,
        PersonProvisioned(
            actor_id=source.actor.id,
            organization_id=source.directory.organization_id,
            subject_id=user.id,
            directory_id=source.directory.id,
            is_new=is_new,
        ),
    )
    if settings.is_active is False:
        await _leave(session, source, row, user)
    else:
        await _come(session, source, row, user)
    return Shown(row, user)


async def change_person(
    session: AsyncSession, source: Source, shown: Shown, settings: PersonSettings
) -> None:
    """Apply what is given.

    Raises:
        InvalidError: something is malformed.
        ConflictError: a name or an address is another's, or the last owner would go.
    """
    _check(settings)
    row, user = shown.person, shown.user
    await session.refresh(row, with_for_update=True)
    if settings.user_name == "":
        raise InvalidError("A user needs a userName.", pointer="userName")
    taken = ConflictError(f"There is a user {settings.user_name} in this directory.")
    async with unique(session, "uq_directory_people_name", taken):
        for name in ("user_name", "external_id", "display_name"):
            value = getattr(settings, name)
            if value is not None and value != getattr(row, name):
                setattr(row, name, value)
    email = settings.email
    if email is not None and row.owns_user and email.lower() != user.email.lower():
        await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        if email and await session.scalar(
            select(User.id).where(func.lower(User.email) == email.lower(), User.id != user.id)
        ):
            raise ConflictError(f"Another user has the address {email}.")
        user.email = email
    if settings.is_active is False and row.is_active:
        await _leave(session, source, row, user)
    elif settings.is_active and not row.is_active:
        await _return(session, source, row, user)


async def remove_person(session: AsyncSession, source: Source, shown: Shown) -> None:
    """Forget a person, who has left.

    Raises:
        ConflictError: they are the last owner of the organization.
    """
    row = shown.person
    await session.refresh(row, with_for_update=True)
    if row.is_active:
        await _leave(session, source, row, shown.user)
    row.is_deleted = True
    for member in await session.scalars(
        select(DirectoryMember).where(DirectoryMember.person_id == row.id)
    ):
        await session.delete(member)


def _of(source: Source) -> Select[DirectoryPerson, User]:
    return (
        select(DirectoryPerson, User)
        .join(User, User.id == DirectoryPerson.user_id)
        .where(DirectoryPerson.directory_id == source.directory.id, ~DirectoryPerson.is_deleted)
    )


def _check(settings: PersonSettings) -> None:
    names = {
        "user_name": "userName",
        "external_id": "externalId",
        "email": "emails",
        "display_name": "displayName",
    }
    for name, said in names.items():
        check_text(getattr(settings, name) or "", what=f"The {said}", limit=_LIMIT, pointer=said)


async def _with_email(session: AsyncSession, email: str) -> User | None:
    if not email:
        return None
    query = select(User).where(func.lower(User.email) == email.lower()).limit(2)
    found = (await session.scalars(query)).all()
    if len(found) > 1:
        raise ConflictError(f"Several users have the address {email}.")
    if found and found[0].is_site_admin:
        raise ConflictError(f"{email} is a site admin's, who is in no directory.")
    return found[0] if found else None


async def _make(session: AsyncSession, source: Source, settings: PersonSettings) -> User:
    plain = _OUTSIDE.sub("-", (settings.user_name or "").partition("@")[0]).strip("._-")
    base = plain[:_USERNAME_LIMIT] if len(plain) >= _SHORTEST else "user"
    for attempt in range(_ATTEMPTS):
        tail = f"-{secrets.token_hex(3)}" if attempt else ""
        try:
            return await users.create_user(
                session,
                source.actor,
                username=base[: _USERNAME_LIMIT - len(tail)] + tail,
                email=settings.email or "",
            )
        except InvalidError:
            continue
    raise ConflictError("No name was found for this user here.")


async def _row_of(session: AsyncSession, source: Source, user: User) -> DirectoryPerson | None:
    query = select(DirectoryPerson).where(
        DirectoryPerson.directory_id == source.directory.id, DirectoryPerson.user_id == user.id
    )
    return await session.scalar(query)


async def _come(session: AsyncSession, source: Source, row: DirectoryPerson, user: User) -> None:
    """Let somebody in who is active: into the site, the organization, and the groups' teams."""
    row.is_active = True
    if row.suspended_here:
        await users.reinstate(session, source.actor, user)
        row.suspended_here = False
    organization_id = source.directory.organization_id
    if organization_id is None:
        return
    if await _membership(session, organization_id, user) is None:
        await memberships.join(session, source.actor, organization_id, user.id)
    held = (
        select(Team)
        .join(DirectoryGroup, DirectoryGroup.team_id == Team.id)
        .join(DirectoryMember, DirectoryMember.group_id == DirectoryGroup.id)
        .where(DirectoryMember.person_id == row.id)
    )
    for team in (await session.scalars(held)).all():
        await teams.put_in(session, source.actor, team, [user.id])


async def _return(session: AsyncSession, source: Source, row: DirectoryPerson, user: User) -> None:
    await _come(session, source, row, user)
    events.publish(
        session,
        PersonReprovisioned(
            actor_id=source.actor.id,
            organization_id=source.directory.organization_id,
            subject_id=user.id,
            directory_id=source.directory.id,
        ),
    )


async def _leave(session: AsyncSession, source: Source, row: DirectoryPerson, user: User) -> None:
    if user.is_site_admin:  # became one since
        raise ConflictError(f"{user.username} is a site admin, who is in no directory.")
    row.is_active = False
    organization_id = source.directory.organization_id
    is_shut_out = organization_id is None or row.owns_user
    if is_shut_out and not user.is_suspended:
        await leaving.shut_out(session, source.actor, user)
        row.suspended_here = True
    if organization_id is not None:
        await _part(session, source, organization_id, user, is_shut_out=is_shut_out)
    events.publish(
        session,
        PersonDeprovisioned(
            actor_id=source.actor.id,
            organization_id=organization_id,
            subject_id=user.id,
            directory_id=source.directory.id,
        ),
    )


async def _part(
    session: AsyncSession, source: Source, organization_id: str, user: User, *, is_shut_out: bool
) -> None:
    """End the user's part in the organization; the last owner keeps it who can do nothing anyway.

    Raises:
        ConflictError: the last owner would go, and could still act.
    """
    membership = await _membership(session, organization_id, user)
    if membership is None:
        return
    try:
        async with session.begin_nested():
            await memberships.remove_member(session, source.actor, membership)
    except ConflictError:
        if not is_shut_out:
            raise
        log.warning("the last owner has left", organization=organization_id, user=user.id)


async def _membership(session: AsyncSession, organization_id: str, user: User) -> Membership | None:
    query = select(Membership).where(
        Membership.organization_id == organization_id, Membership.user_id == user.id
    )
    return await session.scalar(query)


async def is_in_team(session: AsyncSession, team_id: str, user_id: str) -> bool:
    """Tell whether the user is in the team."""
    query = select(TeamMember.team_id).where(
        TeamMember.team_id == team_id, TeamMember.user_id == user_id
    )
    return await session.scalar(query) is not None
