import pytest

from landform.identity.passwords import HASHER, NOBODY, hash_password, verify_password
from landform.kit.errors import InvalidError

GOOD = "correct horse"


@pytest.fixture(autouse=True)
def _quick_passwords() -> None:
    """Do all the work: it is what is looked at here."""


async def test_a_password_is_kept_as_argon2id_and_verifies() -> None:
    hashed = await hash_password(GOOD)
    assert hashed.startswith("$argon2id$")
    assert not HASHER.check_needs_rehash(hashed)
    assert GOOD not in hashed
    assert await verify_password(hashed, GOOD)
    assert not await verify_password(hashed, "correct hors")


async def test_nobodys_password_never_verifies_and_costs_the_same_work() -> None:
    assert not HASHER.check_needs_rehash(NOBODY)
    assert not await verify_password(None, GOOD)


async def test_a_hash_that_is_none_does_not_verify() -> None:
    assert not await verify_password("not a hash", GOOD)


@pytest.mark.parametrize("password", ["", "too short", "x" * 1025, "é" * 600])
async def test_a_password_has_a_sensible_length(password: str) -> None:
    with pytest.raises(InvalidError, match="at least 10 characters and at most 1024 bytes"):
        await hash_password(password)


async def test_a_password_past_the_limit_does_not_verify_by_its_beginning() -> None:
    hashed = await hash_password("x" * 1024)
    assert not await verify_password(hashed, "x" * 1025)
