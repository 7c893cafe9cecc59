"""How runs end: the phase and its log closed, the lock given back, the next run started."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Phase
from landform.dispatch import service as dispatch
from landform.identity.actor import SYSTEM, Actor
from landform.logs import service as logs
from landform.runs import workspace_queue
from landform.runs.models import Run, RunPhase
from landform.runs.moves import move
from landform.runs.rows import phase_of, phases_of
from landform.runs.status import FINAL, PhaseStatus, RunStatus, Step
from landform.workspaces import locks
from landform.workspaces.models import Workspace

_PHASE_AT: dict[RunStatus, Phase] = {
    RunStatus.PLAN_QUEUED: Phase.PLAN,
    RunStatus.PLANNING: Phase.PLAN,
    RunStatus.APPLY_QUEUED: Phase.APPLY,
    RunStatus.APPLYING: Phase.APPLY,
}

_STALE_AT_ONCE: Final = 200

_CLOSED_AS: dict[Step, PhaseStatus] = {
    Step.CANCEL: PhaseStatus.CANCELED,
    Step.FAIL: PhaseStatus.ERRORED,
}


async def phase_at_work(session: AsyncSession, run: Run) -> RunPhase | None:
    """Return the plan or apply that is queued or running, if one is."""
    phase = _PHASE_AT.get(run.status)
    return None if phase is None else await phase_of(session, run, phase)


async def end_run(
    session: AsyncSession,
    workspace: Workspace,
    run: Run,
    step: Step,
    *,
    actor: Actor = SYSTEM,
    reason: str,
    keep_lock: bool = False,
) -> None:
    """End a run that did not get to finish; `step` is CANCEL or FAIL.

    Whatever still runs for it is fenced: its phase is over in the same transaction.
    """
    phase = await phase_at_work(session, run)
    if phase is not None:
        await dispatch.end(session, phase_id=phase.id)
        phase.move(_CLOSED_AS[step])
        await logs.say(session, phase.id, reason)
        await logs.seal(session, phase.id)
    await move(session, run, step, actor=actor, reason=reason)
    unbegun_because = reason if phase is None else ""
    await after_end(session, workspace, run, unbegun_because=unbegun_because, keep_lock=keep_lock)


async def after_end(
    session: AsyncSession,
    workspace: Workspace,
    run: Run,
    *,
    unbegun_because: str = "",
    keep_lock: bool = False,
) -> None:
    """Give the workspace's turn to the next run; does nothing while `run` is not over.

    Args:
        unbegun_because: why the next phase of the run does not begin any more, for its log.
        keep_lock: the state may not tell the whole truth; a person must look and unlock.
    """
    if run.status in FINAL:
        await _close_unbegun(session, run, unbegun_because)
    elif run.status is not RunStatus.PLANNED_AND_SAVED:
        return
    if keep_lock:
        because = f"the state may lack what {run.id} made"
        await locks.keep_run_lock(session, workspace, run.id, because)
    else:
        await locks.release_run_lock(session, workspace, run.id)
    await discard_stale(session, workspace)
    await workspace_queue.advance(session, workspace)


async def discard_stale(session: AsyncSession, workspace: Workspace) -> None:
    """Discard saved plans that can never be applied, as the state moved after they were made.

    Of very many the rest is left to the next call: a transaction is to be short, and none of them
    can be confirmed meanwhile.
    """
    query = (
        select(Run)
        .where(
            Run.workspace_id == workspace.id,
            Run.status == RunStatus.PLANNED_AND_SAVED,
            Run.state_version_id.is_distinct_from(workspace.current_state_version_id),
        )
        .order_by(Run.number)
        .limit(_STALE_AT_ONCE)
    )
    reason = f"The state of workspace {workspace.name} changed after the plan was made."
    for run in (await session.scalars(query)).all():
        await move(session, run, Step.DISCARD, reason=reason)
        await _close_unbegun(session, run, reason)


async def _close_unbegun(session: AsyncSession, run: Run, because: str) -> None:
    """Close the phases that will never begin: a client may be reading their logs already."""
    for row in await phases_of(session, run):
        if row.status is PhaseStatus.PENDING:
            row.move(PhaseStatus.UNREACHABLE)
            if because:
                await logs.say(session, row.id, because)
                because = ""
            await logs.seal(session, row.id)
