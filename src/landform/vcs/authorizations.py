"""The `state` that goes with a person to a provider and back.

Only we can make one; it is good for one connection, once, for a while, and for who was sent.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor
from landform.kit import clock
from landform.kit.crypto import Keyring
from landform.kit.errors import ForbiddenError, InvalidError
from landform.vcs.models import Authorization, Connection
from landform.vcs.sealing import open_verifier, seal_verifier

LIFE: Final = timedelta(minutes=10)
_MAC_BYTES: Final = 16
_PURPOSE: Final = "vcs-state"


async def send(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    row: Connection,
    *,
    verifier: str = "",
    life: timedelta = LIFE,
) -> str:
    """Return a `state` for `actor` to go with; what nobody came back with in time is forgotten.

    Args:
        verifier: of PKCE, given back by `spend`.
    """
    nonce = secrets.token_urlsafe(24)
    state = f"{nonce}.{_mac(keyring.derive(_PURPOSE)[0], row.id, nonce)}"
    session.add(
        Authorization(
            state_hash=_hash(state),
            connection_id=row.id,
            actor_id=actor.id,
            sealed_verifier=seal_verifier(keyring, row.id, verifier),
            expires_at=clock.now() + life,
        )
    )
    await session.execute(delete(Authorization).where(Authorization.expires_at < clock.now()))
    return state


async def is_good(
    session: AsyncSession, keyring: Keyring, visitor: Actor, row: Connection, state: str
) -> bool:
    """Tell whether `visitor` may go with this state, without spending it."""
    mine = (
        select(func.count())
        .select_from(Authorization)
        .where(
            Authorization.state_hash == _hash(state),
            Authorization.connection_id == row.id,
            Authorization.expires_at >= clock.now(),
            Authorization.actor_id.in_([visitor.id]) | ~Authorization.actor_id.startswith("user-"),
        )
    )
    return _is_ours(keyring, row.id, state) and bool(await session.scalar(mine))


async def spend(
    session: AsyncSession, keyring: Keyring, visitor: Actor, row: Connection, state: str
) -> str:
    """Take a state out of the world; return the verifier it was made with.

    Raises:
        InvalidError: it was used already, is too old, or never was ours.
        ForbiddenError: somebody else was sent with it.
    """
    worn = InvalidError(
        "This way back was used already, is too old, or was never ours. Start again:"
        " `landform vcs connect`, or Connect on the connection's page."
    )
    if not _is_ours(keyring, row.id, state):
        raise worn
    gone = (
        delete(Authorization)
        .where(Authorization.state_hash == _hash(state), Authorization.connection_id == row.id)
        .returning(Authorization.actor_id, Authorization.sealed_verifier, Authorization.expires_at)
    )
    found = (await session.execute(gone)).one_or_none()
    if found is None or found.expires_at < clock.now():
        raise worn
    # A token of a team or an organization has no browser: any administrator may come back for it.
    if found.actor_id.startswith("user-") and found.actor_id != visitor.id:
        raise ForbiddenError(
            "Somebody else set out to connect this. Sign in as them, or start again as yourself."
        )
    return open_verifier(keyring, row.id, found.sealed_verifier)


def _is_ours(keyring: Keyring, connection_id: str, state: str) -> bool:
    nonce, _, mac = state.rpartition(".")
    made = [_mac(key, connection_id, nonce) for key in keyring.derive(_PURPOSE)]
    return any(hmac.compare_digest(mac.encode(), each.encode()) for each in made)


def _mac(key: bytes, connection_id: str, nonce: str) -> str:
    message = f"{connection_id}\n{nonce}".encode()
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES].hex()


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
