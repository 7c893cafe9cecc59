"""Everything that a person or a client does to a run. The caller owns the transaction."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.contract import Phase, Stop
from landform.dispatch import service as dispatch
from landform.dispatch.models import LeaseState
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.failpoints import FailPoint, reach
from landform.runs import endings, queries, rows, workspace_queue
from landform.runs.errors import IllegalStepError, StalePlanError
from landform.runs.events import RunCommented, RunConfirmed, RunStopAsked
from landform.runs.models import Comment, Run
from landform.runs.moves import move, tell
from landform.runs.standing import standing_of
from landform.runs.status import RUNNING, RunStatus, Step, can
from landform.workspaces.models import Workspace

FORCE_CANCEL_AFTER: Final = timedelta(seconds=10)
_MAX_COMMENT: Final = 10_000  # characters
_WRONG_COMMENT: Final = f"A comment has 1 to {_MAX_COMMENT:,} characters."


async def confirm(session: AsyncSession, actor: Actor, run_id: str, *, comment: str = "") -> Run:
    """Have the run's plan applied.

    Raises:
        ForbiddenError: `actor` may not apply.
        IllegalStepError: there is no plan waiting; so also the second of two confirms at once.
        StalePlanError: the workspace's state moved since the plan.
        ConflictError: it changes nothing, or not enough people have approved it.
    """
    workspace, run = await _for(session, actor, run_id, Permission.QUEUE_APPLY)
    if not can(run.status, Step.CONFIRM):
        raise IllegalStepError(run.id, run.status, Step.CONFIRM)
    if not (run.has_changes or run.allow_empty_apply):
        raise ConflictError(f"The plan of run {run.id} changes nothing, so nothing is applied.")
    require_fresh(workspace, run)
    await confirm_locked(session, actor, workspace, run)
    reach(FailPoint.RUN_CONFIRMING)
    await _comment(session, actor, run, comment)
    return run


async def confirm_locked(
    session: AsyncSession, actor: Actor, workspace: Workspace, run: Run
) -> None:
    """Confirm a run whose workspace row the caller holds, permission and freshness checked.

    Raises:
        ConflictError: not enough people have approved it.
    """
    standing = await standing_of(session, run)
    if not standing.is_met:
        raise ConflictError(f"Run {run.id} needs {standing.lacking} before it is applied.")
    await move(session, run, Step.CONFIRM, actor=actor)
    run.confirmed_by = actor.id
    events.publish(
        session,
        RunConfirmed(
            actor_id=actor.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
        ),
    )
    if workspace.current_run_id == run.id:
        await workspace_queue.enqueue(session, run, Phase.APPLY)
    else:
        await workspace_queue.advance(session, workspace)


def is_fresh(workspace: Workspace, run: Run) -> bool:
    """Tell whether the workspace's state is the one that the run's plan was made on."""
    return workspace.current_state_version_id == run.state_version_id


def require_fresh(workspace: Workspace, run: Run) -> None:
    """Raise StalePlanError unless the workspace's state is the one the plan was made on."""
    if not is_fresh(workspace, run):
        raise StalePlanError(
            f"The plan of run {run.id} is stale: the state of workspace {workspace.name} changed"
            " after it was made. Discard the run and plan again."
        )


async def discard(session: AsyncSession, actor: Actor, run_id: str, *, comment: str = "") -> Run:
    """Give up on a plan that waits to be applied, or on a run that waits to be planned."""
    workspace, run = await _for(session, actor, run_id, Permission.QUEUE_APPLY)
    await move(session, run, Step.DISCARD, actor=actor)
    await endings.after_end(session, workspace, run, unbegun_because="Discarded before it began.")
    reach(FailPoint.RUN_DISCARDING)
    await _comment(session, actor, run, comment)
    return run


async def cancel(session: AsyncSession, actor: Actor, run_id: str, *, comment: str = "") -> Run:
    """Stop the run: at once when nothing runs for it, else by interrupting what does.

    Raises:
        IllegalStepError: it is over, or was asked to stop already.
    """
    await queries.get(session, actor, run_id)
    workspace, run = await rows.locked(session, run_id)
    await _require_may_cancel(session, actor, workspace, run)
    if not can(run.status, Step.CANCEL) or run.cancel_asked_at is not None:
        raise IllegalStepError(run.id, run.status, Step.CANCEL)
    phase = await endings.phase_at_work(session, run)
    state = None
    if phase is not None:
        state = await dispatch.order(session, phase_id=phase.id, stop=Stop.INTERRUPT)
    if state is LeaseState.LEASED:
        run.cancel_asked_at = now()
        _publish_stop(session, actor, run, forced=False)
        await tell(session, run)
    else:
        await endings.end_run(
            session, workspace, run, Step.CANCEL, actor=actor, reason="Canceled before it began."
        )
    reach(FailPoint.RUN_CANCELING)
    await _comment(session, actor, run, comment)
    return run


async def force_cancel(
    session: AsyncSession, actor: Actor, run_id: str, *, comment: str = ""
) -> Run:
    """Have a run killed that was asked to stop and did not in time.

    Its worker kills the process, brings to safety what there is and ends the run. Asked once more,
    the run ends at once, whatever its worker does. An apply killed like this may have made objects
    that no state knows, so the workspace stays locked.

    Raises:
        ConflictError: it was not asked to stop, or not long enough ago.
    """
    workspace, run = await _for(session, actor, run_id, Permission.FORCE_CANCEL)
    available_at = force_cancel_available_at(run)
    if available_at is None or now() < available_at:
        raise ConflictError(
            f"Run {run.id} can be force-canceled only {FORCE_CANCEL_AFTER.seconds} s after it"
            " was canceled and did not stop."
        )
    _publish_stop(session, actor, run, forced=True)
    phase = await endings.phase_at_work(session, run)
    if phase is not None and await dispatch.told(session, phase_id=phase.id) is Stop.INTERRUPT:
        await dispatch.order(session, phase_id=phase.id, stop=Stop.KILL)
    else:
        await _end_at_once(session, actor, workspace, run)
    await _comment(session, actor, run, comment)
    return run


async def _end_at_once(session: AsyncSession, actor: Actor, workspace: Workspace, run: Run) -> None:
    was_applying = run.status is RunStatus.APPLYING
    reason = "Force-canceled: its process was killed" + (
        ", so objects it was making may not be in the state." if was_applying else "."
    )
    await endings.end_run(
        session,
        workspace,
        run,
        Step.CANCEL,
        actor=actor,
        reason=reason,
        keep_lock=was_applying,
    )


def force_cancel_available_at(run: Run) -> datetime | None:
    """Return when the run may be force-canceled; None when that is not in question."""
    if run.cancel_asked_at is None or run.status not in RUNNING:
        return None
    return run.cancel_asked_at + FORCE_CANCEL_AFTER


async def add_comment(session: AsyncSession, actor: Actor, run_id: str, body: str) -> Comment:
    """Say something of a run that `actor` may see."""
    run = await queries.get(session, actor, run_id)
    if not body.strip():
        raise InvalidError(_WRONG_COMMENT, pointer="/data/attributes/body")
    return await _say(session, actor, run, body, pointer="/data/attributes/body")


async def _comment(session: AsyncSession, actor: Actor, run: Run, comment: str) -> None:
    if comment.strip():
        await _say(session, actor, run, comment, pointer="/comment")


async def _say(
    session: AsyncSession, actor: Actor, run: Run, body: str, *, pointer: str
) -> Comment:
    if len(body) > _MAX_COMMENT:
        raise InvalidError(_WRONG_COMMENT, pointer=pointer)
    comment = Comment(run_id=run.id, author_id=actor.id, body=body)
    session.add(comment)
    await session.flush()
    events.publish(
        session,
        RunCommented(
            actor_id=actor.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
            comment_id=comment.id,
        ),
    )
    await tell(session, run)
    return comment


async def _for(
    session: AsyncSession, actor: Actor, run_id: str, permission: Permission
) -> tuple[Workspace, Run]:
    await queries.get(session, actor, run_id)
    workspace, run = await rows.locked(session, run_id)
    await require(session, actor, permission, workspace.place)
    return workspace, run


async def _require_may_cancel(
    session: AsyncSession, actor: Actor, workspace: Workspace, run: Run
) -> None:
    """Whoever may apply may stop any run; whoever may plan, the plans they started."""
    is_own_plan = run.created_by == actor.id and run.status is not RunStatus.APPLYING
    if is_own_plan and await may(session, actor, Permission.QUEUE_PLAN, workspace.place):
        return
    await require(session, actor, Permission.QUEUE_APPLY, workspace.place)


def _publish_stop(session: AsyncSession, actor: Actor, run: Run, *, forced: bool) -> None:
    events.publish(
        session,
        RunStopAsked(
            actor_id=actor.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
            forced=forced,
        ),
    )
