"""Deleting a workspace: not while it works, and not by accident while it manages resources."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit.errors import ConflictError, ForbiddenError
from landform.organizations.models import Organization
from landform.runs.models import Run
from landform.runs.status import HOLDING, RUNNING, RunStatus
from landform.states.models import StateVersion
from landform.workspaces import rows, service
from landform.workspaces.models import Workspace


async def delete_workspace(
    session: AsyncSession, actor: Actor, workspace: Workspace, *, force: bool
) -> None:
    """Delete the workspace with its runs, states and variables.

    Args:
        force: also when it manages resources, or is locked by a person.

    Raises:
        ForbiddenError: `actor` may not delete the workspace, or may not force it: that an
            organization can leave to its owners.
        ConflictError: a run is at work, or it manages resources or is locked and `force` is not
            given.
    """
    await require(session, actor, Permission.DELETE_WORKSPACE, workspace.place)
    workspace = await rows.locked(session, workspace.id)
    busy = select(Run.id).where(
        Run.workspace_id == workspace.id,
        Run.status.in_((HOLDING | RUNNING) - {RunStatus.PLANNED}),
    )
    run_id = await session.scalar(busy.limit(1))
    if run_id is not None:
        raise ConflictError(f"Workspace {workspace.name} is being processed by run {run_id}.")
    if not force:
        await _require_safe(session, workspace)
    elif await _managed(session, workspace):
        organization = await session.get_one(Organization, workspace.organization_id)
        if not await may_force(session, actor, organization):
            raise ForbiddenError(
                f"Workspace {workspace.name} still manages resources, and organization"
                f" {organization.name} leaves it to its owners to delete such; destroy them first."
            )
    await service.delete_workspace(session, actor, workspace)


async def may_force(session: AsyncSession, actor: Actor, organization: Organization) -> bool:
    """Tell whether whoever may delete a workspace may do so while it manages resources."""
    if organization.allow_force_delete_workspaces:
        return True
    return await may(
        session, actor, Permission.DELETE_ORGANIZATION, Place(organization_id=organization.id)
    )


async def _require_safe(session: AsyncSession, workspace: Workspace) -> None:
    if workspace.is_locked:
        raise ConflictError(f"Workspace {workspace.name} is locked; unlock it first.")
    managed = await _managed(session, workspace)
    if managed:
        raise ConflictError(
            f"Workspace {workspace.name} still manages {managed} resources; destroy them first, or"
            " force the deletion."
        )


async def _managed(session: AsyncSession, workspace: Workspace) -> int:
    if workspace.current_state_version_id is None:
        return 0
    state = await session.get_one(StateVersion, workspace.current_state_version_id)
    return state.resource_count or 0
