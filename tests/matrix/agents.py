"""A pool whose agent has something of everything, for the routes of agents."""

from typing import Final

from landform import __version__
from landform.access.tokens import issue_for_pool
from landform.agents.presence import Description, agent_id, say_present
from landform.agents.service import PoolSettings, create_pool
from landform.contract import Phase, PhaseJob
from landform.identity.actor import Actor, ActorKind
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.workspaces.models import ExecutionMode
from tests.world import World, resolve

AGENT_SECRET: Final = "a" * 43


async def join(world: World) -> dict[str, str]:
    """Make a pool whose agent plans, applies, and has something to take; and one without use."""
    platform = world.platform
    async with transaction(platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        pool = await create_pool(session, world.owner, organization, PoolSettings(name="site"))
        spare = await create_pool(session, world.owner, organization, PoolSettings(name="spare"))
        member = Actor(kind=ActorKind.AGENT_POOL, id=pool.id)
        own = agent_id(member, AGENT_SECRET)
        await say_present(session, member, own, Description(name="box", version=__version__))
        token, _ = await issue_for_pool(session, world.owner, pool.id, description="a box")
    far = await world.beside(
        name=f"{world.organization}-far", execution_mode=ExecutionMode.AGENT, agent_pool_id=pool.id
    )

    async def begin(run_id: str, phase: Phase = Phase.PLAN) -> PhaseJob:
        job = await attempts.begin(
            platform,
            resolve,
            phase_id=world.phase_id(run_id, phase),
            worker_id=own,
            pool=pool.id,
        )
        assert job is not None
        return job

    applied = await far.create()
    await far.finish(await begin(applied))
    await far.confirm(applied)
    await begin(applied, Phase.APPLY)
    planned, waiting = [await far.create(plan_only=True) for _ in range(2)]
    await begin(planned)
    return {
        "agent-pools": pool.id,
        "spare-pool": spare.id,
        "agents": own,
        "agent-token": token.id,
        "agent-version": __version__,
        "jobs": world.phase_id(waiting, Phase.PLAN),
        "attempts": world.phase_id(planned, Phase.PLAN),
        "agent-apply": world.phase_id(applied, Phase.APPLY),
        "epoch": "1",
        "inputs": "configuration",
        "outputs": "plan-json",
        "logs": "text",
    }
