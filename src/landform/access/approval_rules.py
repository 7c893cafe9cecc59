"""How many people of which teams must agree before a run of a workspace is applied."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.directory import visible_teams
from landform.access.events import ApprovalRuleChanged
from landform.access.models import ApprovalRule, Team
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError

MOST_APPROVALS: Final = 10
MOST_TEAMS: Final = 20


async def get_rule(session: AsyncSession, actor: Actor, place: Place) -> ApprovalRule | None:
    """Return the rule of a workspace; None where runs need nobody's approval.

    Raises:
        NotFoundError: `actor` may not know of the workspace.
    """
    await require(session, actor, Permission.READ_RUNS, place)
    return await session.get(ApprovalRule, place.workspace_id)


async def set_rule(
    session: AsyncSession, actor: Actor, place: Place, *, needed: int, team_ids: Sequence[str]
) -> ApprovalRule | None:
    """Require `needed` approvals of the teams' members; with 0, none any more.

    It holds for runs that are waiting already, too.

    Raises:
        ForbiddenError: `actor` may not give access there.
        InvalidError: too many, no team, or a team that is not of the organization.
    """
    await require(session, actor, Permission.MANAGE_ACCESS, place)
    teams = list(dict.fromkeys(team_ids)) if needed else []
    await _check(session, actor, place, needed, teams)
    row = await session.get(ApprovalRule, place.workspace_id)
    before = [row.needed, row.team_ids] if row else [0, []]
    if needed == 0:
        if row is not None:
            await session.delete(row)
        row = None
    elif row is None:
        row = ApprovalRule(workspace_id=place.workspace_id, needed=needed, team_ids=teams)
        session.add(row)
    else:
        row.needed, row.team_ids = needed, teams
    await session.flush()
    events.publish(
        session,
        ApprovalRuleChanged(
            actor_id=actor.id,
            organization_id=place.organization_id,
            subject_id=place.workspace_id or "",
            changes={"needed": [before[0], needed], "teams": [before[1], teams]},
        ),
    )
    return row


async def _check(
    session: AsyncSession, actor: Actor, place: Place, needed: int, teams: Sequence[str]
) -> None:
    if not 0 <= needed <= MOST_APPROVALS:
        raise InvalidError(
            f"A workspace can require 0 to {MOST_APPROVALS} approvals.", pointer="approvals_needed"
        )
    if needed and not 1 <= len(teams) <= MOST_TEAMS:
        raise InvalidError(
            f"Name 1 to {MOST_TEAMS} teams whose members may approve.", pointer="teams"
        )
    seen = await visible_teams(session, actor, place.organization_id)
    known = set(await session.scalars(select(Team.id).where(seen, Team.id.in_(teams))))
    if unknown := [team for team in teams if team not in known]:
        raise InvalidError(f"There is no team {unknown[0]}.", pointer="teams")
