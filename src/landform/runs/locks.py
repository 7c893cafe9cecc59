"""Locking and unlocking a workspace, with what its states and its queue have to say to it."""

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.errors import ConflictError
from landform.runs import endings, workspace_queue
from landform.states import service as states
from landform.workspaces import locks, rows
from landform.workspaces.models import Workspace


async def lock(
    session: AsyncSession, actor: Actor, workspace: Workspace, *, reason: str
) -> Workspace:
    """Lock the workspace for `actor`; its queue waits."""
    return await locks.lock(session, actor, workspace, reason)


async def unlock(session: AsyncSession, actor: Actor, workspace: Workspace) -> Workspace:
    """Give back `actor`'s lock, and let the queue go on.

    Raises:
        ConflictError: somebody else's lock, or a state was announced and not uploaded yet: a
            client retries on this very phrase, others must force the lock (tfe_api.md §1.10).
    """
    await require(session, actor, Permission.LOCK_WORKSPACE, workspace.place)
    workspace = await rows.locked(session, workspace.id)
    is_own = workspace.lock_holder_id == actor.id
    if is_own and await states.has_pending_upload(session, workspace):
        raise ConflictError(
            f"Workspace {workspace.name} stays locked: the latest state version is still pending"
            " its upload. Repeat the upload, or force the lock open."
        )
    workspace = await locks.unlock(session, actor, workspace)
    await endings.discard_stale(session, workspace)
    await workspace_queue.advance(session, workspace)
    return workspace


async def force_unlock(session: AsyncSession, actor: Actor, workspace: Workspace) -> Workspace:
    """Break the lock, whoever holds it, and let the queue go on.

    Raises:
        ConflictError: a run that is at work holds it; cancel the run instead.
    """
    await require(session, actor, Permission.FORCE_UNLOCK, workspace.place)
    workspace = await rows.locked(session, workspace.id)
    run = await workspace_queue.holder(session, workspace)
    if run is not None and workspace.lock_holder_id == run.id:
        raise ConflictError(
            f"Workspace {workspace.name} is locked by Run {run.id}, which is {run.status}:"
            " cancel or discard the run instead."
        )
    workspace = await locks.force_unlock(session, actor, workspace)
    await states.discard_pending(session, workspace)
    await endings.discard_stale(session, workspace)
    await workspace_queue.advance(session, workspace)
    return workspace
