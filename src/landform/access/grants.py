"""What an actor was given in one organization: loaded with one query, kept with the session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import Interval, ScalarSelect, Select, and_, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Membership, ProjectGrant, Team, TeamMember, WorkspaceGrant
from landform.access.permissions import (
    ANY_TEAM,
    EVERYTHING,
    IN_DEFAULT_PROJECT,
    MANAGE_WORKSPACES,
    NOTHING,
    ORGANIZATION_ACCESS,
    ORGANIZATION_TOKEN,
    Permissions,
    Place,
    of_project_level,
    of_workspace_level,
)
from landform.identity.actor import Actor, ActorKind
from landform.kit import clock
from landform.organizations.models import Organization

_CACHE: Final = "landform.access.grants"

Row: TypeAlias = tuple[Team, str | None, list[Any], list[Any]]


@dataclass(frozen=True, kw_only=True)
class Grants:
    """What an actor may do in one organization, as far as it is the same in many places.

    Attributes:
        everywhere: at every place of the organization.
        default_project_id: where `in_default_project` holds.
        on_projects: by id of the project, for it and the workspaces in it.
        on_workspaces: by id of the workspace.
        team_ids: the teams it comes from.
    """

    everywhere: Permissions = NOTHING
    default_project_id: str | None = None
    in_default_project: Permissions = NOTHING
    on_projects: Mapping[str, Permissions] = field(default_factory=dict)
    on_workspaces: Mapping[str, Permissions] = field(default_factory=dict)
    team_ids: tuple[str, ...] = ()

    def at(self, place: Place) -> Permissions:
        """Return what is allowed at `place`; a workspace's place must name its project too."""
        allowed = self.everywhere
        if place.project_id is None or place.project_id == self.default_project_id:
            allowed |= self.in_default_project
        if place.project_id is not None:
            allowed |= self.on_projects.get(place.project_id, NOTHING)
        if place.workspace_id is not None:
            allowed |= self.on_workspaces.get(place.workspace_id, NOTHING)
        return allowed


NO_GRANTS: Final = Grants()
ALL_GRANTS: Final = Grants(everywhere=EVERYTHING)


async def grants_of(session: AsyncSession, actor: Actor, organization_id: str) -> Grants:
    """Return what `actor` was given in the organization; asks the database once per session."""
    if actor.kind is ActorKind.SYSTEM or (actor.kind is ActorKind.USER and actor.is_site_admin):
        return ALL_GRANTS
    if actor.organization_id not in (None, organization_id):
        return NO_GRANTS
    if actor.kind is ActorKind.ORGANIZATION:
        its_own = actor.id == organization_id
        return Grants(everywhere=ORGANIZATION_TOKEN) if its_own else NO_GRANTS
    if actor.kind not in (ActorKind.USER, ActorKind.TEAM):
        return NO_GRANTS
    cache: dict[tuple[str, str | None, str], Grants] = session.info.setdefault(_CACHE, {})
    key = (actor.id, actor.token_id, organization_id)
    if key not in cache:
        rows = (await session.execute(_query(actor, organization_id))).all()
        cache[key] = _combined([(row[0], row[1], row[2], row[3]) for row in rows])
    return cache[key]


def forget(session: AsyncSession) -> None:
    """Ask the database again: teams, members or grants have changed in this session."""
    session.info.pop(_CACHE, None)


def teams_of(actor: Actor) -> Select[str]:
    """Return the query of the ids of the teams that `actor` is in, or is.

    A team counts only while its member belongs to the organization, and by an API token only as
    long as the organization takes one of that age.
    """
    if actor.kind is ActorKind.TEAM:
        return select(Team.id).where(Team.id == actor.id)
    query = (
        select(Team.id)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .join(
            Membership,
            and_(
                Membership.organization_id == Team.organization_id,
                Membership.user_id == TeamMember.user_id,
            ),
        )
        .where(TeamMember.user_id == actor.id)
    )
    if actor.token_made_at is None:
        return query
    age = cast(clock.now() - actor.token_made_at, Interval)
    life = func.make_interval(0, 0, 0, Organization.max_token_days)
    return query.join(Organization, Organization.id == Team.organization_id).where(
        or_(Organization.max_token_days.is_(None), life > age)
    )


def _query(actor: Actor, organization_id: str) -> Select[Any]:
    return (
        select(
            Team,
            Organization.default_project_id,
            _listed(WorkspaceGrant.workspace_id, WorkspaceGrant),
            _listed(ProjectGrant.project_id, ProjectGrant),
        )
        .join(Organization, Organization.id == Team.organization_id)
        .where(Team.organization_id == organization_id, Team.id.in_(teams_of(actor)))
        .execution_options(populate_existing=True)
    )


def _listed(on: Any, grant: type[WorkspaceGrant | ProjectGrant]) -> ScalarSelect[Any]:
    """Return the team's grants as one JSON list of [place, level, custom]."""
    entry = func.jsonb_build_array(on, grant.level, grant.custom, type_=JSONB)
    entries = func.jsonb_agg(aggregate_order_by(entry, grant.id), type_=JSONB)
    empty = func.jsonb_build_array(type_=JSONB)
    query = select(func.coalesce(entries, empty, type_=JSONB)).where(grant.team_id == Team.id)
    return query.correlate(Team).scalar_subquery()


def _combined(rows: Sequence[Row]) -> Grants:
    everywhere, in_default = NOTHING, NOTHING
    on_projects: dict[str, Permissions] = {}
    on_workspaces: dict[str, Permissions] = {}
    for team, _, workspaces, projects in rows:
        everywhere |= EVERYTHING if team.is_owners else ANY_TEAM
        for switch in team.organization_access:
            everywhere |= ORGANIZATION_ACCESS.get(switch, NOTHING)
            in_default |= IN_DEFAULT_PROJECT if switch == MANAGE_WORKSPACES else NOTHING
        for place, level, custom in workspaces:
            granted = on_workspaces.get(place, NOTHING)
            on_workspaces[place] = granted | of_workspace_level(level, custom)
        for place, level, custom in projects:
            granted = on_projects.get(place, NOTHING)
            on_projects[place] = granted | of_project_level(level, custom)
    return Grants(
        everywhere=everywhere,
        default_project_id=rows[0][1] if rows else None,
        in_default_project=in_default,
        on_projects=on_projects,
        on_workspaces=on_workspaces,
        team_ids=tuple(row[0].id for row in rows),
    )
