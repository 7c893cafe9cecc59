"""Agents say that they are there. Each is known by a secret that it made itself.

The secret makes an agent of what is else only a holder of its pool's token: what one agent has
taken no other can touch, though both show the same token. Its id is a digest of it, so nothing of
it is kept here, and an agent that was forgotten meanwhile is the same one when it comes back: a
state that it could not hand over before is still its to hand over.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.agents.events import AgentJoined
from landform.agents.models import Agent, AgentPool, Farewell
from landform.agents.queries import SILENCE
from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import LENGTH, LONGEST
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, UnauthenticatedError
from landform.kit.ids import ALPHABET
from landform.kit.text import check_text

_KEPT: Final = timedelta(days=1)
_MOST: Final = 1000  # agents of a pool
_SHOWN: Final = 100  # characters of a name and the like
_MOST_SLOTS: Final = 256
_DIGITS: Final = 16  # of an id


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an agent says of itself."""

    name: str
    version: str = ""
    sandbox: str = ""
    slots: int = 1


def agent_id(actor: Actor, secret: str) -> str:
    """Return the id of the agent of the actor's pool that has the secret.

    Raises:
        ForbiddenError: the actor is no agent pool.
        UnauthenticatedError: that is no secret which cannot be guessed.
    """
    if actor.kind is not ActorKind.AGENT_POOL:
        raise ForbiddenError("This is for agents: show a token of an agent pool.")
    if not LENGTH <= len(secret) <= LONGEST:
        raise UnauthenticatedError(
            f"Send a secret of the agent's own, {LENGTH} random letters and digits, the same ones"
            " each time: `Landform-Agent: SECRET`."
        )
    raw = f"{actor.id}\0{secret}".encode(errors="surrogatepass")
    number = int.from_bytes(hashlib.sha256(raw).digest())
    digits = []
    for _ in range(_DIGITS):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "agent-" + "".join(digits)


async def say_present(
    session: AsyncSession, actor: Actor, own_id: str, said: Description
) -> AgentPool:
    """Note that the agent lives; return its pool.

    Raises:
        InvalidError: it describes itself as nothing that can be.
        ConflictError: the pool has very many agents.
    """
    pool = await session.get_one(AgentPool, actor.id)
    for what in ("name", "version", "sandbox"):
        check_text(getattr(said, what), what=f"The agent's {what}", limit=_SHOWN, pointer=what)
    if not said.name or not 1 <= said.slots <= _MOST_SLOTS:
        raise InvalidError(f"An agent has a name, and 1 to {_MOST_SLOTS} slots.")
    row = await session.get(Agent, own_id, with_for_update=True)
    if row is None:
        await _forget_old(session, pool)
        row = Agent(id=own_id, pool_id=pool.id, name=said.name)
        session.add(row)
        events.publish(
            session,
            AgentJoined(
                actor_id=actor.id,
                organization_id=pool.organization_id,
                subject_id=own_id,
                pool_id=pool.id,
                name=said.name,
            ),
        )
    elif row.farewell is not None or row.seen_at < now() - SILENCE:
        await events.tell(session, pool.organization_id, "agents")
    row.name, row.version, row.sandbox, row.slots = (
        said.name,
        said.version,
        said.sandbox,
        said.slots,
    )
    row.address = events.ORIGIN.get().address
    row.farewell, row.seen_at = None, now()
    await session.flush()
    return pool


async def say_farewell(session: AsyncSession, own_id: str, how: Farewell) -> None:
    """Note that the agent ends; one that is not known says so for nothing."""
    row = await session.get(Agent, own_id, with_for_update=True)
    if row is not None:
        row.farewell, row.seen_at = how, now()
        pool = await session.get_one(AgentPool, row.pool_id)
        await events.tell(session, pool.organization_id, "agents")


async def _forget_old(session: AsyncSession, pool: AgentPool) -> None:
    """Make room for a new agent."""
    await session.execute(
        delete(Agent).where(Agent.pool_id == pool.id, Agent.seen_at < now() - _KEPT)
    )
    count = await session.scalar(select(func.count()).where(Agent.pool_id == pool.id)) or 0
    if count >= _MOST:
        raise ConflictError(
            f"Agent pool {pool.name} has {_MOST} agents; those that are gone are forgotten after a"
            " day."
        )
