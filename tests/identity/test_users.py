import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import users
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import BrowserSession, User
from landform.identity.passwords import hash_password
from landform.identity.sessions import open_session
from landform.identity.users import actor_of
from landform.kit.db import Sessions, transaction
from landform.kit.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from landform.kit.events import EventRow
from landform.kit.pagination import Page
from tests.factories import make_user

PASSWORD = "correct horse"


async def test_a_site_admin_creates_users_and_the_log_says_so(session: AsyncSession) -> None:
    admin = actor_of(await make_user(session, is_site_admin=True))
    user = await users.create_user(session, admin, username="alice", email="a@example.com")
    event = (await session.scalars(select(EventRow).where(EventRow.subject_id == user.id))).one()
    assert (event.name, event.actor_id) == ("UserCreated", admin.id)
    assert event.payload == {"username": "alice", "is_site_admin": False}


async def test_only_a_site_admin_creates_users(session: AsyncSession) -> None:
    with pytest.raises(ForbiddenError):
        await users.create_user(session, actor_of(await make_user(session)), username="alice")


async def test_a_username_is_taken_in_whatever_case(session: AsyncSession) -> None:
    await users.create_user(session, SYSTEM, username="Alice")
    with pytest.raises(InvalidError, match="taken") as refused:
        await users.create_user(session, SYSTEM, username="aLICE")
    assert refused.value.pointer == "username"
    assert await users.by_username(session, "ALICE") is not None


@pytest.mark.parametrize("name", ["", "a", "-ab", "a b", "a" * 41, "a/b", "a\n", "ä-b", "a\0b"])
async def test_a_malformed_username_is_refused(session: AsyncSession, name: str) -> None:
    with pytest.raises(InvalidError) as refused:
        await users.create_user(session, SYSTEM, username=name)
    assert refused.value.pointer == "username"


async def test_signing_in_takes_the_right_password(session: AsyncSession) -> None:
    await make_user(session, "alice", password_hash=await hash_password(PASSWORD))
    user = await users.sign_in(session, "Alice", PASSWORD)
    assert user.username == "alice"


@pytest.mark.parametrize("case", ["wrong password", "unknown", "suspended", "no password", "NUL"])
async def test_every_failed_sign_in_says_the_same(session: AsyncSession, case: str) -> None:
    hashed = await hash_password(PASSWORD)
    await make_user(session, "alice", password_hash=hashed)
    await make_user(session, "bob", password_hash=hashed, is_suspended=True)
    await make_user(session, "carol")
    shown = {
        "wrong password": ("alice", "another one"),
        "unknown": ("nobody", PASSWORD),
        "suspended": ("bob", PASSWORD),
        "no password": ("carol", PASSWORD),
        "NUL": ("ali\0ce", PASSWORD),
    }
    with pytest.raises(UnauthenticatedError) as refused:
        await users.sign_in(session, *shown[case])
    assert str(refused.value) == "The username or the password is wrong."


async def test_a_new_password_ends_the_browser_sessions(session: AsyncSession) -> None:
    user = await make_user(session, "alice", password_hash=await hash_password(PASSWORD))
    user.must_change_password = True
    await open_session(session, user)
    await users.change_password(session, actor_of(user), old=PASSWORD, new="another horse")
    assert not user.must_change_password
    assert (await session.scalars(select(BrowserSession))).all() == []
    assert await users.sign_in(session, "alice", "another horse") is user


async def test_a_password_changes_only_for_who_knows_it(session: AsyncSession) -> None:
    user = await make_user(session, "alice", password_hash=await hash_password(PASSWORD))
    with pytest.raises(UnauthenticatedError):
        await users.change_password(session, actor_of(user), old="a guess", new="another horse")
    with pytest.raises(InvalidError, match="is the old one"):
        await users.change_password(session, actor_of(user), old=PASSWORD, new=PASSWORD)


async def test_a_token_is_not_enough_to_change_a_password(session: AsyncSession) -> None:
    user = await make_user(session, "alice", password_hash=await hash_password(PASSWORD))
    shown = Actor(kind=ActorKind.USER, id=user.id, token_id="at-1")
    with pytest.raises(ForbiddenError):
        await users.change_password(session, shown, old=PASSWORD, new="another horse")


async def test_a_site_admin_gives_a_password_that_must_be_changed(session: AsyncSession) -> None:
    user = await make_user(session, "alice")
    with pytest.raises(ForbiddenError):
        await users.set_password(session, actor_of(user), user, PASSWORD)
    await users.set_password(session, SYSTEM, user, PASSWORD)
    assert user.must_change_password
    assert await users.sign_in(session, "alice", PASSWORD) is user


async def test_suspending_ends_sessions_and_is_for_site_admins(session: AsyncSession) -> None:
    user, admin = await make_user(session), await make_user(session, is_site_admin=True)
    await open_session(session, user)
    with pytest.raises(ForbiddenError):
        await users.suspend(session, actor_of(user), admin)
    with pytest.raises(InvalidError):
        await users.suspend(session, actor_of(admin), admin)
    await users.suspend(session, actor_of(admin), user)
    assert user.is_suspended
    assert (await session.scalars(select(BrowserSession))).all() == []
    await users.reinstate(session, actor_of(admin), user)
    assert not user.is_suspended


async def test_users_see_themselves_and_site_admins_everyone(session: AsyncSession) -> None:
    alice, bob = await make_user(session), await make_user(session)
    admin = await make_user(session, is_site_admin=True)
    assert await users.get(session, actor_of(alice), alice.id) is alice
    assert await users.get(session, actor_of(admin), alice.id) is alice
    with pytest.raises(NotFoundError):
        await users.get(session, actor_of(bob), alice.id)
    with pytest.raises(ForbiddenError):
        await users.list_(session, actor_of(bob), Page())
    listed = await users.list_(session, actor_of(admin), Page(number=1, size=2))
    assert (len(listed.items), listed.total) == (2, 3)


async def test_the_first_admin_is_made_once_with_a_one_time_password(
    session: AsyncSession,
) -> None:
    password = await users.ensure_first_admin(session)
    assert password is not None
    admin = await users.sign_in(session, "admin", password)
    assert admin.is_site_admin
    assert admin.must_change_password
    assert await users.ensure_first_admin(session) is None


async def test_two_processes_that_start_at_once_make_one_admin(sessions: Sessions) -> None:
    async def start() -> str | None:
        async with transaction(sessions) as session:
            return await users.ensure_first_admin(session)

    passwords = await asyncio.gather(*(start() for _ in range(4)))
    assert sum(password is not None for password in passwords) == 1
    async with transaction(sessions) as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 1
