"""Landform as an issuer: its keys, and what it signs."""

from datetime import datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from landform.identity import issuer
from landform.kit import clock
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction

URL = "https://landform.example.com"


async def signed(sessions: Sessions, keyring: Keyring, life_s: float = 600) -> str:
    return await issuer.sign(
        sessions, keyring, issuer=URL, subject="somebody", audience="somewhere", life_s=life_s
    )


async def published(sessions: Sessions) -> KeySet:
    async with transaction(sessions) as session:
        return KeySet.import_key_set({"keys": await issuer.public_keys(session)})


async def read(sessions: Sessions, token: str) -> jwt.Token:
    return jwt.decode(token, await published(sessions), algorithms=["RS256"])


@pytest.fixture
def move_on(monkeypatch: pytest.MonkeyPatch) -> "MoveOn":
    return MoveOn(monkeypatch)


class MoveOn:
    """Moves the time that keys are judged by."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._by = timedelta()
        patch.setattr(issuer, "now", self._now)

    def __call__(self, **by: float) -> None:
        self._by += timedelta(**by)

    def _now(self) -> datetime:
        return clock.now() + self._by


async def test_what_is_signed_is_verified_by_the_published_keys_and_says_how_long_it_is_good(
    sessions: Sessions, keyring: Keyring
) -> None:
    token = await read(sessions, await signed(sessions, keyring, life_s=3600))
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (URL, "somebody", "somewhere")
    assert claims["exp"] - claims["iat"] == 3600
    assert "d" not in (await published(sessions)).as_dict()["keys"][0]


async def test_no_token_is_good_for_longer_than_a_day(sessions: Sessions, keyring: Keyring) -> None:
    claims = (await read(sessions, await signed(sessions, keyring, life_s=10**7))).claims
    assert claims["exp"] - claims["iat"] == 24 * 3600


async def test_a_new_key_is_published_for_a_day_before_it_signs(
    sessions: Sessions, keyring: Keyring, move_on: MoveOn
) -> None:
    old = (await read(sessions, await signed(sessions, keyring))).header["kid"]
    move_on(days=91)
    assert (await read(sessions, await signed(sessions, keyring))).header["kid"] == old
    kids = {key["kid"] for key in (await published(sessions)).as_dict()["keys"]}
    assert len(kids) == 2
    move_on(days=1, seconds=1)
    new = (await read(sessions, await signed(sessions, keyring))).header["kid"]
    assert {old, new} == kids


async def test_what_the_last_key_signed_is_good_until_the_next_but_one(
    sessions: Sessions, keyring: Keyring, move_on: MoveOn
) -> None:
    early = await signed(sessions, keyring)
    for _ in range(3):
        move_on(days=91)
        await signed(sessions, keyring)
        assert len((await published(sessions)).keys) == 2
    with pytest.raises(InvalidKeyIdError):
        await read(sessions, early)
