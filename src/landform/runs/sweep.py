"""Attempts whose worker went silent: a plan is tried again, an apply never is."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Phase
from landform.dispatch import service as dispatch
from landform.dispatch.models import Lease
from landform.identity.actor import SYSTEM
from landform.kit import events
from landform.kit.db import Sessions, transaction
from landform.kit.errors import LandformError
from landform.kit.failpoints import FailPoint, reach
from landform.kit.storage import Store
from landform.logs import service as logs
from landform.runs import aftermath, endings, rows
from landform.runs.aftermath import Aftermath
from landform.runs.events import PhaseInterrupted
from landform.runs.models import Run, RunPhase
from landform.runs.moves import move
from landform.runs.status import PhaseStatus, Step
from landform.workspaces.models import Workspace

log = structlog.get_logger()

MAX_PLAN_ATTEMPTS: Final = 3


async def sweep(sessions: Sessions, store: Store, *, take_over: bool = True) -> int:
    """Take over every attempt past its lease, and ring for phases nobody heard of; count both.

    Any number of processes may sweep at once: each attempt is taken over by one of them.

    Args:
        take_over: false to leave attempts alone, as those who live may not have been able to renew.
    """
    async with transaction(sessions) as session:
        dead = await dispatch.expired(session) if take_over else []
    if dead:
        reach(FailPoint.SWEEP_FOUND)
    taken = 0
    for row in dead:
        try:
            taken += await _take_over(sessions, store, row)
        except LandformError as failure:  # the others must not wait for this one
            log.warning("attempt not taken over", phase=row.phase_id, error=str(failure))
    async with transaction(sessions) as session:
        rung = await dispatch.ring_again(session)
        await dispatch.forget_dead_jobs(session)
    return taken + rung


async def sweep_forever(
    sessions: Sessions, store: Store, *, every_s: float, lease_s: float
) -> None:
    """Sweep again and again; a database that is away is waited for.

    When it comes back, or we do, every lease may be over though its worker lives. So nothing is
    taken over before it answered us for as long as a lease lasts.
    """
    loop = asyncio.get_running_loop()
    since = seen = loop.time()
    while True:
        began = loop.time()
        if began - seen > every_s + lease_s / 2:  # it was away, or we were
            since = began
        try:
            taken = await sweep(sessions, store, take_over=began - since >= lease_s)
        except LandformError as failure:
            since = loop.time()
            log.warning("sweep failed", error=str(failure))
        except Exception:  # without it, what dies stays dead
            log.exception("sweep failed for a reason of ours")
        else:
            if taken:
                log.warning("took over phases whose worker is gone", count=taken)
        seen = loop.time()
        await asyncio.sleep(every_s)


async def _take_over(sessions: Sessions, store: Store, dead: Lease) -> bool:
    found = None
    if dead.phase is Phase.APPLY:
        found = await aftermath.find_out(
            sessions, store, phase_id=dead.phase_id, run_id=dead.run_id
        )
        reach(FailPoint.SWEEP_LOOKED)
    async with transaction(sessions) as session:
        workspace, run = await rows.locked(session, dead.run_id)
        row = await dispatch.still_expired(session, phase_id=dead.phase_id, epoch=dead.epoch)
        if row is None:
            return False
        if found is not None and not await aftermath.still_holds(session, found):
            return False  # it was alive a moment ago; the next sweep looks again
        await _fence(session, workspace, run, row, found)
        reach(FailPoint.SWEEP_FENCING)
    reach(FailPoint.SWEEP_FENCED)
    return True


async def _fence(
    session: AsyncSession, workspace: Workspace, run: Run, row: Lease, found: Aftermath | None
) -> None:
    phase = await session.get_one(RunPhase, row.phase_id)
    again = (
        row.phase is Phase.PLAN
        and phase.attempts < MAX_PLAN_ATTEMPTS
        and run.cancel_asked_at is None
    )
    events.publish(
        session,
        PhaseInterrupted(
            actor_id=SYSTEM.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
            phase_id=row.phase_id,
            epoch=row.epoch,
            worker_id=row.worker_id or "",
            tried_again=again,
        ),
    )
    if again:
        await _plan_again(session, run, phase, row)
    else:
        if found is not None:
            phase.maybe_not_in_state = [one.model_dump() for one in found.maybe_not_in_state]
        await _give_up(session, workspace, run, row)


async def _plan_again(session: AsyncSession, run: Run, phase: RunPhase, row: Lease) -> None:
    await logs.say(session, phase.id, "The worker stopped answering; planning again.")
    phase.move(PhaseStatus.QUEUED)
    await move(session, run, Step.REQUEUE_PLAN)
    await dispatch.requeue(session, row)


async def _give_up(session: AsyncSession, workspace: Workspace, run: Run, row: Lease) -> None:
    if row.phase is Phase.PLAN:
        step = Step.FAIL if run.cancel_asked_at is None else Step.CANCEL
        reason = "The worker stopped answering while it planned."
        await endings.end_run(session, workspace, run, step, reason=reason)
        return
    reason = (
        "The worker stopped answering while it applied. Objects it made after the last saved"
        " state may not be in it; the workspace stays locked until somebody has looked."
    )
    await endings.end_run(session, workspace, run, Step.FAIL, reason=reason, keep_lock=True)
