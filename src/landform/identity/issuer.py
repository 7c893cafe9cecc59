"""Landform as an OpenID Connect issuer: others trust what we sign, and no secret is shared.

A cloud that trusts this issuer takes our word for who asks (workload identity federation). It
fetches our public keys itself, so the issuer's address must be one it can reach. RS256, as that is
the only algorithm that Microsoft Entra takes of an outside issuer.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.models import IssuerKey
from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction

ALGORITHM: Final = "RS256"
LIFE_S: Final = 600
LONGEST_S: Final = 24 * 3600
NEW_AFTER: Final = timedelta(days=90)
KNOWN_AHEAD: Final = timedelta(days=1)
_BITS: Final = 2048
_ONE_AT_A_TIME: Final = 0x49535355  # an advisory lock's number: who makes the first key


async def sign(
    sessions: Sessions,
    keyring: Keyring,
    *,
    issuer: str,
    subject: str,
    audience: str,
    claims: Mapping[str, Any] | None = None,
    life_s: float = LIFE_S,
) -> str:
    """Return a token that says of its bearer that they are `subject`.

    Args:
        issuer: our public address; what verifiers look for keys under.
        claims: more of them; the registered ones cannot be set here.
        life_s: seconds that it is good for; LONGEST_S at most.
    """
    key_id, key = await _current(sessions, keyring)
    moment = int(time.time())
    return jwt.encode(
        {"alg": ALGORITHM, "typ": "JWT", "kid": key_id},
        {
            **(claims or {}),
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": moment,
            "nbf": moment - 60,
            "exp": moment + int(min(life_s, LONGEST_S)),
            "jti": secrets.token_urlsafe(16),
        },
        key,
        algorithms=[ALGORITHM],
    )


async def public_keys(session: AsyncSession) -> list[dict[str, Any]]:
    """Return the keys that tokens may be signed with, as JSON Web Keys."""
    rows = await session.scalars(select(IssuerKey).order_by(IssuerKey.created_at))
    return [{**row.public_key, "kid": row.id, "use": "sig", "alg": ALGORITHM} for row in rows]


def configuration(issuer: str) -> dict[str, Any]:
    """Return what `/.well-known/openid-configuration` says (OpenID Connect Discovery 1.0)."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"],
        "scopes_supported": ["openid"],
    }


async def _current(sessions: Sessions, keyring: Keyring) -> tuple[str, RSAKey]:
    """Return the key to sign with, making the first one, or the next, when it is time.

    A key is published for a day before it signs, as verifiers remember the keys they fetched, and
    stays published for as long as what it signed is good.
    """
    async with transaction(sessions) as session:
        keys = await _newest_first(session)
    if _is_due(keys):
        made = await asyncio.to_thread(RSAKey.generate_key, _BITS)
        async with transaction(sessions) as session:
            await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            keys = await _newest_first(session)
            if _is_due(keys):
                keys = [_add(session, keyring, made), *keys]
                await _forget(session, keys)
                await session.flush()
    row = next((key for key in keys if key.created_at < now() - KNOWN_AHEAD), keys[-1])
    clear = keyring.open(row.sealed_key, place=f"issuer-keys/{row.id}")
    return row.id, RSAKey.import_key(msgspec.json.decode(clear))


def _is_due(keys: Sequence[IssuerKey]) -> bool:
    return not keys or keys[0].created_at < now() - NEW_AFTER


async def _forget(session: AsyncSession, keys: Sequence[IssuerKey]) -> None:
    """Remove what no longer signs, and what it signed is over: all but the two newest."""
    for key in keys[2:]:
        await session.delete(key)


async def _newest_first(session: AsyncSession) -> list[IssuerKey]:
    rows = await session.scalars(select(IssuerKey).order_by(IssuerKey.created_at.desc()))
    return list(rows)


def _add(session: AsyncSession, keyring: Keyring, key: RSAKey) -> IssuerKey:
    key_id = secrets.token_hex(8)
    private = msgspec.json.encode(key.as_dict(private=True))
    row = IssuerKey(
        id=key_id,
        sealed_key=keyring.seal(private, place=f"issuer-keys/{key_id}"),
        public_key=dict(key.as_dict(private=False)),
        created_at=now(),
    )
    session.add(row)
    return row
