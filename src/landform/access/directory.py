"""Reads of teams and members, each within what the actor may see."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import teams_of
from landform.access.models import Membership, Team, TeamMember
from landform.access.permissions import Permission, Place
from landform.access.service import permissions, require, visible_organizations
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import User
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.organizations.models import Organization

_SAME_NAMES: Final = 100
# What a selection of teams can ask for.
_FIELDS: Final[Columns] = {"id": Team.id, "name": Team.name}


async def get_team(session: AsyncSession, actor: Actor, team_id: str) -> Team:
    """Return the team.

    Raises:
        NotFoundError: there is none, or it is secret from `actor`.
    """
    team = await session.get(Team, team_id)
    if team is not None:
        shown = await visible_teams(session, actor, team.organization_id)
        query = select(Team.id).where(Team.id == team_id, shown)
        if await session.scalar(query) is not None:
            return team
    raise NotFoundError(f"There is no team {team_id}.")


async def team_named(
    session: AsyncSession, actor: Actor, name: str, organization: str = ""
) -> Team:
    """Return the one team of that name that `actor` may see, in whatever organization it is.

    Args:
        organization: the name of the organization, where the team's alone does not tell.

    Raises:
        NotFoundError: there is none, for `actor`.
        InvalidError: there are several.
    """
    wanted = (
        select(Team)
        .join(Organization, Organization.id == Team.organization_id)
        .where(Team.name == name, await visible_organizations(session, actor))
    )
    if organization:
        wanted = wanted.where(func.lower(Organization.name) == organization.lower())
    found = []
    for team in await session.scalars(wanted.limit(_SAME_NAMES)):
        with contextlib.suppress(NotFoundError):
            found.append(await get_team(session, actor, team.id))
    if not found:
        raise NotFoundError(f"There is no team {name}.")
    if len(found) > 1:
        raise InvalidError(f"Several organizations have a team {name}; say ORGANIZATION/{name}.")
    return found[0]


async def list_teams(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    page: Page,
    *,
    names: Sequence[str] = (),
    search: str = "",
    selection: Selection = EVERYTHING,
) -> Paged[Team]:
    """Return the organization's teams that `actor` may see, by name unless `selection` orders.

    Args:
        names: only teams of these names.
        search: only teams whose name contains this, in any case.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    shown = await visible_teams(session, actor, organization_id)
    wanted = select(Team).where(Team.organization_id == organization_id, shown)
    if names:
        wanted = wanted.where(Team.name.in_(names))
    if search:
        wanted = wanted.where(Team.name.icontains(search, autoescape=True))
    order = (*ordering(selection, _FIELDS), Team.name)
    return await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)


async def visible_teams(
    session: AsyncSession, actor: Actor, organization_id: str
) -> ColumnElement[bool]:
    """Return the condition that holds for the teams of the organization `actor` may know of.

    A secret team is known to its members, and to who may see secret teams. A run knows of none.
    """
    if actor.kind is ActorKind.RUN:
        return false()
    held = await permissions(session, actor, Place(organization_id=organization_id))
    if Permission.SEE_SECRET_TEAMS in held:
        return Team.organization_id == organization_id
    own: ColumnElement[bool] = Team.id.in_(teams_of(actor))
    if Permission.READ_ORGANIZATION in held:
        own = or_(Team.visibility == "organization", own)
    return (Team.organization_id == organization_id) & own


async def team_names(
    session: AsyncSession, actor: Actor, organization_id: str, team_ids: Iterable[str]
) -> dict[str, str]:
    """Return the names of those of the organization's teams that `actor` may know of, by id."""
    query = select(Team.id, Team.name).where(
        Team.id.in_(set(team_ids)), await visible_teams(session, actor, organization_id)
    )
    return {row.id: row.name for row in await session.execute(query)}


async def members_of(session: AsyncSession, team: Team) -> Sequence[User]:
    """Return the users in a team the caller could get, by name."""
    query = (
        select(User)
        .join(TeamMember, TeamMember.user_id == User.id)
        .where(TeamMember.team_id == team.id)
        .order_by(func.lower(User.username))
    )
    return (await session.scalars(query)).all()


async def member_counts(session: AsyncSession, teams: Sequence[Team]) -> dict[str, int]:
    """Return how many users are in each of `teams`, by id of the team."""
    query = (
        select(TeamMember.team_id, func.count())
        .where(TeamMember.team_id.in_([team.id for team in teams]))
        .group_by(TeamMember.team_id)
    )
    counted = {row[0]: row[1] for row in (await session.execute(query)).all()}
    return {team.id: counted.get(team.id, 0) for team in teams}


async def get_membership(session: AsyncSession, actor: Actor, membership_id: str) -> Membership:
    """Return a membership: one's own, or any for who manages members.

    Raises:
        NotFoundError: there is none, or it is not `actor`'s to see.
    """
    row = await session.get(Membership, membership_id)
    if row is not None:
        place = Place(organization_id=row.organization_id)
        held = await permissions(session, actor, place)
        if row.user_id == actor.id or Permission.MANAGE_MEMBERSHIP in held:
            return row
    raise NotFoundError(f"There is no organization membership {membership_id}.")


async def list_memberships(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    page: Page,
    *,
    emails: Sequence[str] = (),
    search: str = "",
) -> Paged[tuple[Membership, User]]:
    """Return the organization's members, by name.

    Args:
        emails: only members with these addresses.
        search: only members whose name or address contains this, in any case.

    Raises:
        ForbiddenError: `actor` does not manage members.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    wanted = (
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.organization_id == organization_id)
    )
    if emails:
        wanted = wanted.where(func.lower(User.email).in_([email.lower() for email in emails]))
    if search:
        wanted = wanted.where(
            or_(
                User.username.icontains(search, autoescape=True),
                User.email.icontains(search, autoescape=True),
            )
        )
    ids = await fetch_page(session, wanted, page, func.lower(User.username))
    return Paged(items=await _with_users(session, ids.items), total=ids.total)


async def own_memberships(session: AsyncSession, actor: Actor) -> Sequence[Membership]:
    """Return the acting user's memberships; other kinds of actors have none."""
    if actor.kind is not ActorKind.USER:
        return []
    query = select(Membership).where(Membership.user_id == actor.id).order_by(Membership.id)
    return (await session.scalars(query)).all()


async def teams_of_members(
    session: AsyncSession, actor: Actor, organization_id: str, user_ids: Sequence[str]
) -> dict[str, list[str]]:
    """Return, by user, the ids of the teams in the organization that `actor` may know of."""
    shown = await visible_teams(session, actor, organization_id)
    query = (
        select(TeamMember.user_id, TeamMember.team_id)
        .join(Team, Team.id == TeamMember.team_id)
        .where(TeamMember.user_id.in_(user_ids), shown)
        .order_by(Team.name)
    )
    teams: dict[str, list[str]] = {user_id: [] for user_id in user_ids}
    for user_id, team_id in (await session.execute(query)).all():
        teams[user_id].append(team_id)
    return teams


async def _with_users(
    session: AsyncSession, membership_ids: Sequence[str]
) -> list[tuple[Membership, User]]:
    query = (
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.id.in_(membership_ids))
        .order_by(func.lower(User.username))
    )
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]
