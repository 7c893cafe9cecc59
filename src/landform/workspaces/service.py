"""Writes of workspaces: making, changing, moving, deleting."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.agents import service as agents
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import ForbiddenError, InvalidError
from landform.kit.unique import unique
from landform.organizations.models import Organization
from landform.workspaces import tags as tag_rows
from landform.workspaces.events import (
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceMoved,
    WorkspaceUpdated,
)
from landform.workspaces.models import ExecutionMode, Project, Workspace
from landform.workspaces.rows import kept_project, locked
from landform.workspaces.settings import WorkspaceSettings, checked
from landform.workspaces.tags import Tag

_UNIQUE: Final = "uq_workspaces_organization_lower_name"


async def create_workspace(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    settings: WorkspaceSettings,
    *,
    project: Project | None = None,
    tags: Sequence[Tag] = (),
) -> Workspace:
    """Add a workspace, in the organization's default project unless another is given.

    Raises:
        ForbiddenError: `actor` may not create workspaces there.
        NotFoundError: `actor` may not know of the project that is given, or the organization.
        InvalidError: a setting or tag cannot be, or the name is taken.
    """
    if project is None:
        project = await _default_project(session, actor, organization)
    await require(session, actor, Permission.CREATE_WORKSPACE, project.place)
    if project.organization_id != organization.id:
        raise InvalidError("The project is of another organization.", pointer="project")
    given = checked(settings)
    if "name" not in given:
        raise InvalidError("A workspace needs a name.", pointer="name")
    given.setdefault("execution_mode", ExecutionMode(organization.default_execution_mode))
    if given["execution_mode"] is ExecutionMode.AGENT:
        given.setdefault("agent_pool_id", organization.default_agent_pool_id)
    await kept_project(session, project.id)
    await _choose_pool(session, given, project=project)
    workspace = Workspace(organization_id=organization.id, project_id=project.id, **given)
    async with unique(session, _UNIQUE, _taken(workspace.name)):
        session.add(workspace)
    await tag_rows.attach(session, workspace, tags)
    events.publish(
        session,
        WorkspaceCreated(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=workspace.id,
            name=workspace.name,
            project_id=project.id,
        ),
    )
    return workspace


async def update_workspace(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    settings: WorkspaceSettings,
    *,
    project: Project | None = None,
) -> Workspace:
    """Apply the settings that are given, and move the workspace if a project is.

    Raises:
        ForbiddenError: `actor` may not change the workspace, or not move it.
        InvalidError: a setting cannot be, or the name is taken.
    """
    given = checked(settings)
    moves = project is not None and project.id != workspace.project_id
    if given or not moves:
        await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    workspace = await locked(session, workspace.id)
    await _choose_pool(session, given, workspace=workspace, project=project)
    changed = {name: value for name, value in given.items() if value != getattr(workspace, name)}
    if changed:
        changes = events.changes_of(workspace, changed)
        async with unique(session, _UNIQUE, _taken(settings.name or "")):
            for name, value in changed.items():
                setattr(workspace, name, value)
        events.publish(
            session,
            WorkspaceUpdated(
                actor_id=actor.id,
                organization_id=workspace.organization_id,
                subject_id=workspace.id,
                changed=tuple(changed),
                changes=changes,
            ),
        )
    if project is not None and moves:
        await move_workspace(session, actor, workspace, project)
    return workspace


async def move_workspace(
    session: AsyncSession, actor: Actor, workspace: Workspace, project: Project
) -> None:
    """Put the workspace into another project of its organization.

    Raises:
        ForbiddenError: `actor` may not move workspaces out of the one or into the other.
        InvalidError: the project is of another organization.
    """
    await require(session, actor, Permission.MOVE_WORKSPACE, workspace.place)
    await require(session, actor, Permission.MOVE_WORKSPACE, project.place)
    if project.organization_id != workspace.organization_id:
        raise InvalidError("The project is of another organization.", pointer="project")
    await kept_project(session, project.id)
    left, workspace.project_id = workspace.project_id, project.id
    await session.flush()
    events.publish(
        session,
        WorkspaceMoved(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            from_project_id=left,
            to_project_id=project.id,
        ),
    )


async def delete_workspace(session: AsyncSession, actor: Actor, workspace: Workspace) -> None:
    """Delete the row and all that hangs on it; what speaks against it, the caller has asked.

    Raises:
        ForbiddenError: `actor` may not delete the workspace.
    """
    await require(session, actor, Permission.DELETE_WORKSPACE, workspace.place)
    await session.delete(workspace)
    await session.flush()
    events.publish(
        session,
        WorkspaceDeleted(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            name=workspace.name,
        ),
    )


async def _choose_pool(
    session: AsyncSession,
    given: dict[str, Any],
    *,
    workspace: Workspace | None = None,
    project: Project | None = None,
) -> None:
    """Settle among the settings that are given which agents the workspace runs on, if on any.

    Args:
        workspace: as it is so far; None for one that is not there yet.
        project: where it will be; None: where it is.

    Raises:
        InvalidError: the mode needs a pool, or has none, or this pool is not for the workspace.
    """
    present = workspace.execution_mode if workspace else ExecutionMode.REMOTE
    mode = given.get("execution_mode", present)
    if mode is not ExecutionMode.AGENT:
        if given.get("agent_pool_id"):
            raise InvalidError(
                "An agent pool goes with the execution mode agent only.", pointer="agent_pool_id"
            )
        if workspace is not None and workspace.agent_pool_id is not None:
            given["agent_pool_id"] = None
        return
    if "execution_mode" not in given and "agent_pool_id" not in given:
        return
    pool_id = given.get("agent_pool_id") or (workspace.agent_pool_id if workspace else None)
    if pool_id is None:
        raise InvalidError(
            "Execution mode agent needs an agent pool; name one.", pointer="execution_mode"
        )
    where = project or workspace
    if where is None:
        raise ValueError("Neither a workspace nor a project says where it is.")
    pool = await agents.usable_pool(
        session,
        pool_id,
        organization_id=where.organization_id,
        project_id=where.id if isinstance(where, Project) else where.project_id,
        workspace_id=workspace.id if workspace else None,
    )
    given["agent_pool_id"] = pool.id


async def _default_project(
    session: AsyncSession, actor: Actor, organization: Organization
) -> Project:
    """Return where workspaces go for which no project is named, if `actor` may create them there.

    Who may not was not asking for a project, so is not told that there is no such thing.
    """
    project = await session.get_one(Project, organization.default_project_id)
    if not await may(session, actor, Permission.CREATE_WORKSPACE, project.place):
        whole = Place(organization_id=organization.id)
        await require(session, actor, Permission.READ_ORGANIZATION, whole)
        raise ForbiddenError(
            f"You lack the permission to create workspaces in the default project of organization"
            f" {organization.name}; name a project in which you have it."
        )
    return project


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The workspace name {name} has already been taken.", pointer="name")
