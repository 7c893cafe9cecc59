"""Codes of an authenticator: what sets them up, which are right, and that none works twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pyotp
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity import second_factor
from landform.identity.actor import Actor
from landform.identity.models import SecondFactor, User
from landform.identity.users import actor_of
from landform.kit.crypto import Keyring
from landform.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from landform.kit.events import EventRow
from tests.factories import make_user


class Clock:
    """The time that second factors go by."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, seconds: int) -> None:
        self.moment += timedelta(seconds=seconds)

    def code(self, secret: str, *, ago_s: int = 0) -> str:
        """What an authenticator shows."""
        return pyotp.TOTP(secret).at(self.moment - timedelta(seconds=ago_s))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(second_factor, "now", clock)
    return clock


@pytest.fixture
async def user(session: AsyncSession) -> User:
    return await make_user(session)


async def set_up(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> tuple[str, list[str]]:
    """Return the authenticator's secret and the recovery codes; the present code is used."""
    enrolment = await second_factor.begin(session, keyring, actor_of(user), "Landform")
    code = clock.code(enrolment.secret)
    codes = await second_factor.confirm(session, keyring, actor_of(user), code)
    return enrolment.secret, codes


async def test_nothing_is_asked_for_until_a_first_code_was_right(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> None:
    actor = actor_of(user)
    enrolment = await second_factor.begin(session, keyring, actor, "Landform")
    assert enrolment.picture.startswith("data:image/svg+xml")
    assert "<path" in unquote(enrolment.picture)
    assert not await second_factor.is_on(session, user.id)
    for wrong in ("", "000", "abcdef", clock.code(enrolment.secret, ago_s=120), "1" * 5000):
        with pytest.raises(InvalidError, match="not the code"):
            await second_factor.confirm(session, keyring, actor, wrong)
    again = await second_factor.begin(session, keyring, actor, "Landform")
    assert again.secret != enrolment.secret
    codes = await second_factor.confirm(session, keyring, actor, clock.code(again.secret))
    assert len(set(codes)) == 10
    assert await second_factor.is_on(session, user.id)
    with pytest.raises(ConflictError, match="Remove it"):
        await second_factor.begin(session, keyring, actor, "Landform")


async def test_the_secret_is_stored_encrypted_and_recovery_codes_as_digests(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> None:
    secret, codes = await set_up(session, keyring, user, clock)
    row = await session.get_one(SecondFactor, user.id)
    assert secret.encode() not in row.sealed_secret
    assert not {code.replace("-", "") for code in codes} & set(row.recovery_digests)
    told = [event.payload for event in await session.scalars(select(EventRow))]
    assert not any(each in str(told) for each in (secret, *codes))


async def test_codes_of_the_present_half_minute_and_those_beside_it_are_right(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> None:
    secret, _ = await set_up(session, keyring, user, clock)
    clock.wait(300)
    for ago_s in (60, -60):
        with pytest.raises(UnauthenticatedError):
            await second_factor.check(session, keyring, user.id, clock.code(secret, ago_s=ago_s))
    for ago_s in (30, 0, -30):
        code = clock.code(secret, ago_s=ago_s)
        await second_factor.check(session, keyring, user.id, f" {code[:3]} {code[3:]} ")


async def test_a_code_that_was_used_or_is_older_than_one_that_was_does_not_work(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> None:
    secret, _ = await set_up(session, keyring, user, clock)
    with pytest.raises(UnauthenticatedError):
        await second_factor.check(session, keyring, user.id, clock.code(secret))
    clock.wait(60)
    await second_factor.check(session, keyring, user.id, clock.code(secret))
    for ago_s in (0, 30):
        with pytest.raises(UnauthenticatedError, match="used already"):
            await second_factor.check(session, keyring, user.id, clock.code(secret, ago_s=ago_s))


async def test_each_recovery_code_works_once_and_is_told(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> None:
    _, codes = await set_up(session, keyring, user, clock)
    await second_factor.check(session, keyring, user.id, codes[3].upper())
    with pytest.raises(UnauthenticatedError):
        await second_factor.check(session, keyring, user.id, codes[3])
    await second_factor.check(session, keyring, user.id, codes[4].replace("-", ""))
    assert await second_factor.recovery_codes_left(session, actor_of(user)) == 8
    query = select(EventRow).where(EventRow.name == "RecoveryCodeUsed").order_by(EventRow.id)
    assert [each.payload["left"] for each in await session.scalars(query)] == [9, 8]


async def test_it_is_set_up_and_removed_by_its_user_in_a_browser_or_removed_by_a_site_admin(
    session: AsyncSession, keyring: Keyring, user: User, clock: Clock
) -> None:
    admin = actor_of(await make_user(session, "boss", is_site_admin=True))
    other = actor_of(await make_user(session))
    by_token = replace(actor_of(user), token_id="at-1")
    with pytest.raises(ForbiddenError):
        await second_factor.begin(session, keyring, by_token, "Landform")
    removers: tuple[Actor, ...] = (actor_of(user), admin, replace(admin, token_id="at-2"))
    for remover in removers:
        await set_up(session, keyring, user, clock)
        for refused in (by_token, other):
            with pytest.raises(ForbiddenError):
                await second_factor.remove(session, refused, user)
        await second_factor.remove(session, remover, user)
        await session.flush()
        assert not await second_factor.is_on(session, user.id)
        with pytest.raises(NotFoundError):
            await second_factor.remove(session, remover, user)
