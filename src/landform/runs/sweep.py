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
from landform.logs import service as logs
from landform.runs import endings, rows
from landform.runs.events import PhaseInterrupted
from landform.runs.models import Run, RunPhase
from landform.runs.moves import move
from landform.runs.status import PhaseStatus, Step
from landform.workspaces.models import Workspace

log = structlog.get_logger()

MAX_PLAN_ATTEMPTS: Final = 3


async def sweep(sessions: Sessions) -> int:
    """Take over every attempt past its lease, and ring for phases nobody heard of; count both.

    Any number of processes may sweep at once: each attempt is taken over by one of them.
    """
    async with transaction(sessions) as session:
        dead = [(row.phase_id, row.run_id, row.epoch) for row in await dispatch.expired(session)]
    taken = 0
    for phase_id, run_id, epoch in dead:
        async with transaction(sessions) as session:
            taken += await _take_over(session, phase_id=phase_id, run_id=run_id, epoch=epoch)
    async with transaction(sessions) as session:
        rung = await dispatch.ring_again(session)
        await dispatch.forget_dead_jobs(session)
    return taken + rung


async def sweep_forever(sessions: Sessions, *, every_s: float) -> None:
    """Sweep again and again; a database that is away is waited for."""
    while True:
        try:
            taken = await sweep(sessions)
        except LandformError as failure:
            log.warning("sweep failed", error=str(failure))
        else:
            if taken:
                log.warning("took over phases whose worker is gone", count=taken)
        await asyncio.sleep(every_s)


async def _take_over(session: AsyncSession, *, phase_id: str, run_id: str, epoch: int) -> bool:
    workspace, run = await rows.locked(session, run_id)
    row = await dispatch.still_expired(session, phase_id=phase_id, epoch=epoch)
    if row is None:
        return False
    phase = await session.get_one(RunPhase, phase_id)
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
            phase_id=phase_id,
            epoch=epoch,
            worker_id=row.worker_id or "",
            tried_again=again,
        ),
    )
    if again:
        await _plan_again(session, run, phase, row)
    else:
        await _give_up(session, workspace, run, row)
    return True


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
