"""Writes of agent pools, and who may use which."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import column, delete, func, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.agents.events import (
    AgentForgotten,
    AgentPoolCreated,
    AgentPoolDeleted,
    AgentPoolUpdated,
)
from landform.agents.models import Agent, AgentPool, PoolPlace
from landform.agents.queries import Places, get_pool, places_of
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.ids import is_id
from landform.kit.unique import unique
from landform.organizations.models import Organization

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,90}")
_UNIQUE: Final = "uq_agent_pools_organization_lower_name"
_MOST_POOLS: Final = 500  # of an organization
_MOST_PLACES: Final = 5000  # of a pool
_NAMED: Final = 5  # workspaces that a message names

# Of the packages above: named as their tables name them.
_WORKSPACES: Final = table(
    "workspaces", column("id"), column("name"), column("organization_id"), column("agent_pool_id")
)
_PROJECTS: Final = table("projects", column("id"), column("organization_id"))


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """What a client gives of a pool; None leaves it as it is.

    Attributes:
        allowed_workspaces, allowed_projects, excluded_workspaces: ids, all there are to be.
    """

    name: str | None = None
    organization_scoped: bool | None = None
    allowed_workspaces: Sequence[str] | None = None
    allowed_projects: Sequence[str] | None = None
    excluded_workspaces: Sequence[str] | None = None


async def create_pool(
    session: AsyncSession, actor: Actor, organization: Organization, settings: PoolSettings
) -> AgentPool:
    """Add a pool, for every workspace of the organization unless the settings say otherwise.

    Raises:
        ForbiddenError: `actor` may not manage agent pools.
        InvalidError: a setting cannot be, or the name is taken.
        ConflictError: the organization has very many pools.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.MANAGE_AGENT_POOLS, place)
    counted = select(func.count()).where(AgentPool.organization_id == organization.id)
    if (await session.scalar(counted) or 0) >= _MOST_POOLS:
        raise ConflictError(f"{organization.name} has {_MOST_POOLS} agent pools; delete one first.")
    pool = AgentPool(
        organization_id=organization.id,
        name=_checked_name(settings.name or ""),
        organization_scoped=settings.organization_scoped is not False,
    )
    async with unique(session, _UNIQUE, _taken(pool.name)):
        session.add(pool)
    await _place(session, pool, settings)
    events.publish(
        session,
        AgentPoolCreated(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=pool.id,
            name=pool.name,
            organization_scoped=pool.organization_scoped,
        ),
    )
    return pool


async def update_pool(
    session: AsyncSession, actor: Actor, pool: AgentPool, settings: PoolSettings
) -> AgentPool:
    """Apply the settings that are given. Runs that are created from now on are held to them.

    Raises:
        ForbiddenError: `actor` may not manage agent pools.
        InvalidError: a setting cannot be, or the name is taken.
    """
    await require(session, actor, Permission.MANAGE_AGENT_POOLS, pool.place)
    await session.refresh(pool, with_for_update=True)
    given = {"name": settings.name, "organization_scoped": settings.organization_scoped}
    changed = {
        name: value
        for name, value in given.items()
        if value is not None and value != getattr(pool, name)
    }
    if "name" in changed:
        _checked_name(str(changed["name"]))
    changes = events.changes_of(pool, changed)
    if changed:
        async with unique(session, _UNIQUE, _taken(str(settings.name))):
            for name, value in changed.items():
                setattr(pool, name, value)
    moved = await _place(session, pool, settings)
    if changed or moved:
        events.publish(
            session,
            AgentPoolUpdated(
                actor_id=actor.id,
                organization_id=pool.organization_id,
                subject_id=pool.id,
                name=pool.name,
                changed=(*changed, *moved),
                changes=changes,
            ),
        )
    return pool


async def delete_pool(session: AsyncSession, actor: Actor, pool: AgentPool) -> None:
    """Delete a pool that nothing is to run in any more, with its tokens and its agents.

    Runs under way there are asked for by `landform.runs.pools`, which calls this.

    Raises:
        ForbiddenError: `actor` may not manage agent pools.
        ConflictError: workspaces use it, or it is its organization's default.
    """
    await require(session, actor, Permission.MANAGE_AGENT_POOLS, pool.place)
    await session.refresh(pool, with_for_update=True)
    organization = await session.get_one(Organization, pool.organization_id)
    if organization.default_agent_pool_id == pool.id:
        raise ConflictError(
            f"Agent pool {pool.name} is the default of {organization.name}; choose another first."
        )
    used = select(_WORKSPACES.c.name).where(_WORKSPACES.c.agent_pool_id == pool.id)
    names = (await session.scalars(used.order_by(_WORKSPACES.c.name).limit(_NAMED + 1))).all()
    if names:
        shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        raise ConflictError(
            f"Workspaces run in agent pool {pool.name}: {shown}. Give them another pool or another"
            " execution mode first."
        )
    await session.delete(pool)
    await session.flush()
    events.publish(
        session,
        AgentPoolDeleted(
            actor_id=actor.id,
            organization_id=pool.organization_id,
            subject_id=pool.id,
            name=pool.name,
        ),
    )


async def forget_agent(session: AsyncSession, actor: Actor, agent: Agent) -> None:
    """Take an agent out of the list; one that still lives is back with its next word.

    Raises:
        ForbiddenError: `actor` may not manage agent pools.
    """
    pool = await get_pool(session, actor, agent.pool_id)
    await require(session, actor, Permission.MANAGE_AGENT_POOLS, pool.place)
    await session.delete(agent)
    await session.flush()
    events.publish(
        session,
        AgentForgotten(
            actor_id=actor.id,
            organization_id=pool.organization_id,
            subject_id=agent.id,
            pool_id=pool.id,
            name=agent.name,
        ),
    )


async def usable_pool(
    session: AsyncSession,
    pool_id: str,
    *,
    organization_id: str,
    project_id: str,
    workspace_id: str | None,
) -> AgentPool:
    """Return the pool, kept until the transaction ends, if the workspace may run there.

    Whoever may change a workspace may choose among these; of others it is not told that they are.

    Args:
        workspace_id: None for one that is not there yet.

    Raises:
        InvalidError: there is no such pool, or it is not for this workspace.
    """
    if not is_id(pool_id):
        raise _not_for_it(pool_id)
    query = select(AgentPool).where(AgentPool.id == pool_id)
    kept = query.with_for_update(read=True, key_share=True)
    pool = (await session.scalars(kept)).one_or_none()
    if pool is None or pool.organization_id != organization_id:
        raise _not_for_it(pool_id)
    places = (await places_of(session, [pool.id]))[pool.id]
    if not is_usable(pool, places, project_id=project_id, workspace_id=workspace_id):
        raise _not_for_it(pool_id)
    return pool


def is_usable(
    pool: AgentPool, places: Places, *, project_id: str, workspace_id: str | None
) -> bool:
    """Tell whether a workspace of the pool's organization may run there."""
    if workspace_id in places.excluded_workspaces:
        return False
    return (
        pool.organization_scoped
        or workspace_id in places.allowed_workspaces
        or project_id in places.allowed_projects
    )


async def _place(session: AsyncSession, pool: AgentPool, settings: PoolSettings) -> tuple[str, ...]:
    """Keep the places that are given in place of those there were; return which kinds changed."""
    present = (await places_of(session, [pool.id]))[pool.id]
    moved = []
    for name in ("allowed_workspaces", "allowed_projects", "excluded_workspaces"):
        wanted: Sequence[str] | None = getattr(settings, name)
        if wanted is None or set(wanted) == set(getattr(present, name)):
            continue
        ids = set(wanted)
        await _require_there(session, pool, name, ids)
        is_projects, is_excluded = name == "allowed_projects", name == "excluded_workspaces"
        kind = PoolPlace.project_id if is_projects else PoolPlace.workspace_id
        gone = delete(PoolPlace).where(
            PoolPlace.pool_id == pool.id, kind.is_not(None), PoolPlace.is_excluded == is_excluded
        )
        await session.execute(gone)
        session.add_all(
            PoolPlace(pool_id=pool.id, is_excluded=is_excluded, **{kind.key: each})
            for each in sorted(ids)
        )
        moved.append(name)
    await session.flush()
    return tuple(moved)


async def _require_there(session: AsyncSession, pool: AgentPool, name: str, ids: set[str]) -> None:
    if len(ids) > _MOST_PLACES:
        raise InvalidError(f"At most {_MOST_PLACES} can be named.", pointer=name)
    rows = _PROJECTS if name == "allowed_projects" else _WORKSPACES
    ours = select(rows.c.id).where(rows.c.organization_id == pool.organization_id)
    known = {each for each in ids if is_id(each)}
    missing = ids - set(await session.scalars(ours.where(rows.c.id.in_(known))))
    if missing:
        what = "project" if rows is _PROJECTS else "workspace"
        raise InvalidError(
            f"There is no {what} {min(missing)[:80]} in the pool's organization.", pointer=name
        )


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise InvalidError(
            "An agent pool's name has 1 to 90 letters, digits, dashes and underscores.",
            pointer="name",
        )
    return name


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The name {name} has already been taken.", pointer="name")


def _not_for_it(pool_id: str) -> InvalidError:
    return InvalidError(
        f"There is no agent pool {pool_id[:80]} that this workspace may use. Name a pool of its"
        " organization that is for all workspaces, or for this one or its project.",
        pointer="agent_pool_id",
    )
