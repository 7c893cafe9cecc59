"""Teams and who is in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.events import (
    TeamCreated,
    TeamDeleted,
    TeamMembersAdded,
    TeamMembersRemoved,
    TeamUpdated,
)
from landform.access.grants import forget
from landform.access.models import Membership, Team, TeamMember
from landform.access.permissions import ORGANIZATION_ACCESS, Permission, Place
from landform.access.service import permissions, require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError
from landform.kit.text import check_text
from landform.kit.unique import unique

OWNERS: Final = "owners"
_GROUP_LIMIT: Final = 320  # characters, a provider's prefix among them
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,90}")
_VISIBILITIES: Final = ("secret", "organization")


@dataclass(frozen=True, kw_only=True)
class TeamSettings:
    """What can be changed of a team; None leaves it as it is.

    Attributes:
        organization_access: the switches that are on, by the API's names.
        sso_team_id: the group whose people identity providers put into the team; empty: none.
    """

    name: str | None = None
    visibility: str | None = None
    organization_access: Sequence[str] | None = None
    sso_team_id: str | None = None


async def create_team(
    session: AsyncSession, actor: Actor, organization_id: str, settings: TeamSettings
) -> Team:
    """Add a team without members.

    Raises:
        ForbiddenError: `actor` may not manage teams, or not give the switches asked for.
        InvalidError: the name is malformed or taken, or a switch or the visibility unknown.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.MANAGE_TEAMS, place)
    _check(settings)
    if settings.name is None:
        raise InvalidError("A team needs a name.", pointer="name")
    if settings.organization_access:
        await require(session, actor, Permission.MANAGE_ORGANIZATION_ACCESS, place)
    if settings.sso_team_id:
        await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    team = Team(
        organization_id=organization_id,
        name=settings.name,
        visibility=settings.visibility or "secret",
        organization_access=sorted(settings.organization_access or ()),
        sso_team_id=settings.sso_team_id or None,
    )
    async with unique(session, "uq_teams_organization_id_name", _taken(settings.name)):
        session.add(team)
    forget(session)
    events.publish(
        session,
        TeamCreated(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=team.id,
            name=team.name,
            organization_access=tuple(team.organization_access),
        ),
    )
    return team


async def create_owners(session: AsyncSession, actor: Actor, organization_id: str) -> Team:
    """Add the owners team of a new organization, with `actor` as its first member if a user.

    For the maker of the organization, which has checked that `actor` may make one.
    """
    team = Team(organization_id=organization_id, name=OWNERS, is_owners=True)
    session.add(team)
    await session.flush()
    forget(session)
    events.publish(
        session,
        TeamCreated(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=team.id,
            name=team.name,
        ),
    )
    return team


async def update_team(
    session: AsyncSession, actor: Actor, team: Team, settings: TeamSettings
) -> Team:
    """Apply the settings that are given.

    Raises:
        ForbiddenError: `actor` may not manage teams, or not give the switches asked for.
        InvalidError: a setting cannot be, or is the owners team's, which has none to change.
    """
    place = Place(organization_id=team.organization_id)
    _check(settings)
    changed = _changes(team, settings)
    if set(changed) != {"organization_access"}:
        await require(session, actor, Permission.MANAGE_TEAMS, place)
    if "sso_team_id" in changed:  # whoever says which group, says who is in the team
        needed = Permission.MANAGE_OWNERS if team.is_owners else Permission.MANAGE_MEMBERSHIP
        await require(session, actor, needed, place)
    if "organization_access" in changed:
        await require(session, actor, Permission.MANAGE_ORGANIZATION_ACCESS, place)
    if not changed:
        return team
    if team.is_owners and not set(changed) <= {"visibility", "sso_team_id"}:
        raise InvalidError("The owners team keeps its name, and may do everything already.")
    changes = events.changes_of(team, changed)
    async with unique(session, "uq_teams_organization_id_name", _taken(settings.name or "")):
        for name, value in changed.items():
            setattr(team, name, value)
    forget(session)
    events.publish(
        session,
        TeamUpdated(
            actor_id=actor.id,
            organization_id=team.organization_id,
            subject_id=team.id,
            changed=tuple(changed),
            organization_access=tuple(team.organization_access),
            changes=changes,
        ),
    )
    return team


async def delete_team(session: AsyncSession, actor: Actor, team: Team) -> None:
    """Delete the team with its grants and tokens.

    Raises:
        ForbiddenError: `actor` may not manage teams.
        ConflictError: it is the owners team.
    """
    place = Place(organization_id=team.organization_id)
    await require(session, actor, Permission.MANAGE_TEAMS, place)
    if team.is_owners:
        raise ConflictError("The owners team cannot be deleted.")
    await session.delete(team)
    await session.flush()
    forget(session)
    events.publish(
        session,
        TeamDeleted(
            actor_id=actor.id,
            organization_id=team.organization_id,
            subject_id=team.id,
            name=team.name,
        ),
    )


async def require_membership(session: AsyncSession, actor: Actor, team: Team) -> None:
    """Refuse unless `actor` may put people into the team.

    Raises:
        ForbiddenError: they may not manage members, or not those of this team.
    """
    place = Place(organization_id=team.organization_id)
    needed = Permission.MANAGE_OWNERS if team.is_owners else Permission.MANAGE_MEMBERSHIP
    await require(session, actor, needed, place)
    if team.is_owners or team.visibility == "organization":
        return
    held = await permissions(session, actor, place)
    own = select(TeamMember.team_id).where(
        TeamMember.team_id == team.id, TeamMember.user_id == actor.id
    )
    if Permission.SEE_SECRET_TEAMS not in held and await session.scalar(own) is None:
        raise ForbiddenError(f"Team {team.name} is secret, and you are not in it.")


async def add_members(
    session: AsyncSession, actor: Actor, team: Team, user_ids: Sequence[str]
) -> None:
    """Put users into the team; those who are in it stay.

    Raises:
        ForbiddenError: `actor` may not manage members, or not those of the owners team.
        InvalidError: somebody does not belong to the organization.
    """
    await require_membership(session, actor, team)
    known = await session.scalars(
        select(Membership.user_id).where(
            Membership.organization_id == team.organization_id,
            Membership.user_id.in_(user_ids),
        )
    )
    strangers = set(user_ids) - set(known)
    if strangers:
        raise InvalidError(
            f"{', '.join(sorted(strangers))} must first become a member of the organization."
        )
    await put_in(session, actor, team, user_ids)


async def put_in(session: AsyncSession, actor: Actor, team: Team, user_ids: Sequence[str]) -> None:
    """Put members of the organization into a team, for a caller who has checked that it may be."""
    if not user_ids:
        return
    rows = [{"team_id": team.id, "user_id": user_id} for user_id in sorted(set(user_ids))]
    added = await session.scalars(
        insert(TeamMember).values(rows).on_conflict_do_nothing().returning(TeamMember.user_id)
    )
    joined = tuple(added)
    forget(session)
    if joined:
        events.publish(
            session,
            TeamMembersAdded(
                actor_id=actor.id,
                organization_id=team.organization_id,
                subject_id=team.id,
                user_ids=joined,
            ),
        )


async def remove_members(
    session: AsyncSession, actor: Actor, team: Team, user_ids: Sequence[str]
) -> None:
    """Take users out of the team; those who are not in it do not matter.

    Raises:
        ForbiddenError: `actor` may not manage members, or not those of the owners team.
        ConflictError: no owner would be left.
    """
    await require_membership(session, actor, team)
    await take_out(session, actor, team, user_ids)


async def take_out(
    session: AsyncSession, actor: Actor, team: Team, user_ids: Sequence[str]
) -> None:
    """Take users out of a team for a caller who has checked that it may be.

    Raises:
        ConflictError: no owner would be left.
    """
    # Two owners who remove each other at once must not both succeed.
    await session.execute(select(Team.id).where(Team.id == team.id).with_for_update())
    removed = await session.scalars(
        delete(TeamMember)
        .where(TeamMember.team_id == team.id, TeamMember.user_id.in_(user_ids))
        .returning(TeamMember.user_id)
    )
    left = tuple(removed)
    forget(session)
    if not left:
        return
    if team.is_owners:
        remaining = await session.scalar(
            select(func.count()).select_from(TeamMember).where(TeamMember.team_id == team.id)
        )
        if not remaining:
            raise ConflictError("The last owner of an organization cannot be removed.")
    events.publish(
        session,
        TeamMembersRemoved(
            actor_id=actor.id,
            organization_id=team.organization_id,
            subject_id=team.id,
            user_ids=left,
        ),
    )


def _check(settings: TeamSettings) -> None:
    if settings.name is not None and _NAME.fullmatch(settings.name) is None:
        raise InvalidError(
            "A team's name has at most 90 letters, digits, dashes and underscores.",
            pointer="name",
        )
    if settings.name is not None and settings.name.lower() == OWNERS:
        raise _taken(settings.name)
    if settings.visibility not in (None, *_VISIBILITIES):
        raise InvalidError(
            f"A team's visibility is one of {', '.join(_VISIBILITIES)}.", pointer="visibility"
        )
    check_text(
        settings.sso_team_id or "", what="The group", limit=_GROUP_LIMIT, pointer="sso_team_id"
    )
    unknown = sorted(set(settings.organization_access or ()) - set(ORGANIZATION_ACCESS))
    if unknown:
        raise InvalidError(
            f"There is no organization access called {', '.join(unknown)}; there are"
            f" {', '.join(ORGANIZATION_ACCESS)}.",
            pointer="organization_access",
        )


def _changes(team: Team, settings: TeamSettings) -> dict[str, str | list[str] | None]:
    wanted: dict[str, str | list[str] | None] = {
        "name": settings.name,
        "visibility": settings.visibility,
        "organization_access": None
        if settings.organization_access is None
        else sorted(set(settings.organization_access)),
    }
    changes: dict[str, str | list[str] | None] = {
        name: value
        for name, value in wanted.items()
        if value is not None and value != getattr(team, name)
    }
    if settings.sso_team_id is not None and settings.sso_team_id != (team.sso_team_id or ""):
        changes["sso_team_id"] = settings.sso_team_id or None
    return changes


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The team name {name} has already been taken.", pointer="name")
