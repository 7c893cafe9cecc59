"""What agents of a pool are offered, and which attempt one of them holds.

An attempt is one agent's: who asks about it has taken it under its own name, in its own pool.
`attempts` fences what it then writes, as it does for a worker.
"""

from sqlalchemy import select

from landform import __version__
from landform.agents.models import Agent
from landform.contract import Attempt, Choice, LostLeaseError, Offer, PhaseJob
from landform.dispatch import service as dispatch
from landform.dispatch.models import Lease
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.runs import attempts
from landform.runs.attempts import Platform
from landform.runs.models import Run
from landform.toolchain.versions import Tool, parse_requirement, parse_version


async def next_offer(platform: Platform, pool_id: str) -> Offer | None:
    """Return the phase that has waited longest for an agent of the pool; None when none does."""
    async with transaction(platform.sessions) as session:
        phase_id = await dispatch.next_queued(session, pool_id)
    asked = await attempts.asked_version(platform, phase_id) if phase_id is not None else None
    if phase_id is None or asked is None:
        return None
    tool, version = asked
    return Offer(phase_id=phase_id, tool=tool, version=version)


async def begin(
    platform: Platform, choice: Choice, *, phase_id: str, pool_id: str, agent_id: str
) -> PhaseJob | None:
    """Take a phase of the pool for the agent, with the version that it chose of its own tools.

    None when there is nothing to do; otherwise as `attempts.begin`.

    Raises:
        ConflictError: the agent has not said what it is, or is of another version.
    """
    async with transaction(platform.sessions) as session:
        if await dispatch.pool_of(session, phase_id) != pool_id:
            return None
        agent = await session.get(Agent, agent_id)
        if agent is None:
            raise ConflictError("Say first what this agent is.")
        require_same_version(agent.version)
        sandbox = agent.sandbox

    async def chosen(tool: Tool, asked: str) -> str:
        if choice.problem:
            raise InvalidError(choice.problem)
        if not parse_requirement(asked).allows(parse_version(choice.version)):
            raise InvalidError(
                f"The agent chose {tool.product} {choice.version}, but {asked} was asked for."
            )
        return choice.version

    return await attempts.begin(
        platform,
        chosen,
        phase_id=phase_id,
        worker_id=agent_id,
        sandbox=sandbox,
        pool=pool_id,
    )


def require_same_version(version: str) -> None:
    """Refuse an agent that could not read what it is given, before it is given anything.

    Raises:
        ConflictError: it is of another version than the platform.
    """
    if version != __version__:
        raise ConflictError(
            f"This platform is version {__version__}, the agent {version[:40] or 'of none'}: run an"
            " agent of the platform's version."
        )


async def held(
    platform: Platform, *, phase_id: str, epoch: int, pool_id: str, agent_id: str
) -> Attempt:
    """Return the agent's attempt, which it may have lost since; each write asks for itself.

    Raises:
        NotFoundError: the agent's pool has no such phase.
        LostLeaseError: the attempt is, or was, another's.
    """
    query = (
        select(Lease.phase, Lease.run_id, Lease.epoch, Lease.worker_id, Run.workspace_id)
        .join(Run, Run.id == Lease.run_id)
        .where(Lease.phase_id == phase_id, Lease.pool == pool_id)
    )
    async with transaction(platform.sessions) as session:
        row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no phase {phase_id}.")
    if row.worker_id != agent_id or epoch > row.epoch:
        raise LostLeaseError(f"Attempt {epoch} at {phase_id} is not this agent's.")
    return Attempt(
        phase_id=phase_id,
        phase=row.phase,
        run_id=row.run_id,
        workspace_id=row.workspace_id,
        epoch=epoch,
        lease_s=platform.limits.lease_s,
    )
