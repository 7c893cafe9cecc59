"""Rows of runs, locked: always the workspace first, then the run, so that no two deadlock."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Phase
from landform.kit.errors import NotFoundError
from landform.runs.models import Run, RunPhase
from landform.workspaces import rows as workspaces
from landform.workspaces.models import Workspace


async def locked(
    session: AsyncSession, run_id: str, *, of: str | None = None
) -> tuple[Workspace, Run]:
    """Return the run and its workspace as they are now, held until the transaction ends.

    Args:
        of: the workspace that it must be a run of.

    Raises:
        NotFoundError: there is no such run.
    """
    its = select(Run.workspace_id).where(Run.id == run_id).scalar_subquery()
    workspace = await workspaces.locked_if_any(session, Workspace.id == its)
    if workspace is None or of not in {None, workspace.id}:
        raise NotFoundError(f"There is no run {run_id}.")
    run = await session.get_one(Run, run_id, with_for_update=True, populate_existing=True)
    return workspace, run


async def phase_of(session: AsyncSession, run: Run, phase: Phase) -> RunPhase:
    """Return the run's plan or apply."""
    query = select(RunPhase).where(RunPhase.run_id == run.id, RunPhase.phase == phase)
    return (await session.scalars(query)).one()


async def phases_of(session: AsyncSession, run: Run) -> Sequence[RunPhase]:
    """Return the run's plan and apply, in this order."""
    query = select(RunPhase).where(RunPhase.run_id == run.id).order_by(RunPhase.phase.desc())
    return (await session.scalars(query)).all()
