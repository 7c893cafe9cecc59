"""The one question: may this actor do this here? What nobody granted is denied."""

from typing import Any

from sqlalchemy import ColumnElement, false, or_, select, true, type_coerce
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.errors import DeniedError, HiddenError
from landform.access.grants import grants_of, teams_of
from landform.access.models import ProjectGrant, Team, WorkspaceGrant
from landform.access.permissions import (
    ORGANIZATION_ACCESS,
    Permission,
    Permissions,
    Place,
    knowledge,
)
from landform.access.run_access import run_permissions
from landform.identity.actor import Actor, ActorKind
from landform.kit.db import Base
from landform.organizations.models import Organization


async def permissions(session: AsyncSession, actor: Actor, on: Place) -> Permissions:
    """Return everything `actor` may do at `on`."""
    if actor.kind is ActorKind.RUN:
        return await run_permissions(session, actor, on)
    return (await grants_of(session, actor, on.organization_id)).at(on)


async def may(session: AsyncSession, actor: Actor, permission: Permission, on: Place) -> bool:
    """Tell whether `actor` has `permission` at `on`."""
    return permission in await permissions(session, actor, on)


async def may_somewhere(
    session: AsyncSession, actor: Actor, permission: Permission, organization_id: str
) -> bool:
    """Tell whether `actor` has `permission` in the organization, or in some project of it."""
    grants = await grants_of(session, actor, organization_id)
    held = (grants.everywhere, grants.in_default_project, *grants.on_projects.values())
    return any(permission in each for each in held)


async def require(session: AsyncSession, actor: Actor, permission: Permission, on: Place) -> None:
    """Let `actor` pass who has `permission` at `on`.

    Raises:
        NotFoundError: the actor may not even know that the place is there.
        ForbiddenError: it may, but not do this.
    """
    held = await permissions(session, actor, on)
    if permission in held:
        return
    if knowledge(on) not in held:
        raise HiddenError(f"There is no {' '.join(_which(on))}.", permission, on)
    name = await _name(session, on)
    raise DeniedError(f"You lack the permission to {permission} ({name}).", permission, on)


async def visible_workspaces(
    session: AsyncSession, actor: Actor, organization_id: str
) -> ColumnElement[bool]:
    """Return the condition on table `workspaces` that holds for those `actor` may read.

    It says nothing of which organization a workspace is in.
    """
    grants = await grants_of(session, actor, organization_id)
    if Permission.READ_WORKSPACE in grants.everywhere:
        return true()
    if not grants.team_ids:
        return false()
    # Every level of either kind allows its team to read the workspace; a test says so.
    own = select(WorkspaceGrant.workspace_id).where(WorkspaceGrant.team_id.in_(grants.team_ids))
    shelf = select(ProjectGrant.project_id).where(ProjectGrant.team_id.in_(grants.team_ids))
    return or_(_column("workspaces", "id").in_(own), _column("workspaces", "project_id").in_(shelf))


async def sight(session: AsyncSession, actor: Actor, organization_id: str) -> frozenset[str]:
    """Return what decides which workspaces and projects `actor` may read.

    Those who have an equal one read the same: all of them, or what the same teams were given.
    """
    grants = await grants_of(session, actor, organization_id)
    wide = {Permission.READ_WORKSPACE, Permission.READ_PROJECT}
    held = frozenset[str](wide & grants.everywhere)
    return held if held == wide else held.union(grants.team_ids)


async def visible_projects(
    session: AsyncSession, actor: Actor, organization_id: str
) -> ColumnElement[bool]:
    """Return the condition on table `projects` that holds for those `actor` may read.

    It says nothing of which organization a project is in.
    """
    return await projects_with(session, actor, Permission.READ_PROJECT, organization_id)


async def projects_with(
    session: AsyncSession, actor: Actor, permission: Permission, organization_id: str
) -> ColumnElement[bool]:
    """Return the condition on table `projects` that holds for those at which `actor` may do it.

    It says nothing of which organization a project is in.
    """
    grants = await grants_of(session, actor, organization_id)
    if permission in grants.everywhere:
        return true()
    ids = {each for each, held in grants.on_projects.items() if permission in held}
    if permission in grants.in_default_project and grants.default_project_id:
        ids.add(grants.default_project_id)
    return _column("projects", "id").in_(ids)


async def visible_anywhere(session: AsyncSession, actor: Actor) -> ColumnElement[bool]:
    """Return the condition on table `workspaces` that holds for those `actor`, a user, may read.

    In whatever organization, and in one question however many there are.
    """
    if actor.kind is ActorKind.SYSTEM or (actor.kind is ActorKind.USER and actor.is_site_admin):
        return true()
    if actor.kind is not ActorKind.USER:
        return false()
    mine = teams_of(actor)
    switches = [
        name
        for name, allowed in ORGANIZATION_ACCESS.items()
        if Permission.READ_WORKSPACE in allowed
    ]
    has_one = type_coerce(Team.organization_access, JSONB).has_any(array(switches))
    wide = select(Team.organization_id).where(Team.id.in_(mine), or_(Team.is_owners, has_one))
    own = select(WorkspaceGrant.workspace_id).where(WorkspaceGrant.team_id.in_(mine))
    shelf = select(ProjectGrant.project_id).where(ProjectGrant.team_id.in_(mine))
    return or_(
        _column("workspaces", "organization_id").in_(wide),
        _column("workspaces", "id").in_(own),
        _column("workspaces", "project_id").in_(shelf),
    )


async def visible_organizations(session: AsyncSession, actor: Actor) -> ColumnElement[bool]:
    """Return the condition on table `organizations` that holds for those `actor` may read."""
    if actor.kind is ActorKind.SYSTEM or (actor.kind is ActorKind.USER and actor.is_site_admin):
        return true()
    if actor.kind is ActorKind.ORGANIZATION:
        return Organization.id == actor.id
    if actor.kind not in (ActorKind.USER, ActorKind.TEAM):
        return false()
    return Organization.id.in_(select(Team.organization_id).where(Team.id.in_(teams_of(actor))))


def _column(table: str, name: str) -> ColumnElement[Any]:
    """Return a column of a package above, by name as foreign keys are."""
    return Base.metadata.tables[table].c[name]


async def _name(session: AsyncSession, place: Place) -> str:
    """Return what people call the place, for those who may know of it."""
    noun, row_id = _which(place)
    table = f"{noun}s"
    query = select(_column(table, "name")).where(_column(table, "id") == row_id)
    return f"{noun} {await session.scalar(query) or row_id}"


def _which(place: Place) -> tuple[str, str]:
    if place.workspace_id is not None:
        return "workspace", place.workspace_id
    if place.project_id is not None:
        return "project", place.project_id
    return "organization", place.organization_id
