"""OpenID Connect and GitHub: an authorization code with PKCE, traded for who its owner is.

OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9700, RFC 9207.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from landform.federation import github, id_tokens
from landform.federation.departure import Away, Reach, Return
from landform.federation.discovery import Directory, Metadata
from landform.federation.errors import NotVouchedForError, ProviderAwayError
from landform.federation.kinds import Kind
from landform.federation.models import IdentityProvider
from landform.federation.own_secrets import open_secret
from landform.federation.person import ABOUT_EMAIL, Person, read_person

_LONGEST: Final = 4096  # characters of a code
_QUOTED: Final = 200


@dataclass(frozen=True)
class _Registration:
    """A provider as it was when somebody came back, apart from any session."""

    row: IdentityProvider
    secret: str
    metadata: Metadata


async def address_of(reach: Reach, row: IdentityProvider, away: Away) -> str:
    """Return where a browser goes that sets out.

    Raises:
        ProviderAwayError: the provider does not answer.
        BlockedAddressError: the operator does not allow calling it.
    """
    metadata = await _metadata(reach, row)
    more = {} if row.kind is Kind.GITHUB else {"nonce": away.nonce, "response_mode": "query"}
    url: str = prepare_grant_uri(
        metadata.authorization_endpoint,
        client_id=row.client_id,
        response_type="code",
        redirect_uri=away.redirect_uri,
        scope=row.scopes,
        state=away.state,
        code_challenge=create_s256_code_challenge(away.verifier),
        code_challenge_method="S256",
        **more,
    )
    return url


async def ask(reach: Reach, row: IdentityProvider, away: Away, back: Return) -> Person:
    """Trade the code for what the provider says of its owner; no transaction is open.

    Raises:
        NotVouchedForError: what came back proves nothing.
        NotWelcomeError: it does not tell of all groups.
        ProviderAwayError: the provider does not answer.
        BlockedAddressError: the operator does not allow calling it.
    """
    if back.error or not back.code or len(back.code) > _LONGEST:
        said = " ".join((back.description or back.error)[:_QUOTED].split())
        why = f" It says: {said}" if said.isprintable() and said else ""
        raise NotVouchedForError(f"{row.name} did not let you in.{why}")
    metadata = await _metadata(reach, row)
    is_told = bool(back.issuer) or metadata.tells_issuer
    if is_told and row.kind is not Kind.GITHUB and back.issuer != row.issuer:
        raise NotVouchedForError("The answer comes from another provider than was asked.")
    registration = _Registration(row, open_secret(reach.keyring, row), metadata)
    token = await _exchange(reach.directory, registration, away, back.code)
    access_token = _text(token, "access_token")
    if row.kind is Kind.GITHUB:
        if not access_token:
            raise ProviderAwayError(f"{row.name} answered without a token.")
        claims: Mapping[str, Any] = await github.claims_of(
            reach.directory, row.issuer, access_token
        )
    else:
        claims = await _verified(reach.directory, registration, away, token)
    return read_person(
        claims, row.kind, groups_claim=row.groups_claim, trusts_email=row.trusts_email
    )


async def _exchange(
    directory: Directory, registration: _Registration, away: Away, code: str
) -> Mapping[str, Any]:
    row, secret = registration.row, registration.secret
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": away.redirect_uri,
        "code_verifier": away.verifier,
    }
    headers = {}
    if registration.metadata.takes_basic:
        pair = f"{quote(row.client_id, safe='')}:{quote(secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": row.client_id, "client_secret": secret}
    said = await directory.post(registration.metadata.token_endpoint, form, headers)
    if said.get("error"):
        words = str(said.get("error_description") or said["error"])[:_QUOTED]
        shown = " ".join(words.split())
        raise NotVouchedForError(
            f"{row.name} does not take the code."
            + (f" It says: {shown}" if shown.isprintable() else "")
        )
    return said


async def _verified(
    directory: Directory, registration: _Registration, away: Away, token: Mapping[str, Any]
) -> Mapping[str, Any]:
    row, metadata = registration.row, registration.metadata
    access_token = _text(token, "access_token")
    claims = await id_tokens.verify(
        directory,
        _text(token, "id_token"),
        jwks_uri=metadata.jwks_uri,
        issuer=row.issuer,
        client_id=row.client_id,
        nonce=away.nonce,
        access_token=access_token,
    )
    lacks = "email" not in claims or (
        row.groups_claim
        and row.groups_claim not in claims
        and row.groups_claim not in (claims.get("_claim_names") or ())
    )
    if not lacks or not metadata.userinfo_endpoint or not access_token:
        return claims
    more = await directory.get(metadata.userinfo_endpoint, bearer=access_token)
    if not isinstance(more, dict) or more.get("sub") != claims.get("sub"):
        raise NotVouchedForError("The provider's two answers are of two people.")
    if "email" in claims:  # a word about another address says nothing of this one
        more = {name: value for name, value in more.items() if name not in ABOUT_EMAIL}
    return {**more, **claims}


async def _metadata(reach: Reach, row: IdentityProvider) -> Metadata:
    if row.kind is Kind.GITHUB:
        return github.metadata(row.issuer)
    return await reach.directory.metadata(row.issuer)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""
