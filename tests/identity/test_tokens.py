import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from landform.agents.models import AgentPool
from landform.identity import tokens
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import ApiToken
from landform.identity.users import actor_of
from landform.kit.clock import now
from landform.kit.db import Sessions, transaction
from landform.kit.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from landform.kit.events import ORIGIN, EventRow, Origin
from landform.kit.pagination import Page
from tests.factories import make_organization, make_team, make_user

USER = ActorKind.USER


async def test_a_token_has_256_random_bits_and_is_kept_as_a_hash(session: AsyncSession) -> None:
    user = await make_user(session)
    token, secret = await tokens.issue(
        session, actor_of(user), owner_kind=USER, owner_id=user.id, description="laptop"
    )
    _, another = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    assert re.fullmatch(r"lfu_[A-Za-z0-9]{43}", secret)
    assert secret != another
    await session.flush()
    stored = (
        await session.execute(text("SELECT to_jsonb(api_tokens)::text FROM api_tokens"))
    ).all()
    told = (await session.execute(text("SELECT to_jsonb(events)::text FROM events"))).all()
    assert secret not in repr(stored) + repr(told)
    assert len(token.token_hash) == 32


async def test_the_token_of_a_user_speaks_for_the_user(session: AsyncSession) -> None:
    user = await make_user(session, is_site_admin=True)
    token, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    assert await tokens.authenticate(session, secret) == Actor(
        kind=USER, id=user.id, name=user.username, is_site_admin=True, token_id=token.id
    )


async def test_tokens_of_teams_organizations_and_pools_are_bound_to_one_organization(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    team = await make_team(session, organization)
    pool = AgentPool(organization_id=organization.id, name="site")
    session.add(pool)
    await session.flush()
    expected = [
        (ActorKind.TEAM, team.id, team.name, "lft_", organization.id),
        (ActorKind.ORGANIZATION, organization.id, organization.name, "lfo_", organization.id),
        (ActorKind.AGENT_POOL, pool.id, "site", "lfa_", organization.id),
    ]
    for kind, owner_id, name, prefix, organization_id in expected:
        token, secret = await tokens.issue(session, SYSTEM, owner_kind=kind, owner_id=owner_id)
        assert secret.startswith(prefix)
        is_agent = kind is ActorKind.AGENT_POOL
        authenticate = tokens.authenticate_agent if is_agent else tokens.authenticate
        assert await authenticate(session, secret) == Actor(
            kind=kind,
            id=owner_id,
            name=name,
            organization_id=organization_id,
            token_id=token.id,
        )


async def test_the_token_of_an_agent_pool_opens_nothing_else_and_no_other_is_an_agents(
    session: AsyncSession,
) -> None:
    pool = AgentPool(organization_id=(await make_organization(session)).id, name="site")
    session.add(pool)
    await session.flush()
    _, secret = await tokens.issue(
        session, SYSTEM, owner_kind=ActorKind.AGENT_POOL, owner_id=pool.id
    )
    with pytest.raises(UnauthenticatedError, match="opens nothing else"):
        await tokens.authenticate(session, secret)
    user = await make_user(session)
    _, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    with pytest.raises(UnauthenticatedError, match="for agents"):
        await tokens.authenticate_agent(session, secret)


@pytest.mark.parametrize("secret", ["", "lfu_", "lfu_" + "x" * 43, "x" * 100_000, "\0", "é\udc80"])
async def test_an_unknown_secret_is_refused(session: AsyncSession, secret: str) -> None:
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await tokens.authenticate(session, secret)


async def test_an_expired_token_says_that_it_expired(session: AsyncSession) -> None:
    user = await make_user(session)
    token, secret = await tokens.issue(
        session,
        actor_of(user),
        owner_kind=USER,
        owner_id=user.id,
        expires_at=now() + timedelta(hours=1),
    )
    assert (await tokens.authenticate(session, secret)).id == user.id
    token.expires_at = now() - timedelta(seconds=1)
    with pytest.raises(UnauthenticatedError, match=r"expired on .* make a new one"):
        await tokens.authenticate(session, secret)


async def test_a_token_cannot_be_made_expired_or_with_a_novel_for_a_description(
    session: AsyncSession,
) -> None:
    user = await make_user(session)
    for wrong in ({"expires_at": now()}, {"description": "x" * 256}, {"description": "\0"}):
        with pytest.raises(InvalidError):
            await tokens.issue(
                session,
                actor_of(user),
                owner_kind=USER,
                owner_id=user.id,
                **wrong,
            )


async def test_a_suspended_user_s_token_does_not_work(session: AsyncSession) -> None:
    user = await make_user(session)
    _, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    user.is_suspended = True
    with pytest.raises(UnauthenticatedError, match="suspended"):
        await tokens.authenticate(session, secret)


async def test_a_revoked_token_does_not_work_and_the_log_says_who_revoked_it(
    session: AsyncSession,
) -> None:
    user = await make_user(session)
    token, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    await tokens.revoke(session, actor_of(user), token)
    with pytest.raises(UnauthenticatedError):
        await tokens.authenticate(session, secret)
    names = await session.scalars(
        select(EventRow.name).where(EventRow.subject_id == token.id).order_by(EventRow.id)
    )
    assert list(names) == ["TokenIssued", "TokenRevoked"]


async def test_users_make_see_and_revoke_their_own_tokens_only(session: AsyncSession) -> None:
    alice, bob = await make_user(session), await make_user(session)
    token, _ = await tokens.issue(session, actor_of(alice), owner_kind=USER, owner_id=alice.id)
    with pytest.raises(ForbiddenError):
        await tokens.issue(session, actor_of(bob), owner_kind=USER, owner_id=alice.id)
    with pytest.raises(ForbiddenError):
        await tokens.revoke(session, actor_of(bob), token)
    with pytest.raises(NotFoundError):
        await tokens.get(session, actor_of(bob), token.id)
    with pytest.raises(NotFoundError):
        await tokens.list_(session, actor_of(bob), alice.id, Page())
    assert await tokens.get(session, actor_of(alice), token.id) is token
    listed = await tokens.list_(session, actor_of(alice), alice.id, Page())
    assert [row.id for row in listed.items] == [token.id]


async def test_a_site_admin_manages_anyone_s_tokens(session: AsyncSession) -> None:
    alice, admin = await make_user(session), await make_user(session, is_site_admin=True)
    token, _ = await tokens.issue(session, actor_of(admin), owner_kind=USER, owner_id=alice.id)
    assert token.created_by == admin.id
    assert await tokens.get(session, actor_of(admin), token.id) is token
    await tokens.revoke(session, actor_of(admin), token)
    with pytest.raises(NotFoundError):
        await tokens.issue(session, SYSTEM, owner_kind=USER, owner_id="user-none")


@pytest.mark.parametrize("kind", [kind for kind in ActorKind if kind is not USER])
async def test_nobody_but_the_platform_makes_other_tokens_here(
    session: AsyncSession, kind: ActorKind
) -> None:
    admin = actor_of(await make_user(session, is_site_admin=True))
    with pytest.raises(ForbiddenError):
        await tokens.issue(session, admin, owner_kind=kind, owner_id="team-1")


async def test_a_team_or_organization_cannot_pass_for_a_user_of_the_same_id(
    session: AsyncSession,
) -> None:
    user = await make_user(session)
    for kind in (ActorKind.TEAM, ActorKind.ORGANIZATION, ActorKind.AGENT_POOL):
        with pytest.raises(ForbiddenError):
            await tokens.issue(
                session, Actor(kind=kind, id=user.id), owner_kind=USER, owner_id=user.id
            )


async def test_a_token_tells_from_where_it_was_last_used(session: AsyncSession) -> None:
    user = await make_user(session)
    token, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    here = ORIGIN.set(Origin(address="192.0.2.7"))
    try:
        await tokens.authenticate(session, secret)
    finally:
        ORIGIN.reset(here)
    await session.refresh(token)
    assert token.last_used_from == "192.0.2.7"


async def test_the_last_use_is_noted_once_a_minute(session: AsyncSession) -> None:
    user = await make_user(session)
    token, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)

    async def used() -> object:
        await tokens.authenticate(session, secret)
        await session.refresh(token)
        return token.last_used_at

    first = await used()
    assert first is not None
    assert await used() == first
    token.last_used_at = now() - timedelta(minutes=2)
    await session.flush()
    again = await used()
    assert again is not None
    assert again != token.created_at
    assert token.last_used_at is not None
    assert now() - token.last_used_at < timedelta(minutes=1)


async def test_a_request_does_not_wait_for_another_that_notes_the_same_use(
    sessions: Sessions,
) -> None:
    async with transaction(sessions) as session:
        user = await make_user(session)
        _, secret = await tokens.issue(session, actor_of(user), owner_kind=USER, owner_id=user.id)
    async with transaction(sessions) as slow:
        await tokens.authenticate(slow, secret)
        async with asyncio.timeout(60), transaction(sessions) as quick:
            await tokens.authenticate(quick, secret)
    async with transaction(sessions) as session:
        assert (await session.scalars(select(ApiToken.last_used_at))).one() is not None
