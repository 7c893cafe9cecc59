"""ID tokens: whose signature, for whom, since when, and to which of our questions.

OpenID Connect Core 1.0 §3.1.3.7. Algorithms are ours to choose, never the token's: no `none`, and
no HMAC, for which a published key would do as the secret.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError

from landform.federation.discovery import Directory, PublicKey
from landform.federation.errors import NotVouchedForError

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
)
_LEEWAY_S: Final = 60
_LONGEST: Final = 64 * 1024  # characters


async def verify(
    directory: Directory,
    token: str,
    *,
    jwks_uri: str,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
) -> Mapping[str, Any]:
    """Return the claims of an ID token that came straight from the token endpoint.

    Args:
        nonce: what was sent along with the question that this must be the answer to.

    Raises:
        NotVouchedForError: it is not good, or not for us, or not for this sign-in.
        ProviderAwayError: the provider's keys are not to be had.
    """
    header, key_id = _opened(token)
    keys = await directory.keys(jwks_uri, key_id)
    claims = CodeIDToken(
        _decode(token, keys),
        dict(header),
        options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
            "sub": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"client_id": client_id, "nonce": nonce, "access_token": access_token},
    )
    try:
        claims.validate(leeway=_LEEWAY_S)
    except (JoseError, ValueError, TypeError) as failure:
        wrong = getattr(failure, "claim", "") or getattr(failure, "error", "") or "a claim"
        raise NotVouchedForError(
            f"The ID token is not for this sign-in: {wrong} is missing, wrong or out of time."
        ) from None
    return dict(claims)


async def verify_workload(
    directory: Directory, token: str, *, issuer: str, audience: str
) -> Mapping[str, Any]:
    """Return the claims of a token that a machine shows, such as the job of a pipeline.

    Raises:
        NotVouchedForError: it is not good, not `issuer`'s, or not for us.
        ProviderAwayError: the issuer's keys are not to be had.
    """
    _, key_id = _opened(token)
    claims = _decode(token, await directory.keys_of(issuer, key_id))
    registry = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        sub={"essential": True},
        exp={"essential": True},
    )
    try:
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as failure:
        wrong = getattr(failure, "claim", "") or "a claim"
        raise NotVouchedForError(
            f"The token is not for here: {wrong} is missing, wrong or out of time."
        ) from None
    return claims


def _opened(token: str) -> tuple[Mapping[str, Any], str | None]:
    """Return the header of a token whose signature may be looked at, and the name of its key."""
    if len(token) > _LONGEST:
        raise NotVouchedForError("The ID token is longer than any provider's.")
    header = _header(token)
    if header.get("alg") not in ALGORITHMS:
        raise NotVouchedForError("The ID token is signed by no algorithm that can be relied on.")
    key_id = header.get("kid")
    return header, key_id if isinstance(key_id, str) else None


def _header(token: str) -> Mapping[str, Any]:
    try:
        return jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, UnicodeError):
        raise NotVouchedForError("The ID token is none.") from None


def _decode(token: str, keys: Sequence[PublicKey]) -> dict[str, Any]:
    for key in keys:
        try:
            return dict(jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):
            continue
    raise NotVouchedForError("The ID token's signature is not one of the provider's keys.")
