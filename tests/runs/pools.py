"""A workspace whose runs are agents', and the agents."""

from dataclasses import dataclass, field
from itertools import count

from landform import __version__
from landform.access.tokens import issue_for_pool
from landform.agents.models import AgentPool
from landform.agents.presence import Description, agent_id, say_present
from landform.agents.queries import get_pool
from landform.agents.service import PoolSettings, create_pool, update_pool
from landform.contract import Phase, PhaseJob
from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import new_secret
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.workspaces.models import ExecutionMode
from tests.world import World, resolve

_NUMBERS = count(1)


@dataclass(frozen=True)
class Member:
    """An agent of a pool, and the secret it made itself."""

    pool: "Pool"
    secret: str = field(default_factory=new_secret)

    @property
    def id(self) -> str:
        return agent_id(self.pool.actor, self.secret)

    async def join(self) -> "Member":
        """Say that the agent is there."""
        async with transaction(self.pool.world.platform.sessions) as session:
            await say_present(
                session, self.pool.actor, self.id, Description(name="box", version=__version__)
            )
        return self

    async def begin(self, run_id: str, phase: Phase = Phase.PLAN) -> PhaseJob | None:
        """Take the phase; None when it is not to be had."""
        return await attempts.begin(
            self.pool.world.platform,
            resolve,
            phase_id=self.pool.world.phase_id(run_id, phase),
            worker_id=self.id,
            pool=self.pool.id,
        )

    async def must_begin(self, run_id: str, phase: Phase = Phase.PLAN) -> PhaseJob:
        """Take the phase, which is to be had."""
        job = await self.begin(run_id, phase)
        assert job is not None
        return job


@dataclass(frozen=True)
class Pool:
    """A pool of the organization of `world`, whose workspaces run there or do not."""

    world: World
    id: str
    token: str
    token_id: str

    @classmethod
    async def make(cls, world: World, **settings: object) -> "Pool":
        """Make a pool with a token."""
        wanted = PoolSettings(**{"name": f"pool-{next(_NUMBERS)}", **settings})  # type: ignore[arg-type] # by name
        async with transaction(world.platform.sessions) as session:
            organization = await session.get_one(Organization, world.organization_id)
            pool = await create_pool(session, world.owner, organization, wanted)
            row, token = await issue_for_pool(session, world.owner, pool.id, description="a box")
        return cls(world, pool.id, token, row.id)

    @property
    def actor(self) -> Actor:
        return Actor(kind=ActorKind.AGENT_POOL, id=self.id)

    async def workspace(self) -> World:
        """Return a workspace that runs here."""
        return await self.world.beside(execution_mode=ExecutionMode.AGENT, agent_pool_id=self.id)

    async def change(self, **settings: object) -> AgentPool:
        """Change the pool as its organization's owner."""
        async with transaction(self.world.platform.sessions) as session:
            pool = await get_pool(session, self.world.owner, self.id)
            wanted = PoolSettings(**settings)  # type: ignore[arg-type] # by name
            return await update_pool(session, self.world.owner, pool, wanted)
