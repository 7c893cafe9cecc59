"""The groups of an organization's directory: each is a team of the organization."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import teams
from landform.access.models import Team
from landform.access.teams import TeamSettings
from landform.directories.models import DirectoryGroup, DirectoryMember, DirectoryPerson
from landform.directories.people import is_in_team
from landform.directories.service import Source
from landform.identity.models import User
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.text import check_text
from landform.kit.unique import unique

_OUTSIDE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LIMIT: Final = 254
_TEAM_LIMIT: Final = 90
MOST_AT_ONCE: Final = 5000  # members that one request can name


@dataclass(frozen=True, kw_only=True)
class GroupSettings:
    """What a directory says of a group; None leaves it as it is.

    Attributes:
        members: ids of people who are all there are.
        add: ids of people who come.
        remove: ids of people who go; of those in `add` as well, `add` counts.
    """

    display_name: str | None = None
    external_id: str | None = None
    members: Sequence[str] | None = None
    add: Sequence[str] = ()
    remove: Sequence[str] = ()


async def get_group(session: AsyncSession, source: Source, group_id: str) -> DirectoryGroup:
    """Return a group of the directory.

    Raises:
        NotFoundError: it knows of none.
    """
    query = _of(source).where(DirectoryGroup.id == group_id)
    row = await session.scalar(query)
    if row is None:
        raise NotFoundError(f"There is no group {group_id[:80]} in this directory.")
    return row


async def list_groups(
    session: AsyncSession, source: Source, *, by: tuple[str, str] | None, skip: int, most: int
) -> tuple[int, Sequence[DirectoryGroup]]:
    """Return how many groups there are, and some of them, in the order they came.

    Args:
        by: only those of which `display_name`, `external_id` or `id` is this.
    """
    query = _of(source)
    if by is not None:
        name, value = by
        match name:
            case "display_name":
                query = query.where(func.lower(DirectoryGroup.display_name) == value.lower())
            case "external_id":
                query = query.where(DirectoryGroup.external_id == value)
            case _:
                query = query.where(DirectoryGroup.id == value)
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(DirectoryGroup.created_at, DirectoryGroup.id).offset(skip).limit(most)
    return total, (await session.scalars(page)).all()


async def members_of(
    session: AsyncSession, groups: Sequence[DirectoryGroup]
) -> Mapping[str, list[tuple[str, str]]]:
    """Return id and name of the people in each of the groups, by id of the group."""
    query = (
        select(DirectoryMember.group_id, DirectoryPerson.id, DirectoryPerson.user_name)
        .join(DirectoryPerson, DirectoryPerson.id == DirectoryMember.person_id)
        .where(DirectoryMember.group_id.in_([each.id for each in groups]))
        .order_by(DirectoryPerson.id)
    )
    found: dict[str, list[tuple[str, str]]] = {each.id: [] for each in groups}
    for group_id, person_id, name in await session.execute(query):
        found[group_id].append((person_id, name))
    return found


async def add_group(
    session: AsyncSession, source: Source, settings: GroupSettings
) -> DirectoryGroup:
    """Take a group in: the organization's team of that name, or a new one.

    Raises:
        ForbiddenError: the directory is of no organization.
        InvalidError: there is no name, or a member is unknown.
        ConflictError: the directory has it, or the team is the owners', or another group's.
    """
    organization_id = source.directory.organization_id
    if organization_id is None:
        raise ForbiddenError("A directory of the site has people only; groups are organizations'.")
    _check(settings)
    if not settings.display_name:
        raise InvalidError("A group needs a displayName.", pointer="displayName")
    team = await _team(session, source, organization_id, settings.display_name)
    row = DirectoryGroup(
        directory_id=source.directory.id,
        team_id=team.id,
        display_name=settings.display_name,
        external_id=settings.external_id or "",
    )
    of_group = ConflictError(f"The team {team.name} is another group's.")
    named = ConflictError(f"There is a group {settings.display_name} in this directory.")
    async with (
        unique(session, "uq_directory_groups_team_id", of_group),
        unique(session, "uq_directory_groups_name", named),
    ):
        session.add(row)
    await _apply_members(session, source, row, settings)
    return row


async def change_group(
    session: AsyncSession, source: Source, row: DirectoryGroup, settings: GroupSettings
) -> None:
    """Apply what is given; a team keeps its name.

    Raises:
        InvalidError: something is malformed, or a member is unknown.
        ConflictError: the name is another group's.
    """
    _check(settings)
    if settings.display_name == "":
        raise InvalidError("A group needs a displayName.", pointer="displayName")
    await session.refresh(row, with_for_update=True)
    named = ConflictError(f"There is a group {settings.display_name} in this directory.")
    async with unique(session, "uq_directory_groups_name", named):
        for name in ("display_name", "external_id"):
            value = getattr(settings, name)
            if value is not None and value != getattr(row, name):
                setattr(row, name, value)
    await _apply_members(session, source, row, settings)


async def remove_group(session: AsyncSession, source: Source, row: DirectoryGroup) -> None:
    """Forget a group; its team stays, without those whom the group had put in."""
    await session.refresh(row, with_for_update=True)
    await _apply_members(session, source, row, GroupSettings(members=[]))
    await session.delete(row)


def _of(source: Source) -> Select[DirectoryGroup]:
    return select(DirectoryGroup).where(DirectoryGroup.directory_id == source.directory.id)


def _check(settings: GroupSettings) -> None:
    for text, said in (
        (settings.display_name, "displayName"),
        (settings.external_id, "externalId"),
    ):
        check_text(text or "", what=f"The {said}", limit=_LIMIT, pointer=said)
    if len(settings.members or ()) + len(settings.add) + len(settings.remove) > MOST_AT_ONCE:
        raise InvalidError(f"At most {MOST_AT_ONCE} members can be named at once.")


async def _team(
    session: AsyncSession, source: Source, organization_id: str, display_name: str
) -> Team:
    name = _OUTSIDE.sub("-", display_name).strip("-")[:_TEAM_LIMIT]
    if not name:
        raise InvalidError(
            f"No team can be called {display_name!r}: a name has letters or digits.",
            pointer="displayName",
        )
    query = select(Team).where(Team.organization_id == organization_id, Team.name == name)
    team = await session.scalar(query)
    if name.lower() == teams.OWNERS or (team is not None and team.is_owners):
        raise ConflictError("Owners are not pushed by a directory; give the group another name.")
    if team is not None:
        return team
    return await teams.create_team(session, source.actor, organization_id, TeamSettings(name=name))


async def _apply_members(
    session: AsyncSession, source: Source, row: DirectoryGroup, settings: GroupSettings
) -> None:
    query = select(DirectoryMember.person_id).where(DirectoryMember.group_id == row.id)
    present = set(await session.scalars(query))
    wanted = present if settings.members is None else set(settings.members)
    wanted = (wanted - set(settings.remove)) | set(settings.add)
    if wanted == present:
        return
    known = await _people(session, source, wanted | present)
    unknown = sorted(wanted - known.keys())
    if unknown:
        raise InvalidError(
            f"There is no user {unknown[0][:80]} in this directory.", pointer="members"
        )
    team = await session.get_one(Team, row.team_id)
    for person_id in sorted(present - wanted):
        await _take_out(session, source, row, team, known[person_id])
    for person_id in sorted(wanted - present):
        await _put_in(session, source, row, team, known[person_id])


async def _people(
    session: AsyncSession, source: Source, ids: Iterable[str]
) -> dict[str, tuple[DirectoryPerson, User]]:
    query = (
        select(DirectoryPerson, User)
        .join(User, User.id == DirectoryPerson.user_id)
        .where(
            DirectoryPerson.directory_id == source.directory.id,
            ~DirectoryPerson.is_deleted,
            DirectoryPerson.id.in_(set(ids)),
        )
    )
    return {row[0].id: (row[0], row[1]) for row in await session.execute(query)}


async def _put_in(
    session: AsyncSession,
    source: Source,
    row: DirectoryGroup,
    team: Team,
    who: tuple[DirectoryPerson, User],
) -> None:
    person, user = who
    was_there = await is_in_team(session, team.id, user.id)
    session.add(DirectoryMember(group_id=row.id, person_id=person.id, was_there=was_there))
    await session.flush()
    if person.is_active and not was_there:
        await teams.put_in(session, source.actor, team, [user.id])


async def _take_out(
    session: AsyncSession,
    source: Source,
    row: DirectoryGroup,
    team: Team,
    who: tuple[DirectoryPerson, User],
) -> None:
    person, user = who
    gone = await session.scalars(
        delete(DirectoryMember)
        .where(DirectoryMember.group_id == row.id, DirectoryMember.person_id == person.id)
        .returning(DirectoryMember.was_there)
    )
    if gone.one_or_none() is False:
        await teams.take_out(session, source.actor, team, [user.id])
