"""The lock of a workspace: one holder, who takes it under the row's own lock."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ConflictError, ForbiddenError
from landform.kit.text import check_text
from landform.workspaces.events import WorkspaceLocked, WorkspaceUnlocked
from landform.workspaces.models import LockHolder, Workspace
from landform.workspaces.rows import locked

_REASON_LIMIT: Final = 4096

_HOLDERS: Final = {
    ActorKind.USER: LockHolder.USER,
    ActorKind.SYSTEM: LockHolder.USER,
    ActorKind.TEAM: LockHolder.TEAM,
}

# The words a client looks for in the body of a refusal (reference tfe_api.md §1.10).
_WORDS: Final = {LockHolder.USER: "User", LockHolder.TEAM: "Team", LockHolder.RUN: "Run"}


async def lock(
    session: AsyncSession, actor: Actor, workspace: Workspace, reason: str = ""
) -> Workspace:
    """Lock the workspace for `actor`.

    Raises:
        ForbiddenError: `actor` may not lock it.
        ConflictError: it is locked already, be it by `actor`.
    """
    await require(session, actor, Permission.LOCK_WORKSPACE, workspace.place)
    holder = _HOLDERS.get(actor.kind)
    if holder is None:
        raise ForbiddenError(f"A token of kind {actor.kind} cannot hold a lock.")
    check_text(reason, what="The reason", limit=_REASON_LIMIT, pointer="reason")
    workspace = await locked(session, workspace.id)
    if workspace.is_locked:
        raise ConflictError(f"Workspace already locked: {_held(workspace)}.")
    await _take(session, actor, workspace, holder, holder_id=actor.id, reason=reason)
    return workspace


async def unlock(session: AsyncSession, actor: Actor, workspace: Workspace) -> Workspace:
    """Give back a lock that `actor` holds.

    Raises:
        ForbiddenError: `actor` may not lock and unlock it.
        ConflictError: it is not locked, or somebody else, or a run, holds the lock.
    """
    await require(session, actor, Permission.LOCK_WORKSPACE, workspace.place)
    workspace = await locked(session, workspace.id)
    _require_locked(workspace)
    if (workspace.lock_holder_kind, workspace.lock_holder_id) != (
        _HOLDERS.get(actor.kind),
        actor.id,
    ):
        raise ConflictError(f"Unable to unlock: {_held(workspace)}.")
    await _give_back(session, actor, workspace, forced=False)
    return workspace


async def force_unlock(session: AsyncSession, actor: Actor, workspace: Workspace) -> Workspace:
    """Break the lock, whoever holds it; whether a run that does is still at work, ask first.

    Raises:
        ForbiddenError: `actor` may not.
        ConflictError: it is not locked.
    """
    await require(session, actor, Permission.FORCE_UNLOCK, workspace.place)
    workspace = await locked(session, workspace.id)
    _require_locked(workspace)
    await _give_back(session, actor, workspace, forced=True)
    return workspace


async def lock_for_run(session: AsyncSession, workspace: Workspace, run_id: str) -> None:
    """Give the lock to the run that has its turn; a repeat is a no-op.

    Raises:
        ConflictError: it is locked by somebody else.
    """
    workspace = await locked(session, workspace.id)
    if workspace.lock_holder_id == run_id:
        return
    if workspace.is_locked:
        raise ConflictError(f"Workspace already locked: {_held(workspace)}.")
    await _take(session, SYSTEM, workspace, LockHolder.RUN, holder_id=run_id, reason="")


async def release_run_lock(session: AsyncSession, workspace: Workspace, run_id: str) -> None:
    """Take the lock back from the run, if it has it."""
    workspace = await locked(session, workspace.id)
    if (workspace.lock_holder_kind, workspace.lock_holder_id) == (LockHolder.RUN, run_id):
        await _give_back(session, SYSTEM, workspace, forced=False)


async def keep_run_lock(
    session: AsyncSession, workspace: Workspace, run_id: str, reason: str
) -> None:
    """Leave the lock, if the run has it, to somebody who looks and breaks it; say why."""
    workspace = await locked(session, workspace.id)
    if (workspace.lock_holder_kind, workspace.lock_holder_id) == (LockHolder.RUN, run_id):
        workspace.lock_reason = reason


async def _take(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    holder: LockHolder,
    *,
    holder_id: str,
    reason: str,
) -> None:
    workspace.lock_holder_kind = holder
    workspace.lock_holder_id = holder_id
    workspace.lock_reason = reason
    workspace.locked_at = now()
    await session.flush()
    events.publish(
        session,
        WorkspaceLocked(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            holder_id=holder_id,
            reason=reason,
        ),
    )


async def _give_back(
    session: AsyncSession, actor: Actor, workspace: Workspace, *, forced: bool
) -> None:
    holder_id = workspace.lock_holder_id or ""
    workspace.lock_holder_kind = None
    workspace.lock_holder_id = None
    workspace.lock_reason = ""
    workspace.locked_at = None
    await session.flush()
    events.publish(
        session,
        WorkspaceUnlocked(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            holder_id=holder_id,
            forced=forced,
        ),
    )


def _require_locked(workspace: Workspace) -> None:
    if not workspace.is_locked:
        raise ConflictError(f"Workspace already unlocked: nobody holds {workspace.name}'s lock.")


def _held(workspace: Workspace) -> str:
    kind = workspace.lock_holder_kind
    who = f"{'' if kind is None else _WORDS[kind]} {workspace.lock_holder_id}"
    reason = f", reason: {workspace.lock_reason}" if workspace.lock_reason else ""
    return f"workspace {workspace.name} is locked by {who}{reason}"
