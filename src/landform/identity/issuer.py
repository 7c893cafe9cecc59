"""Landform as an OpenID Connect issuer: others trust what we sign, and no secret is shared.

A cloud that trusts this issuer takes our word for who asks (workload identity federation). It
fetches our public keys itself, so the issuer's address must be one it can reach. RS256, as that is
the only algorithm that Microsoft Entra takes of an outside issuer.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.models import IssuerKey
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction

ALGORITHM: Final = "RS256"
LIFE_S: Final = 600
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
) -> str:
    """Return a token that says of its bearer that they are `subject`, for ten minutes.

    Args:
        issuer: our public address; what verifiers look for keys under.
        claims: more of them; the registered ones cannot be set here.
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
            "exp": moment + LIFE_S,
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
    """Return the newest key, making the first one when there is none."""
    async with transaction(sessions) as session:
        row = await _newest(session)
    if row is None:
        made = await asyncio.to_thread(RSAKey.generate_key, _BITS)
        async with transaction(sessions) as session:
            await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            row = await _newest(session) or _add(session, keyring, made)
    clear = keyring.open(row.sealed_key, place=f"issuer-keys/{row.id}")
    return row.id, RSAKey.import_key(msgspec.json.decode(clear))


async def _newest(session: AsyncSession) -> IssuerKey | None:
    query = select(IssuerKey).order_by(IssuerKey.created_at.desc()).limit(1)
    return (await session.scalars(query)).one_or_none()


def _add(session: AsyncSession, keyring: Keyring, key: RSAKey) -> IssuerKey:
    key_id = secrets.token_hex(8)
    private = msgspec.json.encode(key.as_dict(private=True))
    row = IssuerKey(
        id=key_id,
        sealed_key=keyring.seal(private, place=f"issuer-keys/{key_id}"),
        public_key=dict(key.as_dict(private=False)),
    )
    session.add(row)
    return row
