"""API tokens: bearer credentials of users, teams, organizations and agent pools."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import column, func, or_, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import run_tokens
from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import LONGEST, PREFIXES, digest, new_secret
from landform.identity.events import TokenIssued, TokenRevoked
from landform.identity.models import ApiToken, User
from landform.kit import events
from landform.kit.clock import now
from landform.kit.db import if_writable
from landform.kit.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.text import check_text

_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_DESCRIPTION_LIMIT: Final = 255

# Of the packages above: a token's owner is named as their tables name it.
_TEAMS: Final = table("teams", column("id"), column("name"), column("organization_id"))
_ORGANIZATIONS: Final = table(
    "organizations", column("id"), column("name"), column("max_token_days")
)

_POOLS: Final = table("agent_pools", column("id"), column("name"), column("organization_id"))

_OWNER: Final = {
    ActorKind.USER: ApiToken.user_id,
    ActorKind.TEAM: ApiToken.team_id,
    ActorKind.ORGANIZATION: ApiToken.organization_id,
    ActorKind.AGENT_POOL: ApiToken.agent_pool_id,
}


def owner_of(token: ApiToken) -> str:
    """Return the id of the user, team, organization or pool that `token` speaks for."""
    owner = token.user_id or token.team_id or token.organization_id or token.agent_pool_id
    return owner or ""  # the table's check says that there is one


async def issue(
    session: AsyncSession,
    actor: Actor,
    *,
    owner_kind: ActorKind,
    owner_id: str,
    description: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token and return it with its secret, which cannot be had again.

    Users make tokens for themselves, site admins for any user. Those of teams and organizations
    are made by `landform.access.tokens`, which knows who may.

    Raises:
        ForbiddenError: it is not `actor`'s to make, or they must set a password first.
        NotFoundError: there is no such user.
        InvalidError: the description is too long or the expiry has passed.
    """
    if owner_kind is ActorKind.USER:
        _require_own(actor, owner_id)
        owner = await session.get(User, owner_id)
        if owner is None:
            raise NotFoundError(f"There is no user {owner_id}.")
        if owner.must_change_password and actor.id == owner.id and actor.token_id is None:
            raise ForbiddenError("Set a password of your own first, then make tokens.")
    elif actor.kind is not ActorKind.SYSTEM:
        raise ForbiddenError(f"A token of {owner_kind} {owner_id} is not yours to make.")
    return await mint(
        session,
        actor,
        owner_kind=owner_kind,
        owner_id=owner_id,
        description=description,
        expires_at=expires_at,
    )


async def mint(
    session: AsyncSession,
    actor: Actor,
    *,
    owner_kind: ActorKind,
    owner_id: str,
    description: str = "",
    expires_at: datetime | None = None,
    organization_id: str | None = None,
    federated_credential_id: str | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for a caller who has checked that `actor` may; else as `issue`.

    Args:
        organization_id: where the event is told; None for the whole site.
        federated_credential_id: by what a machine got it; the token goes with that.
    """
    if expires_at is not None and expires_at <= now():
        raise InvalidError("The expiry is in the past.", pointer="expired_at")
    check_text(description, what="The description", limit=_DESCRIPTION_LIMIT, pointer="description")
    secret = new_secret(PREFIXES[owner_kind])
    token = ApiToken(
        kind=owner_kind,
        description=description,
        expires_at=expires_at,
        token_hash=digest(secret),
        created_by=actor.id,
        federated_credential_id=federated_credential_id,
        **{_OWNER[owner_kind].key: owner_id},
    )
    session.add(token)
    await session.flush()
    events.publish(
        session,
        TokenIssued(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=token.id,
            owner_kind=owner_kind,
            owner_id=owner_id,
            description=description,
        ),
    )
    return token, secret


async def authenticate(session: AsyncSession, secret: str) -> Actor:
    """Return who shows `secret`, and note the use, to the minute.

    Raises:
        UnauthenticatedError: unknown or expired, older than its organization lets tokens be, its
            user is suspended, or it is an agent's, which opens nothing but the agents' protocol.
    """
    if run_tokens.is_run_token(secret):
        return await run_tokens.authenticate(session, secret)
    actor = await _authenticate(session, secret)
    if actor.kind is ActorKind.AGENT_POOL:
        raise UnauthenticatedError(
            "This is a token of an agent pool: it is for `landform agent`, and opens nothing else."
        )
    return actor


async def authenticate_agent(session: AsyncSession, secret: str) -> Actor:
    """Return the agent pool that `secret` is a token of; else as `authenticate`.

    Raises:
        UnauthenticatedError: it is not valid any more, or not an agent's.
    """
    if not secret.startswith(PREFIXES[ActorKind.AGENT_POOL]):
        raise UnauthenticatedError("This is for agents: show a token of an agent pool.")
    return await _authenticate(session, secret)


async def _authenticate(session: AsyncSession, secret: str) -> Actor:
    query = (
        select(
            ApiToken,
            User,
            _TEAMS,
            _POOLS.c.name.label("pool_name"),
            _POOLS.c.organization_id.label("pool_organization_id"),
            _ORGANIZATIONS.c.name.label("organization_name"),
            _ORGANIZATIONS.c.max_token_days,
        )
        .outerjoin(User, User.id == ApiToken.user_id)
        .outerjoin(_TEAMS, _TEAMS.c.id == ApiToken.team_id)
        .outerjoin(_POOLS, _POOLS.c.id == ApiToken.agent_pool_id)
        .outerjoin(
            _ORGANIZATIONS,
            _ORGANIZATIONS.c.id
            == func.coalesce(
                ApiToken.organization_id, _TEAMS.c.organization_id, _POOLS.c.organization_id
            ),
        )
        .where(ApiToken.token_hash == digest(secret[:LONGEST]))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise UnauthenticatedError("The token is not valid.")
    token: ApiToken = row[0]
    user: User | None = row[1]
    if token.expires_at is not None and token.expires_at <= now():
        raise UnauthenticatedError(
            f"The token expired on {token.expires_at:%Y-%m-%d at %H:%M} UTC; make a new one."
        )
    oldest = now() - timedelta(days=row.max_token_days) if row.max_token_days else None
    if oldest is not None and token.created_at <= oldest:
        raise UnauthenticatedError(
            f"The token is older than the {row.max_token_days} days that tokens of"
            f" {row.organization_name} live; make a new one."
        )
    if user is not None and user.is_suspended:
        raise UnauthenticatedError(f"The user {user.username} is suspended.")
    await _note_use(session, token)
    if user is not None:
        return Actor(
            kind=ActorKind.USER,
            id=user.id,
            name=user.username,
            is_site_admin=user.is_site_admin,
            token_id=token.id,
            token_made_at=token.created_at,
        )
    return Actor(
        kind=token.kind,
        id=owner_of(token),
        name=row.name or row.pool_name or row.organization_name or "",
        organization_id=(token.organization_id or row.organization_id or row.pool_organization_id),
        token_id=token.id,
    )


async def revoke(session: AsyncSession, actor: Actor, token: ApiToken) -> None:
    """Withdraw a user's token; it stops working at once.

    Raises:
        ForbiddenError: it is not `actor`'s.
    """
    if token.user_id is None:
        _require_system(actor)
    else:
        _require_own(actor, token.user_id)
    await drop(session, actor, token)


async def drop(
    session: AsyncSession, actor: Actor, token: ApiToken, *, organization_id: str | None = None
) -> None:
    """Withdraw a token for a caller who has checked that `actor` may."""
    await session.delete(token)
    await session.flush()
    events.publish(
        session,
        TokenRevoked(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=token.id,
            owner_kind=token.kind,
            owner_id=owner_of(token),
            description=token.description,
        ),
    )


async def get(session: AsyncSession, actor: Actor, token_id: str) -> ApiToken:
    """Return a user's token: one's own, or anyone's for a site admin.

    Raises:
        NotFoundError: no such token, or not for `actor` to see.
    """
    token = await session.get(ApiToken, token_id)
    if token is None or token.user_id is None or not _owns(actor, token.user_id):
        raise NotFoundError(f"There is no token {token_id}.")
    return token


async def list_(session: AsyncSession, actor: Actor, user_id: str, page: Page) -> Paged[ApiToken]:
    """Return a user's tokens, newest first.

    Raises:
        NotFoundError: the user is another, and `actor` no site admin.
    """
    if not _owns(actor, user_id):
        raise NotFoundError(f"There is no user {user_id}.")
    wanted = select(ApiToken).where(ApiToken.user_id == user_id)
    return await fetch_page(session, wanted, page, ApiToken.created_at.desc(), ApiToken.id)


async def _note_use(session: AsyncSession, token: ApiToken) -> None:
    """Write when the token was used, and from where, unless that is newly known.

    A row that another request is writing is skipped: it notes the same minute, and to wait for
    it would make all requests of a busy token stand in line behind the slowest.
    """
    before = now() - _USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > before:
        return
    stale = (
        select(ApiToken.id)
        .where(
            ApiToken.id == token.id,
            or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= before),
        )
        .with_for_update(skip_locked=True)
    )
    async with if_writable(session):
        await session.execute(
            update(ApiToken)
            .where(ApiToken.id.in_(stale))
            .values(last_used_at=now(), last_used_from=events.ORIGIN.get().address),
            execution_options={"synchronize_session": False},
        )
        await events.tell(session, owner_of(token), "identity")


def _owns(actor: Actor, user_id: str) -> bool:
    return (
        actor.kind is ActorKind.SYSTEM
        or actor.is_site_admin
        or (actor.kind is ActorKind.USER and actor.id == user_id)
    )


def _require_own(actor: Actor, user_id: str) -> None:
    if not _owns(actor, user_id):
        raise ForbiddenError("Tokens of another user are not yours to make or withdraw.")


def _require_system(actor: Actor) -> None:
    if actor.kind is not ActorKind.SYSTEM:
        raise ForbiddenError("This token is not yours to withdraw.")
