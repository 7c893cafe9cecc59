"""One step of a run: its status, the event that tells of it, and the waiters it wakes."""

from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM, Actor
from landform.kit import events
from landform.kit.db import notify
from landform.runs.events import RunMoved
from landform.runs.models import Run, RunInputs
from landform.runs.status import FINAL, Step

CHANNEL: Final = "landform_runs"


async def move(
    session: AsyncSession, run: Run, step: Step, *, actor: Actor = SYSTEM, reason: str = ""
) -> None:
    """Take `step`, or raise IllegalStepError; `reason` is kept as the run's error."""
    run.take(step)
    if run.status in FINAL:
        await session.execute(delete(RunInputs).where(RunInputs.run_id == run.id))
    if reason:
        run.error = reason
    events.publish(
        session,
        RunMoved(
            actor_id=actor.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
            status=run.status,
            reason=reason,
        ),
    )
    await tell(session, run)


async def tell(session: AsyncSession, run: Run) -> None:
    """Wake who watches the run, when the caller's transaction commits."""
    await notify(session, CHANNEL, run.id)
