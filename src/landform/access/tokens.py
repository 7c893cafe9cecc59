"""Tokens of teams, organizations and agent pools: credentials that no single user has."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.directory import get_team, visible_teams
from landform.access.models import Team
from landform.access.permissions import Permission, Place
from landform.access.service import may, permissions, require, visible_organizations
from landform.identity import tokens
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import ApiToken
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.organizations.models import Organization

_PER_TEAM: Final = 100
_PER_POOL: Final = 100
_ORGANIZATIONS: Final = 1000  # that are looked through for teams


async def issue_for_team(
    session: AsyncSession,
    actor: Actor,
    team: Team,
    *,
    description: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token that may do what the team may; return it and its secret.

    A team has one token without a description, which a new one replaces, and any number with
    descriptions of their own.

    Raises:
        ForbiddenError: `actor` may not manage teams, or not the owners team.
        ConflictError: another token of the team has the description.
        InvalidError: it would live longer than the organization has tokens live.
    """
    await require_for_team(session, actor, team)
    lasting = ApiToken.federated_credential_id.is_(None)
    present = await _of(session, (ApiToken.team_id == team.id) & lasting)
    same = [token for token in present if token.description == description]
    if same and description:
        raise ConflictError(f"Team {team.name} has a token described {description!r} already.")
    if len(present) - len(same) >= _PER_TEAM:
        raise ConflictError(f"Team {team.name} has {_PER_TEAM} tokens; withdraw one first.")
    expires_at = await _within_life(session, team.organization_id, expires_at)
    for token in same:
        await tokens.drop(session, actor, token, organization_id=team.organization_id)
    return await tokens.mint(
        session,
        actor,
        owner_kind=ActorKind.TEAM,
        owner_id=team.id,
        description=description,
        expires_at=expires_at,
        organization_id=team.organization_id,
    )


async def list_of_team(session: AsyncSession, actor: Actor, team: Team) -> Sequence[ApiToken]:
    """Return the team's tokens, newest first.

    Raises:
        ForbiddenError: `actor` may not manage teams, or not the owners team.
    """
    await require_for_team(session, actor, team)
    return await _of(session, ApiToken.team_id == team.id)


async def list_of_teams(
    session: AsyncSession, actor: Actor, *, limit: int
) -> Sequence[tuple[Team, ApiToken]]:
    """Return the tokens of all teams whose tokens `actor` may manage, newest first.

    Args:
        limit: the most that are returned.
    """
    organizations = select(Organization.id).where(await visible_organizations(session, actor))
    managed = []
    for organization_id in await session.scalars(organizations.limit(_ORGANIZATIONS)):
        held = await permissions(session, actor, Place(organization_id=organization_id))
        if Permission.MANAGE_TEAMS in held:
            teams = await visible_teams(session, actor, organization_id)
            managed.append(teams if Permission.MANAGE_OWNERS in held else teams & ~Team.is_owners)
    if not managed:
        return []
    query = (
        select(Team, ApiToken)
        .join(ApiToken, ApiToken.team_id == Team.id)
        .where(or_(*managed))
        .order_by(ApiToken.created_at.desc(), ApiToken.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]


async def issue_for_organization(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    *,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make the organization's token, in place of the one it had; return it and its secret.

    Raises:
        ForbiddenError: `actor` is not an owner.
        InvalidError: it would live longer than the organization has tokens live.
    """
    await _require_for_organization(session, actor, organization_id)
    expires_at = await _within_life(session, organization_id, expires_at)
    for token in await _of(session, ApiToken.organization_id == organization_id):
        await tokens.drop(session, actor, token, organization_id=organization_id)
    return await tokens.mint(
        session,
        actor,
        owner_kind=ActorKind.ORGANIZATION,
        owner_id=organization_id,
        expires_at=expires_at,
        organization_id=organization_id,
    )


async def of_organization(
    session: AsyncSession, actor: Actor, organization_id: str
) -> ApiToken | None:
    """Return the organization's token, if it has one.

    Raises:
        ForbiddenError: `actor` is not an owner.
    """
    await _require_for_organization(session, actor, organization_id)
    return next(iter(await _of(session, ApiToken.organization_id == organization_id)), None)


async def issue_for_pool(
    session: AsyncSession,
    actor: Actor,
    pool_id: str,
    *,
    description: str,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token with which agents join the pool; return it and its secret.

    Raises:
        NotFoundError: there is no such pool, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage agent pools.
        ConflictError: the pool has very many tokens.
        InvalidError: it says not what it is for, or would live longer than the organization has
            tokens live.
    """
    organization_id = await require_for_pool(session, actor, pool_id)
    if not description.strip():
        raise InvalidError("Say what the token is for.", pointer="description")
    if len(await _of(session, ApiToken.agent_pool_id == pool_id)) >= _PER_POOL:
        raise ConflictError(f"The pool has {_PER_POOL} tokens; withdraw one first.")
    return await tokens.mint(
        session,
        actor,
        owner_kind=ActorKind.AGENT_POOL,
        owner_id=pool_id,
        description=description,
        expires_at=await _within_life(session, organization_id, expires_at),
        organization_id=organization_id,
    )


async def list_of_pool(session: AsyncSession, actor: Actor, pool_id: str) -> Sequence[ApiToken]:
    """Return the pool's tokens, newest first.

    Raises:
        NotFoundError: there is no such pool, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage agent pools.
    """
    await require_for_pool(session, actor, pool_id)
    return await _of(session, ApiToken.agent_pool_id == pool_id)


async def get(session: AsyncSession, actor: Actor, token_id: str) -> ApiToken:
    """Return any token that `actor` may manage, whoever's it is.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may know of its owner, but not manage its tokens.
    """
    missing = NotFoundError(f"There is no token {token_id}.")
    token = await session.get(ApiToken, token_id)
    if token is None:
        raise missing
    try:
        if token.team_id is not None:
            await require_for_team(session, actor, await session.get_one(Team, token.team_id))
        elif token.organization_id is not None:
            await _require_for_organization(session, actor, token.organization_id)
        elif token.agent_pool_id is not None:
            await require_for_pool(session, actor, token.agent_pool_id)
        else:
            await tokens.get(session, actor, token_id)
    except NotFoundError:
        raise missing from None  # else the failure would name the owner, and so tell of the token
    return token


async def revoke(session: AsyncSession, actor: Actor, token_id: str) -> None:
    """Withdraw any token that `actor` may manage; it stops working at once.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may know of its owner, but not manage its tokens.
    """
    token = await get(session, actor, token_id)
    organization_id = token.organization_id
    if token.team_id is not None:
        organization_id = (await session.get_one(Team, token.team_id)).organization_id
    elif token.agent_pool_id is not None:
        organization_id = await require_for_pool(session, actor, token.agent_pool_id)
    await tokens.drop(session, actor, token, organization_id=organization_id)


async def require_for_team(session: AsyncSession, actor: Actor, team: Team) -> None:
    """Ask for more when the team is the owners': a token of theirs may do everything."""
    await get_team(session, actor, team.id)
    needed = Permission.MANAGE_OWNERS if team.is_owners else Permission.MANAGE_TEAMS
    await require(session, actor, needed, Place(organization_id=team.organization_id))


async def require_for_pool(session: AsyncSession, actor: Actor, pool_id: str) -> str:
    """Let who may manage the pool pass; return the id of its organization.

    Raises:
        NotFoundError: there is no such pool, or `actor` may not know of it.
        ForbiddenError: `actor` may see the pool, but not manage agent pools.
    """
    pools = Base.metadata.tables["agent_pools"]  # of a package above, as foreign keys name it
    organization_id = await session.scalar(
        select(pools.c.organization_id).where(pools.c.id == pool_id)
    )
    place = Place(organization_id=organization_id or "")
    if organization_id is None or not await may(session, actor, Permission.USE_AGENT_POOLS, place):
        raise NotFoundError(f"There is no agent pool {pool_id}.")
    await require(session, actor, Permission.MANAGE_AGENT_POOLS, place)
    return str(organization_id)


async def _require_for_organization(
    session: AsyncSession, actor: Actor, organization_id: str
) -> None:
    await require(
        session,
        actor,
        Permission.MANAGE_ORGANIZATION_TOKEN,
        Place(organization_id=organization_id),
    )


async def _of(session: AsyncSession, owner: ColumnElement[bool]) -> Sequence[ApiToken]:
    query = select(ApiToken).where(owner).order_by(ApiToken.created_at.desc(), ApiToken.id)
    return (await session.scalars(query)).all()


async def _within_life(
    session: AsyncSession, organization_id: str, expires_at: datetime | None
) -> datetime | None:
    """Return when a new token ends: as asked, or when its organization has tokens end.

    Raises:
        InvalidError: it was asked to live longer.
    """
    organization = await session.get_one(Organization, organization_id)
    if organization.max_token_days is None:
        return expires_at
    last = now() + timedelta(days=organization.max_token_days)
    if expires_at is not None and expires_at > last:
        raise InvalidError(
            f"Tokens of {organization.name} live at most {organization.max_token_days} days.",
            pointer="expired_at",
        )
    return expires_at or last
