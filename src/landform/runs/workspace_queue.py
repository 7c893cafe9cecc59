"""Which run of a workspace may go next. The caller holds the workspace's row."""

from collections.abc import Iterable

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.contract import Phase
from landform.dispatch import service as dispatch
from landform.dispatch.models import WORKERS
from landform.runs.models import Run
from landform.runs.moves import move
from landform.runs.rows import phase_of
from landform.runs.status import HOLDING, PhaseStatus, RunStatus, Step
from landform.workspaces import locks
from landform.workspaces.models import Workspace


async def advance(session: AsyncSession, workspace: Workspace) -> None:
    """Start the next run of the workspace, if its turn has come.

    Confirmed saved plans go before new plans: each was approved on a state that a plan in front
    of it might change.
    """
    if await holder(session, workspace) is not None:
        return
    run = await _next(session, workspace)
    if run is None:
        return
    # Also while a lock holds it back: only so does a client see what it waits for.
    workspace.current_run_id = run.id
    if workspace.is_locked:
        return
    await locks.lock_for_run(session, workspace, run.id)
    if run.status is RunStatus.CONFIRMED:
        await enqueue(session, run, Phase.APPLY)
    else:
        await enqueue(session, run, Phase.PLAN)


async def holder(session: AsyncSession, workspace: Workspace) -> Run | None:
    """Return the run that has the workspace's turn, if one has."""
    if workspace.current_run_id is None:
        return None
    run = await session.get(Run, workspace.current_run_id)
    if run is None or run.status not in HOLDING:
        return None
    return run


async def holders(session: AsyncSession, workspaces: Iterable[Workspace]) -> dict[str, Run]:
    """Return by workspace id the runs that have the turns, of the workspaces where one has."""
    ids = {row.current_run_id for row in workspaces if row.current_run_id is not None}
    query = select(Run).where(Run.id.in_(ids), Run.status.in_(HOLDING))
    return {run.workspace_id: run for run in await session.scalars(query)}


async def enqueue(session: AsyncSession, run: Run, phase: Phase) -> None:
    """Hand the run's plan or apply to the workers, or to the agents of a pool."""
    row = await phase_of(session, run, phase)
    row.move(PhaseStatus.QUEUED)
    await move(session, run, Step.QUEUE_PLAN if phase is Phase.PLAN else Step.QUEUE_APPLY)
    pool = await _pool(session, run, phase)
    await dispatch.enqueue(session, phase_id=row.id, phase=phase, run_id=run.id, pool=pool)


async def _pool(session: AsyncSession, run: Run, phase: Phase) -> str:
    """Return who is to do the phase: an apply goes where its plan was made.

    A plan made with the network and the credentials of one place may not be applied from another
    because a setting changed between the two.
    """
    if phase is Phase.APPLY:
        plan = await phase_of(session, run, Phase.PLAN)
        return await dispatch.pool_of(session, plan.id) or WORKERS
    workspace = await session.get_one(Workspace, run.workspace_id)
    return workspace.agent_pool_id or WORKERS


async def _next(session: AsyncSession, workspace: Workspace) -> Run | None:
    is_confirmed = Run.status == RunStatus.CONFIRMED
    is_ready = and_(
        Run.status == RunStatus.PENDING,
        Run.plan_only.is_(False),
        Run.save_plan.is_(False),
        ConfigurationVersion.status == ConfigurationStatus.UPLOADED,
    )
    query = (
        select(Run)
        .join(ConfigurationVersion, ConfigurationVersion.id == Run.configuration_version_id)
        .where(Run.workspace_id == workspace.id, or_(is_confirmed, is_ready))
        .order_by(is_confirmed.desc(), Run.number)
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()
