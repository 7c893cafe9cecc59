"""How far the approvals are that runs need before they are applied."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import ApprovalRule, Team, TeamMember
from landform.identity.actor import Actor, ActorKind
from landform.runs.models import Approval, Run
from landform.runs.status import Step, can


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a run's approvals come to at present.

    Attributes:
        needed: how many; 0 where nobody is asked.
        given: who gave one that counts: members of the teams at present, not the run's author.
        teams: names of the teams that are asked, by id; those deleted lack.
    """

    needed: int = 0
    given: Sequence[str] = ()
    teams: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        """Tell whether nobody else has to agree."""
        return len(self.given) >= self.needed

    @property
    def lacking(self) -> str:
        """Return in words what is missing; empty when nothing is."""
        if self.is_met:
            return ""
        missing = self.needed - len(self.given)
        names = ", ".join(sorted(self.teams.values())) or "a team that was deleted"
        more = "more " if self.given else ""
        return f"{missing} {more}approval{'s' if missing > 1 else ''} of {names}"

    def asks(self, actor: Actor, run: Run, teams: Collection[str]) -> bool:
        """Tell whether `actor`, who is in `teams`, could give the run an approval that it lacks."""
        return (
            not self.is_met
            and actor.kind is ActorKind.USER
            and actor.id not in (run.created_by, *self.given)
            and not self.teams.keys().isdisjoint(teams)
        )


NOBODY_ASKED = Standing()


async def standing_of(session: AsyncSession, run: Run) -> Standing:
    """Return how far the approvals of one run are, whatever its status."""
    return (await _standings(session, [run])).get(run.id, NOBODY_ASKED)


async def standings(session: AsyncSession, runs: Iterable[Run]) -> Mapping[str, Standing]:
    """Return the same by run id, of those runs that wait to be confirmed and need approvals.

    Three questions to the database at most, however many runs.
    """
    return await _standings(session, [run for run in runs if can(run.status, Step.CONFIRM)])


async def _standings(session: AsyncSession, runs: Sequence[Run]) -> Mapping[str, Standing]:
    if not runs:
        return {}
    of_workspace = ApprovalRule.workspace_id.in_({run.workspace_id for run in runs})
    rules = {
        rule.workspace_id: rule
        for rule in await session.scalars(select(ApprovalRule).where(of_workspace))
    }
    if not rules:
        return {}
    asked = {team for rule in rules.values() for team in rule.team_ids}
    teams = {
        row.id: row.name
        for row in await session.execute(select(Team.id, Team.name).where(Team.id.in_(asked)))
    }
    query = (
        select(Approval.run_id, Approval.user_id, TeamMember.team_id)
        .join(TeamMember, TeamMember.user_id == Approval.user_id)
        .where(Approval.run_id.in_([run.id for run in runs]), TeamMember.team_id.in_(asked))
        .order_by(Approval.created_at)
    )
    found: dict[str, dict[str, set[str]]] = {}
    for run_id, user_id, team_id in await session.execute(query):
        found.setdefault(run_id, {}).setdefault(user_id, set()).add(team_id)
    return {
        run.id: _standing(run, rules[run.workspace_id], found.get(run.id, {}), teams)
        for run in runs
        if run.workspace_id in rules
    }


def _standing(
    run: Run, rule: ApprovalRule, given: Mapping[str, set[str]], teams: Mapping[str, str]
) -> Standing:
    asked = set(rule.team_ids)
    return Standing(
        needed=rule.needed,
        given=[user for user, of in given.items() if of & asked and user != run.created_by],
        teams={team: teams[team] for team in rule.team_ids if team in teams},
    )
