"""A provider's groups into teams: who is in a group is in the teams that stand for it.

A team stands for a group by its `sso_team_id`, which its organization sets. Whom a provider put in,
it takes out; whom somebody put in by hand stays.
"""

from collections.abc import Iterable
from typing import Final

import structlog
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import memberships, teams
from landform.access.models import Membership, Team, TeamMember
from landform.federation.models import FederatedMember, IdentityProvider
from landform.identity.actor import SYSTEM
from landform.identity.models import User
from landform.kit.errors import ConflictError

_MOST: Final = 1000  # teams of one user

log = structlog.get_logger()


async def place_in_teams(
    session: AsyncSession, provider: IdentityProvider, user: User, groups: Iterable[str]
) -> None:
    """Have the user be in the teams of these groups, and no longer in those of former ones."""
    named = [provider.group_prefix + group for group in groups]
    wanted = await _teams(session, Team.sso_team_id.in_(named)) if named else {}
    held = await _teams(
        session,
        Team.id.in_(
            # Whom somebody took out meanwhile is not in it any more, whatever we did before.
            select(FederatedMember.team_id)
            .join(
                TeamMember,
                (TeamMember.team_id == FederatedMember.team_id)
                & (TeamMember.user_id == FederatedMember.user_id),
            )
            .where(FederatedMember.provider_id == provider.id, FederatedMember.user_id == user.id)
        ),
    )
    for team_id in sorted(held.keys() - wanted.keys()):
        await _take_out(session, provider, held[team_id], user)
    for team_id in sorted(wanted.keys() - held.keys()):
        await _put_in(session, provider, wanted[team_id], user)


async def _teams(session: AsyncSession, condition: ColumnElement[bool]) -> dict[str, Team]:
    query = select(Team).where(condition).order_by(Team.id).limit(_MOST)
    return {team.id: team for team in await session.scalars(query)}


async def _put_in(
    session: AsyncSession, provider: IdentityProvider, team: Team, user: User
) -> None:
    there = select(TeamMember.team_id).where(
        TeamMember.team_id == team.id, TeamMember.user_id == user.id
    )
    if await session.scalar(there) is not None:
        return  # by hand, or by another provider: not ours to take back
    member = select(Membership.id).where(
        Membership.organization_id == team.organization_id, Membership.user_id == user.id
    )
    if await session.scalar(member) is None:
        await memberships.join(session, SYSTEM, team.organization_id, user.id)
    await teams.put_in(session, SYSTEM, team, [user.id])
    await session.execute(
        insert(FederatedMember)
        .values(provider_id=provider.id, team_id=team.id, user_id=user.id)
        .on_conflict_do_nothing()
    )


async def _take_out(
    session: AsyncSession, provider: IdentityProvider, team: Team, user: User
) -> None:
    try:
        async with session.begin_nested():
            await teams.take_out(session, SYSTEM, team, [user.id])
    except ConflictError:
        log.warning("the last owner stays", team=team.id, user=user.id)
        return
    await session.execute(
        delete(FederatedMember).where(
            FederatedMember.provider_id == provider.id,
            FederatedMember.team_id == team.id,
            FederatedMember.user_id == user.id,
        )
    )
