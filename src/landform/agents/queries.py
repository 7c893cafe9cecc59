"""Reads of agent pools and agents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import column, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.agents.models import Agent, AgentPool, PoolPlace
from landform.identity.actor import Actor
from landform.kit.clock import now
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page

PING_S: Final = 20.0
"""Seconds between two words of an agent that it lives."""

SILENCE: Final = timedelta(seconds=3 * PING_S)

# Of the packages above: named as their tables name them.
_LEASES: Final = table("leases", column("worker_id"), column("pool"), column("state"))
_WORKSPACES: Final = table("workspaces", column("id"), column("name"), column("agent_pool_id"))
_PROJECTS: Final = table("projects", column("id"), column("name"))


class AgentStatus(StrEnum):
    """What an agent is at; the words are TFE's."""

    BUSY = "busy"
    IDLE = "idle"
    EXITED = "exited"
    ERRORED = "errored"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Places:
    """Which workspaces and projects a pool names, by id."""

    allowed_workspaces: Sequence[str] = ()
    allowed_projects: Sequence[str] = ()
    excluded_workspaces: Sequence[str] = ()


@dataclass(frozen=True)
class ShownAgent:
    """An agent and what it is at."""

    row: Agent
    status: AgentStatus


async def get_pool(session: AsyncSession, actor: Actor, pool_id: str) -> AgentPool:
    """Return a pool.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(AgentPool, pool_id)
    if row is None or not await may(session, actor, Permission.USE_AGENT_POOLS, row.place):
        raise NotFoundError(f"There is no agent pool {pool_id}.")
    return row


async def get_pool_of(
    session: AsyncSession, actor: Actor, organization_id: str, pool_id: str
) -> AgentPool:
    """Return a pool that an address names below its organization.

    Raises:
        NotFoundError: that organization has none of this id, or `actor` may not know of it.
    """
    row = await get_pool(session, actor, pool_id)
    if row.organization_id != organization_id:
        raise NotFoundError(f"There is no agent pool {pool_id} in that organization.")
    return row


async def list_pools(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    page: Page,
    *,
    search: str = "",
    allowed_workspace: str = "",
    allowed_project: str = "",
    newest_first: bool | None = None,
) -> Paged[AgentPool]:
    """Return an organization's pools, by name unless `newest_first` says by age.

    Args:
        search: only those whose name contains this, in any case.
        allowed_workspace, allowed_project: only those that name it, by its name, as allowed.

    Raises:
        ForbiddenError: `actor` may not see its pools.
    """
    await require(
        session, actor, Permission.USE_AGENT_POOLS, Place(organization_id=organization_id)
    )
    wanted = select(AgentPool).where(AgentPool.organization_id == organization_id)
    if search:
        wanted = wanted.where(AgentPool.name.icontains(search, autoescape=True))
    for name, rows, of in (
        (allowed_workspace, _WORKSPACES, PoolPlace.workspace_id),
        (allowed_project, _PROJECTS, PoolPlace.project_id),
    ):
        if name:
            named = (
                select(PoolPlace.pool_id)
                .join(rows, rows.c.id == of)
                .where(rows.c.name == name, PoolPlace.is_excluded.is_(False))
            )
            wanted = wanted.where(AgentPool.id.in_(named))
    by_name = (func.lower(AgentPool.name), AgentPool.id)
    age = AgentPool.created_at.desc() if newest_first else AgentPool.created_at
    order = by_name if newest_first is None else (age, AgentPool.id)
    return await fetch_page(session, wanted, page, *order)


async def pools_for(
    session: AsyncSession, *, organization_id: str, project_id: str, workspace_id: str
) -> Sequence[AgentPool]:
    """Return the pools in which a workspace may run, by name, for whoever may change it."""
    named = select(PoolPlace.pool_id).where(PoolPlace.is_excluded.is_(False))
    named = named.where(
        or_(PoolPlace.workspace_id == workspace_id, PoolPlace.project_id == project_id)
    )
    excluded = select(PoolPlace.pool_id).where(
        PoolPlace.is_excluded, PoolPlace.workspace_id == workspace_id
    )
    query = (
        select(AgentPool)
        .where(
            AgentPool.organization_id == organization_id,
            or_(AgentPool.organization_scoped, AgentPool.id.in_(named)),
            AgentPool.id.not_in(excluded),
        )
        .order_by(func.lower(AgentPool.name))
    )
    return (await session.scalars(query)).all()


async def places_of(session: AsyncSession, pool_ids: Iterable[str]) -> Mapping[str, Places]:
    """Return by id of a pool which workspaces and projects it names."""
    wanted = set(pool_ids)
    query = select(PoolPlace).where(PoolPlace.pool_id.in_(wanted)).order_by(PoolPlace.id)
    allowed: dict[str, list[str]] = {each: [] for each in wanted}
    projects: dict[str, list[str]] = {each: [] for each in wanted}
    excluded: dict[str, list[str]] = {each: [] for each in wanted}
    for row in await session.scalars(query):
        if row.project_id is not None:
            projects[row.pool_id].append(row.project_id)
        elif row.workspace_id is not None:
            (excluded if row.is_excluded else allowed)[row.pool_id].append(row.workspace_id)
    return {each: Places(allowed[each], projects[each], excluded[each]) for each in wanted}


async def users_of(session: AsyncSession, pool_ids: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return by id of a pool the ids of the workspaces that run there, seen or not."""
    wanted = set(pool_ids)
    found: dict[str, list[str]] = {each: [] for each in wanted}
    used = _WORKSPACES.c.agent_pool_id
    query = select(used, _WORKSPACES.c.id).where(used.in_(wanted)).order_by(_WORKSPACES.c.id)
    for pool_id, workspace_id in await session.execute(query):
        found[pool_id].append(workspace_id)
    return found


async def list_agents(
    session: AsyncSession,
    actor: Actor,
    pool: AgentPool,
    page: Page,
    *,
    since: datetime | None = None,
) -> Paged[ShownAgent]:
    """Return a pool's agents, those that said last that they live first.

    Args:
        since: only those that said so after this.

    Raises:
        ForbiddenError: `actor` may not see the pool's agents.
    """
    await require(session, actor, Permission.USE_AGENT_POOLS, pool.place)
    wanted = select(Agent).where(Agent.pool_id == pool.id)
    if since is not None:
        wanted = wanted.where(Agent.seen_at > since)
    found = await fetch_page(session, wanted, page, Agent.seen_at.desc(), Agent.id)
    return Paged(items=await _shown(session, found.items), total=found.total)


async def get_agent(session: AsyncSession, actor: Actor, agent_id: str) -> ShownAgent:
    """Return an agent.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(Agent, agent_id)
    pool = await session.get(AgentPool, row.pool_id) if row is not None else None
    if (
        row is None
        or pool is None
        or not await may(session, actor, Permission.USE_AGENT_POOLS, pool.place)
    ):
        raise NotFoundError(f"There is no agent {agent_id}.")
    return (await _shown(session, [row]))[0]


async def present(session: AsyncSession, pool_ids: Iterable[str]) -> Mapping[str, int]:
    """Return by id of a pool how many agents live there, of those pools where any does."""
    query = (
        select(Agent.pool_id, func.count())
        .where(
            Agent.pool_id.in_(set(pool_ids)),
            Agent.farewell.is_(None),
            Agent.seen_at > now() - SILENCE,
        )
        .group_by(Agent.pool_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def _shown(session: AsyncSession, rows: Sequence[Agent]) -> list[ShownAgent]:
    at_work = select(_LEASES.c.worker_id).where(
        _LEASES.c.pool.in_({row.pool_id for row in rows}),
        _LEASES.c.state == "leased",
        _LEASES.c.worker_id.in_({row.id for row in rows}),
    )
    busy = set(await session.scalars(at_work)) if rows else set()
    return [ShownAgent(row, _status(row, row.id in busy)) for row in rows]


def _status(row: Agent, is_busy: bool) -> AgentStatus:
    if row.farewell is not None:
        return AgentStatus(row.farewell.value)
    if row.seen_at < now() - SILENCE:
        return AgentStatus.UNKNOWN
    return AgentStatus.BUSY if is_busy else AgentStatus.IDLE
