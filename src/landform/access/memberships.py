"""Who belongs to an organization. What a member may do comes from their teams."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import teams
from landform.access.events import MemberAdded, MemberRemoved
from landform.access.grants import forget
from landform.access.models import Membership, Team, TeamMember
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit import events
from landform.kit.errors import ForbiddenError, InvalidError
from landform.kit.unique import unique


async def add_member(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    user: User,
    *,
    into: Sequence[Team] = (),
) -> Membership:
    """Let a user belong to the organization, and put them into the teams `into`.

    Raises:
        ForbiddenError: `actor` may not manage members, or not those of one of the teams.
        InvalidError: the user is a member already.
    """
    await require(
        session, actor, Permission.MANAGE_MEMBERSHIP, Place(organization_id=organization_id)
    )
    row = await join(session, actor, organization_id, user.id)
    for team in into:
        if team.organization_id != organization_id:
            raise InvalidError(f"Team {team.id} is of another organization.", pointer="teams")
        await teams.add_members(session, actor, team, [user.id])
    return row


async def join(
    session: AsyncSession, actor: Actor, organization_id: str, user_id: str
) -> Membership:
    """Add the membership's row, for a caller who has checked that it may be."""
    row = Membership(organization_id=organization_id, user_id=user_id)
    already = InvalidError("The user is a member of the organization already.", pointer="user")
    name = "uq_organization_memberships_organization_id_user_id"
    async with unique(session, name, already):
        session.add(row)
    forget(session)
    events.publish(
        session,
        MemberAdded(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=row.id,
            user_id=user_id,
        ),
    )
    return row


async def remove_member(session: AsyncSession, actor: Actor, membership: Membership) -> None:
    """End a membership, and with it the user's place in every team of the organization.

    Anyone may leave an organization they do not own.

    Raises:
        ForbiddenError: `actor` may not manage members, or is an owner who removes themselves.
        ConflictError: the user is the last owner.
    """
    place = Place(organization_id=membership.organization_id)
    owners = await _owners_with(session, membership)
    is_own = membership.user_id == actor.id
    if is_own and owners is not None:
        raise ForbiddenError("You cannot remove yourself from an organization you own.")
    if owners is not None:
        await require(session, actor, Permission.MANAGE_OWNERS, place)
    elif not is_own:
        await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    for team in await _teams_with(session, membership):
        await teams.take_out(session, actor, team, [membership.user_id])
    await session.delete(membership)
    await session.flush()
    forget(session)
    events.publish(
        session,
        MemberRemoved(
            actor_id=actor.id,
            organization_id=membership.organization_id,
            subject_id=membership.id,
            user_id=membership.user_id,
        ),
    )


async def _owners_with(session: AsyncSession, membership: Membership) -> Team | None:
    return next((team for team in await _teams_with(session, membership) if team.is_owners), None)


async def _teams_with(session: AsyncSession, membership: Membership) -> Sequence[Team]:
    query = (
        select(Team)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(
            Team.organization_id == membership.organization_id,
            TeamMember.user_id == membership.user_id,
        )
        .order_by(Team.id)
    )
    return (await session.scalars(query)).all()
