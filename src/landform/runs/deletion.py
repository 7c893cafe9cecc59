"""Deleting a workspace: not while it works, and not by accident while it manages resources."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.errors import ConflictError
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
        ForbiddenError: `actor` may not delete the workspace.
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
    await service.delete_workspace(session, actor, workspace)


async def _require_safe(session: AsyncSession, workspace: Workspace) -> None:
    if workspace.is_locked:
        raise ConflictError(f"Workspace {workspace.name} is locked; unlock it first.")
    if workspace.current_state_version_id is None:
        return
    state = await session.get_one(StateVersion, workspace.current_state_version_id)
    if state.resource_count:
        raise ConflictError(
            f"Workspace {workspace.name} still manages {state.resource_count} resources; destroy"
            " them first, or force the deletion."
        )
