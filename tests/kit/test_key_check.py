"""The first start of several processes at once, with the same key and with two."""

import asyncio
import secrets

import pytest

from landform.kit.crypto import Keyring, MissingKeyError
from landform.kit.db import Sessions
from landform.kit.key_check import require_right_key


def _ring(key: bytes) -> Keyring:
    return Keyring(key)


async def test_processes_that_start_at_once_on_an_empty_database_all_start(
    sessions: Sessions,
) -> None:
    key = secrets.token_bytes(32)
    await asyncio.gather(*(require_right_key(sessions, _ring(key)) for _ in range(8)))


async def test_of_two_keys_at_a_first_start_at_once_one_is_refused(sessions: Sessions) -> None:
    rings = [_ring(secrets.token_bytes(32)) for _ in range(2)]
    ends = await asyncio.gather(
        *(require_right_key(sessions, ring) for ring in rings), return_exceptions=True
    )
    assert sorted(isinstance(end, MissingKeyError) for end in ends) == [False, True]


async def test_another_key_than_that_of_the_first_start_is_refused(sessions: Sessions) -> None:
    await require_right_key(sessions, _ring(secrets.token_bytes(32)))
    with pytest.raises(MissingKeyError, match="Put the right key back"):
        await require_right_key(sessions, _ring(secrets.token_bytes(32)))
