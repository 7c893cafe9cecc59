"""What a team may do on one workspace or project: the grants, and who may give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.directory import get_team, visible_teams
from landform.access.events import AccessChanged, AccessGranted, AccessWithdrawn
from landform.access.grants import forget
from landform.access.models import ProjectGrant, Team, WorkspaceGrant
from landform.access.permissions import (
    CUSTOM,
    PROJECT_CUSTOM,
    PROJECT_LEVELS,
    PROJECT_WORKSPACES_CUSTOM,
    WORKSPACE_CUSTOM,
    WORKSPACE_LEVELS,
    Choice,
    Permission,
    Place,
    Settings,
    Switch,
)
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.unique import unique

Grant: TypeAlias = WorkspaceGrant | ProjectGrant


@dataclass(frozen=True, kw_only=True)
class Access:
    """A level, and for `custom` the settings it is made of, by the API's names.

    Attributes:
        custom: on a workspace; the settings of `WORKSPACE_CUSTOM`.
        project_access: on a project; the settings of `PROJECT_CUSTOM`.
        workspace_access: on a project, for its workspaces; of `PROJECT_WORKSPACES_CUSTOM`.
    """

    level: str
    custom: Settings = field(default_factory=dict)
    project_access: Settings = field(default_factory=dict)
    workspace_access: Settings = field(default_factory=dict)


async def grant(
    session: AsyncSession, actor: Actor, team: Team, place: Place, access: Access
) -> Grant:
    """Give the team access to a workspace, or to a project and everything in it.

    Args:
        place: the workspace's or the project's own `place`.

    Raises:
        ForbiddenError: `actor` may not give access there.
        NotFoundError: the team is secret from `actor`.
        InvalidError: the access cannot be, or the team has some there already.
    """
    await _require_manager(session, actor, place)
    await get_team(session, actor, team.id)
    if team.organization_id != place.organization_id:
        raise InvalidError("The team is of another organization.", pointer="team")
    row: Grant
    if place.workspace_id is not None:
        row = WorkspaceGrant(team_id=team.id, workspace_id=place.workspace_id)
        constraint = "uq_team_workspaces_team_id_workspace_id"
    else:
        row = ProjectGrant(team_id=team.id, project_id=place.project_id)
        constraint = "uq_team_projects_team_id_project_id"
    _set(row, access)
    already = InvalidError(f"Team {team.name} has access already; change that.", pointer="team")
    async with unique(session, constraint, already):
        session.add(row)
    forget(session)
    events.publish(
        session,
        AccessGranted(
            actor_id=actor.id,
            organization_id=place.organization_id,
            subject_id=row.id,
            team_id=team.id,
            place_id=_place_id(row),
            level=row.level,
        ),
    )
    return row


async def change(
    session: AsyncSession, actor: Actor, row: Grant, place: Place, access: Access
) -> Grant:
    """Replace what the grant at `place` allows; settings left out count as their default.

    Raises:
        ForbiddenError: `actor` may not give access there.
        InvalidError: the access cannot be.
    """
    await _require_manager(session, actor, place)
    await _require_shown(session, actor, row, place)
    level, custom = row.level, row.custom
    _set(row, access)
    await session.flush()
    forget(session)
    events.publish(
        session,
        AccessChanged(
            actor_id=actor.id,
            organization_id=place.organization_id,
            subject_id=row.id,
            team_id=row.team_id,
            place_id=_place_id(row),
            level=row.level,
            changes={"level": [level, row.level], "custom": [custom, row.custom]},
        ),
    )
    return row


async def withdraw(session: AsyncSession, actor: Actor, row: Grant, place: Place) -> None:
    """Delete the grant at `place`.

    Raises:
        ForbiddenError: `actor` may not give access there.
    """
    await _require_manager(session, actor, place)
    await _require_shown(session, actor, row, place)
    await session.delete(row)
    await session.flush()
    forget(session)
    events.publish(
        session,
        AccessWithdrawn(
            actor_id=actor.id,
            organization_id=place.organization_id,
            subject_id=row.id,
            team_id=row.team_id,
            place_id=_place_id(row),
        ),
    )


async def list_at(session: AsyncSession, actor: Actor, place: Place) -> Sequence[Grant]:
    """Return the grants on a workspace or project, of the teams `actor` may know of.

    Raises:
        ForbiddenError: `actor` may see no grants there.
    """
    shown = await visible_teams(session, actor, place.organization_id)
    if place.workspace_id is not None:
        await require(session, actor, Permission.READ_WORKSPACE, place)
        on_workspace = (
            select(WorkspaceGrant)
            .join(Team, Team.id == WorkspaceGrant.team_id)
            .where(WorkspaceGrant.workspace_id == place.workspace_id, shown)
            .order_by(Team.name)
        )
        return (await session.scalars(on_workspace)).all()
    await require(session, actor, Permission.READ_PROJECT_ACCESS, place)
    on_project = (
        select(ProjectGrant)
        .join(Team, Team.id == ProjectGrant.team_id)
        .where(ProjectGrant.project_id == place.project_id, shown)
        .order_by(Team.name)
    )
    return (await session.scalars(on_project)).all()


def settings_of(known: Mapping[str, Choice | Switch], given: Settings) -> dict[str, str | bool]:
    """Return every known setting with its value, given or default, as the API shows them."""
    return {
        name: given.get(name, False if isinstance(setting, Switch) else setting.default)
        for name, setting in known.items()
    }


_LEVELS: Final[Mapping[type[Grant], Mapping[str, Any]]] = {
    WorkspaceGrant: WORKSPACE_LEVELS,
    ProjectGrant: PROJECT_LEVELS,
}


def _set(row: Grant, access: Access) -> None:
    levels = (*_LEVELS[type(row)], CUSTOM)
    if access.level not in levels:
        raise InvalidError(f"The access is one of {', '.join(levels)}.", pointer="access")
    given: dict[str, Any]
    if isinstance(row, WorkspaceGrant):
        _check(WORKSPACE_CUSTOM, access.custom, "")
        given = dict(access.custom)
    else:
        _check(PROJECT_CUSTOM, access.project_access, "project_access")
        _check(PROJECT_WORKSPACES_CUSTOM, access.workspace_access, "workspace_access")
        given = {
            "project-access": dict(access.project_access),
            "workspace-access": dict(access.workspace_access),
        }
    if access.level != CUSTOM and (
        access.custom or access.project_access or access.workspace_access
    ):
        raise InvalidError("Single settings can be given with access custom only.")
    row.level = access.level
    row.custom = given if access.level == CUSTOM else {}


def _check(known: Mapping[str, Choice | Switch], given: Settings, pointer: str) -> None:
    for name, value in given.items():
        setting = known.get(name)
        at = pointer or name.replace("-", "_")
        match setting:
            case None:
                raise InvalidError(
                    f"There is no setting {name}; there are {', '.join(known)}.", pointer=at
                )
            case Switch() if not isinstance(value, bool):
                raise InvalidError(f"The setting {name} is true or false.", pointer=at)
            case Choice() if value not in setting.values:
                raise InvalidError(
                    f"The setting {name} is one of {', '.join(setting.values)}.", pointer=at
                )


async def _require_manager(session: AsyncSession, actor: Actor, place: Place) -> None:
    if place.workspace_id is not None:
        await require(session, actor, Permission.MANAGE_ACCESS, place)
    else:
        await require(session, actor, Permission.MANAGE_PROJECT_ACCESS, place)


async def _require_shown(session: AsyncSession, actor: Actor, row: Grant, place: Place) -> None:
    """Refuse a grant of another place: the permission was asked for at this one."""
    if _place_id(row) != (place.workspace_id or place.project_id):
        raise NotFoundError(f"There is no access {row.id} here.")
    await get_team(session, actor, row.team_id)


def _place_id(row: Grant) -> str:
    return row.workspace_id if isinstance(row, WorkspaceGrant) else row.project_id
