"""What of a workspace's was changed, and not by terraform: what its plans find as they look.

A plan that refreshes looks at every object of the state. What it finds stands until another plan
looks or an apply has dealt with it.
"""

from landform.contract import Counts, Phase
from landform.runs.models import Run, RunPhase
from landform.workspaces.models import Workspace


def note(workspace: Workspace, run: Run, phase: RunPhase, counts: Counts) -> None:
    """Note what a phase that is done found or dealt with; the workspace's row is locked.

    Args:
        counts: of the phase's result.
    """
    if not run.refresh:
        return  # nobody looked
    if phase.phase is Phase.PLAN and counts.drifted:
        workspace.drifted, workspace.drift_run_id = counts.drifted, run.id
    elif not run.target_addrs:  # one that had targets says nothing of the others
        workspace.drifted, workspace.drift_run_id = 0, None
