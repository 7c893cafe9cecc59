"""What of a workspace's was changed, and not by terraform: what its plans find as they look.

A plan that refreshes looks at every object of the state. What it finds stands until another plan
looks or an apply has dealt with it.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Counts, Phase
from landform.identity.actor import SYSTEM
from landform.kit import events
from landform.runs.events import DriftFound
from landform.runs.models import Run, RunPhase
from landform.workspaces.models import Workspace


def note(
    session: AsyncSession, workspace: Workspace, run: Run, phase: RunPhase, counts: Counts
) -> None:
    """Note what a phase that is done found or dealt with; the workspace's row is locked.

    What was known already is no news: an event tells of drift when its count is another.

    Args:
        counts: of the phase's result.
    """
    if not run.refresh:
        return  # nobody looked
    if phase.phase is Phase.PLAN and counts.drifted:
        if counts.drifted != workspace.drifted:
            _tell(session, run, counts.drifted)
        workspace.drifted, workspace.drift_run_id = counts.drifted, run.id
    elif not run.target_addrs:  # one that had targets says nothing of the others
        workspace.drifted, workspace.drift_run_id = 0, None


def _tell(session: AsyncSession, run: Run, drifted: int) -> None:
    events.publish(
        session,
        DriftFound(
            actor_id=SYSTEM.id,
            organization_id=run.organization_id,
            subject_id=run.id,
            workspace_id=run.workspace_id,
            drifted=drifted,
        ),
    )
