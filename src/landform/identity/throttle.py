"""How often a password may be tried: a few times at once, then slower and slower.

Counted per account and per address, in the database, so that it holds over every server and every
restart. An attempt counts before the password is looked at: of a hundred at once, no more get
through than of a hundred in a row.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Float, cast, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.models import PasswordAttempts
from landform.kit.addresses import network_of
from landform.kit.errors import TooManyError

_FORGOTTEN_AFTER: Final = timedelta(minutes=15)
_PRUNED_AT_ONCE: Final = 100


@dataclass(frozen=True)
class Patience:
    """What is allowed of one kind: so many at once, then a wait that doubles up to a limit."""

    free: int
    longest_s: float


# One statement, so that of attempts at once each waits for the one before it.
_COUNT: Final = text("""
    INSERT INTO password_attempts AS a (key, failures, last_at, wait_until)
    VALUES (:key, 1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE
            WHEN a.last_at < clock_timestamp() - :forgotten_after THEN 1
            ELSE a.failures + 1
        END,
        last_at = clock_timestamp(),
        wait_until = clock_timestamp() + make_interval(secs => CASE
            WHEN a.last_at < clock_timestamp() - :forgotten_after THEN 0
            WHEN a.failures < :free THEN 0
            ELSE least(:longest_s, power(2, least(a.failures - :free, 20)))
        END)
    WHERE a.wait_until <= clock_timestamp()
    RETURNING failures
""")

# An account waits no longer than a minute, so that nobody can lock its owner out.
ACCOUNT: Final = Patience(free=5, longest_s=60.0)
ADDRESS: Final = Patience(free=30, longest_s=900.0)


async def count(session: AsyncSession, *, username: str, address: str) -> None:
    """Count an attempt at the user's password from the address, which is about to be made.

    Raises:
        TooManyError: it must wait; nothing is counted.
    """
    await _count(session, (_of_address(address), ADDRESS), (_of_account(username), ACCOUNT))


async def count_address(session: AsyncSession, address: str) -> None:
    """Count an attempt by which no account is named yet; raise as `count`."""
    await _count(session, (_of_address(address), ADDRESS))


async def forgive_address(session: AsyncSession, address: str) -> None:
    """Take back what was counted of an address for an attempt that succeeded."""
    await session.execute(
        update(PasswordAttempts)
        .where(PasswordAttempts.key == _of_address(address))
        .values(failures=func.greatest(PasswordAttempts.failures - 1, 0))
    )


async def _count(session: AsyncSession, *counted: tuple[bytes, Patience]) -> None:
    for key, patience in counted:
        if not await _counted(session, key, patience):
            left = func.extract("epoch", PasswordAttempts.wait_until - func.clock_timestamp())
            query = select(cast(left, Float)).where(PasswordAttempts.key == key)
            raise TooManyError(
                "Too many failed attempts to sign in. Wait a little and try again.",
                retry_after_s=max(1.0, await session.scalar(query) or 0.0),
            )
    await _prune(session)


async def forgive(session: AsyncSession, *, username: str, address: str) -> None:
    """Take back what was counted for an attempt that succeeded, and all that its account failed."""
    await session.execute(
        update(PasswordAttempts)
        .where(PasswordAttempts.key == _of_address(address))
        .values(failures=func.greatest(PasswordAttempts.failures - 1, 0))
    )
    await session.execute(
        delete(PasswordAttempts).where(PasswordAttempts.key == _of_account(username))
    )


async def _counted(session: AsyncSession, key: bytes, patience: Patience) -> bool:
    values = {"key": key, "free": patience.free, "longest_s": patience.longest_s}
    values["forgotten_after"] = _FORGOTTEN_AFTER
    return (await session.execute(_COUNT, values)).one_or_none() is not None


async def _prune(session: AsyncSession) -> None:
    old = (
        select(PasswordAttempts.key)
        .where(PasswordAttempts.last_at < func.clock_timestamp() - _FORGOTTEN_AFTER)
        .limit(_PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(PasswordAttempts).where(PasswordAttempts.key.in_(old)))


def _of_account(username: str) -> bytes:
    # Hashed: what is typed as a name may be a password.
    return hashlib.sha256(b"account\n" + username.lower().encode(errors="surrogatepass")).digest()


def _of_address(address: str) -> bytes:
    network = network_of(address)
    return hashlib.sha256(b"address\n" + network.encode(errors="surrogatepass")).digest()
