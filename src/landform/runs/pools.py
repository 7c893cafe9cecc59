"""Agent pools, as far as runs are concerned."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.agents import service as agents
from landform.agents.models import Agent, AgentPool
from landform.agents.queries import present
from landform.contract import Phase
from landform.dispatch.models import Lease, LeaseState
from landform.identity.actor import Actor
from landform.kit.errors import ConflictError, InvalidError
from landform.runs.models import Run
from landform.runs.status import FINAL
from landform.workspaces.models import Workspace


async def delete_pool(session: AsyncSession, actor: Actor, pool: AgentPool) -> None:
    """Delete a pool in which nothing runs and that no workspace uses.

    Raises:
        ForbiddenError: `actor` may not manage agent pools.
        ConflictError: something runs there or is to be applied there, or workspaces use it.
    """
    await require(session, actor, Permission.MANAGE_AGENT_POOLS, pool.place)
    there = (
        select(Run.id)
        .join(Lease, Lease.run_id == Run.id)
        .where(Lease.pool == pool.id, Run.status.not_in(FINAL))
        .limit(1)
    )
    run_id = await session.scalar(there)
    if run_id is not None:
        raise ConflictError(
            f"Run {run_id} is in agent pool {pool.name} and is not over; apply, discard or cancel"
            " it first."
        )
    await agents.delete_pool(session, actor, pool)


async def require_usable(session: AsyncSession, workspace: Workspace) -> None:
    """Ask whether the workspace, if its runs are agents', may still run where it is set to.

    Raises:
        ConflictError: its pool is not for it any more.
    """
    if workspace.agent_pool_id is None:
        return
    try:
        await agents.usable_pool(
            session,
            workspace.agent_pool_id,
            organization_id=workspace.organization_id,
            project_id=workspace.project_id,
            workspace_id=workspace.id,
        )
    except InvalidError:
        raise ConflictError(
            f"Workspace {workspace.name} is set to run in agent pool {workspace.agent_pool_id},"
            " which is not for this workspace any more. Choose another pool or execution mode."
        ) from None


async def agents_of(session: AsyncSession, run: Run) -> Mapping[Phase, str]:
    """Say by phase which agent has it, or had it last, of those that an agent took."""
    query = (
        select(Lease.phase, Lease.worker_id, Agent.name, AgentPool.name.label("pool"))
        .join(AgentPool, AgentPool.id == Lease.pool)
        .outerjoin(Agent, Agent.id == Lease.worker_id)
        .where(Lease.run_id == run.id, Lease.worker_id.is_not(None))
    )
    return {
        row.phase: f"by agent {row.name or row.worker_id} of pool {row.pool}"
        for row in await session.execute(query)
    }


async def wait_reasons(session: AsyncSession, run_ids: Sequence[str]) -> Mapping[str, str]:
    """Say by run id what each waits for, of those whose phase waits for an agent.

    Two questions to the database, however many runs.
    """
    query = (
        select(Lease.run_id, AgentPool.id, AgentPool.name)
        .join(AgentPool, AgentPool.id == Lease.pool)
        .where(Lease.run_id.in_(run_ids), Lease.state == LeaseState.QUEUED)
    )
    rows = (await session.execute(query)).all()
    if not rows:
        return {}
    alive = await present(session, {row.id for row in rows})
    return {
        row.run_id: (
            f"Waiting for an agent of pool {row.name} to be free."
            if row.id in alive
            else f"Waiting for an agent: none of pool {row.name} is connected."
        )
        for row in rows
    }
