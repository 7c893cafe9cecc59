"""How often a password may be tried, and what is told of it."""

import asyncio
import math
import time

import pytest
from sqlalchemy import text

from landform.identity import sign_in, throttle
from landform.identity.passwords import hash_password
from landform.identity.throttle import ACCOUNT, ADDRESS
from landform.kit.db import Sessions, transaction
from landform.kit.errors import TooManyError, UnauthenticatedError
from tests.factories import make_user

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"
THERE = "192.0.2.2"


@pytest.fixture
async def user_id(sessions: Sessions) -> str:
    async with transaction(sessions) as session:
        user = await make_user(session, "alice", password_hash=await hash_password(PASSWORD))
        return user.id


async def count(sessions: Sessions, username: str = "alice", address: str = HERE) -> None:
    async with transaction(sessions) as session:
        await throttle.count(session, username=username, address=address)


async def later(sessions: Sessions, seconds: float) -> None:
    """Let all that was counted be so much longer ago."""
    async with transaction(sessions) as session:
        await session.execute(
            text(
                "UPDATE password_attempts SET wait_until = wait_until - make_interval(secs => :s),"
                " last_at = last_at - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


async def longest_wait_s(sessions: Sessions) -> float:
    """Return how long after its last attempt somebody has to wait."""
    async with transaction(sessions) as session:
        query = text("SELECT extract(epoch FROM max(wait_until - last_at)) FROM password_attempts")
        return float(await session.scalar(query) or 0)


async def fail(sessions: Sessions, address: str = HERE) -> None:
    with pytest.raises(UnauthenticatedError):
        await sign_in.sign_in(sessions, "alice", "wrong", address=address)


async def test_after_some_failures_an_account_waits_longer_each_time(sessions: Sessions) -> None:
    for _ in range(ACCOUNT.free):
        await count(sessions)
    for wait_s in (1, 2, 4, 8, 16, 32, 60, 60):
        await count(sessions)
        assert await longest_wait_s(sessions) == pytest.approx(wait_s, abs=0.5)
        await later(sessions, -60)  # however long it took to look at that
        with pytest.raises(TooManyError) as refused:
            await count(sessions, address=THERE)  # from wherever
        assert wait_s < refused.value.retry_after_s <= 60 + wait_s
        await later(sessions, 60 + wait_s)


async def test_the_right_password_waits_as_well_and_then_all_is_forgiven(
    sessions: Sessions, user_id: str
) -> None:
    for _ in range(ACCOUNT.free + 1):
        await fail(sessions)
    await later(sessions, -60)  # however long it took to look at those
    with pytest.raises(TooManyError):
        await sign_in.sign_in(sessions, "alice", PASSWORD, address=HERE)
    await later(sessions, 61)
    entry = await sign_in.sign_in(sessions, "Alice", PASSWORD, address=HERE)
    user, secret = entry.user, entry.secret
    assert (user.id, len(secret)) == (user_id, 43)
    for _ in range(ACCOUNT.free):
        await count(sessions)


async def test_of_attempts_at_once_no_more_get_through_than_of_attempts_in_a_row(
    sessions: Sessions,
) -> None:
    began = time.monotonic()
    done = await asyncio.gather(*(count(sessions) for _ in range(15)), return_exceptions=True)
    through = [isinstance(each, TooManyError) for each in done].count(False)
    over = int(math.log2(time.monotonic() - began + 1))  # waits that were over meanwhile: 1, 2, 4 s
    assert ACCOUNT.free + 1 <= through <= ACCOUNT.free + 1 + over


async def test_an_address_that_tries_many_accounts_waits_and_others_do_not(
    sessions: Sessions,
) -> None:
    for number in range(ADDRESS.free + 1):
        await count(sessions, f"user-{number}")
    await later(sessions, -60)
    with pytest.raises(TooManyError):
        await count(sessions, "somebody")
    await count(sessions, "somebody", THERE)


async def test_all_addresses_of_a_network_of_ipv6_are_one(sessions: Sessions) -> None:
    for number in range(ADDRESS.free + 1):
        await count(sessions, f"user-{number}", f"2001:db8::{number + 1:x}")
    await later(sessions, -60)
    with pytest.raises(TooManyError):
        await count(sessions, "somebody", "2001:db8::ffff:1")
    await count(sessions, "somebody", "2001:db8:0:1::1")


async def test_success_does_not_use_up_an_address(sessions: Sessions, user_id: str) -> None:
    for _ in range(3):
        await sign_in.sign_in(sessions, "alice", PASSWORD, address=HERE)
    async with transaction(sessions) as session:
        rows = await session.execute(text("SELECT failures FROM password_attempts"))
        assert [row.failures for row in rows] == [0]


async def test_what_was_counted_is_forgotten_after_a_quarter_of_an_hour(
    sessions: Sessions,
) -> None:
    for number in range(3):
        await count(sessions, f"user-{number}")
    await later(sessions, 16 * 60)
    await count(sessions, "somebody", THERE)
    async with transaction(sessions) as session:
        rows = await session.execute(text("SELECT count(*) FROM password_attempts"))
        assert rows.scalar_one() == 2


async def test_a_refused_password_is_told_without_what_was_typed(
    sessions: Sessions, user_id: str
) -> None:
    await fail(sessions)
    with pytest.raises(UnauthenticatedError):
        await sign_in.sign_in(sessions, "hunter2-as-a-name", "hunter2", address=THERE)
    async with transaction(sessions) as session:
        query = text("SELECT name, subject_id, payload::text AS payload FROM events ORDER BY id")
        rows = (await session.execute(query)).all()
    told = [(row.name, row.subject_id) for row in rows]
    assert told[-2:] == [("PasswordRefused", user_id), ("PasswordRefused", "")]
    assert "hunter2" not in str(rows)
