"""To a provider and back: authorization code with PKCE, bound to the browser that set out.

OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9700, RFC 9207. What has to be remembered meanwhile is
sealed in a cookie, so that strangers write nothing: who comes back without it is not who set out.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.federation import github, id_tokens
from landform.federation.discovery import Directory, Metadata
from landform.federation.errors import NotVouchedForError, ProviderAwayError
from landform.federation.events import ProviderSignInRefused, SignedInThrough
from landform.federation.kinds import Kind
from landform.federation.linking import link_to, user_for
from landform.federation.models import Identity, IdentityProvider, SpentState
from landform.federation.person import ABOUT_EMAIL, Person, read_person
from landform.federation.providers import CALLBACK, open_secret
from landform.federation.queries import find_door, require_browser
from landform.federation.team_sync import place_in_teams
from landform.identity import throttle
from landform.identity.actor import SYSTEM, Actor
from landform.identity.models import User
from landform.identity.sessions import open_session
from landform.kit import clock, events
from landform.kit.crypto import Keyring, SealError
from landform.kit.db import Sessions, transaction
from landform.kit.errors import LandformError

LIFE: Final = timedelta(minutes=10)
_PLACE: Final = "sign-in/departure"
_LONGEST: Final = 4096  # characters of a code, or of a cookie
_QUOTED: Final = 200
_WORN: Final = (
    "This way back was not begun in this browser, was used already, or is older than ten minutes."
    " Sign in again."
)


@dataclass(frozen=True)
class Reach:
    """What signing in through providers needs of a process."""

    sessions: Sessions
    keyring: Keyring
    directory: Directory


@dataclass(frozen=True)
class Departure:
    """Where a browser goes, and what it must bring back.

    Attributes:
        cookie: sealed; for this browser only.
    """

    url: str
    cookie: str


@dataclass(frozen=True, kw_only=True)
class Return:
    """What a browser came back with; all of it is a stranger's."""

    cookie: str = ""
    code: str = ""
    state: str = ""
    issuer: str = ""
    error: str = ""
    description: str = ""


@dataclass(frozen=True)
class Arrival:
    """Somebody who is in.

    Attributes:
        secret: of a new session; empty where an account was linked.
        then: where they were going.
    """

    secret: str
    then: str
    linked: str = ""


class _Away(msgspec.Struct):
    provider_id: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    then: str
    user_id: str
    until: float


@dataclass(frozen=True)
class _Registration:
    """A provider as it was when somebody came back, apart from any session."""

    row: IdentityProvider
    secret: str
    metadata: Metadata


async def begin(
    reach: Reach, provider_id: str, *, base: str, then: str, linking: Actor | None = None
) -> Departure:
    """Send somebody to a provider.

    Args:
        base: how this browser reaches us.
        then: where they were going; ours to check when they are back.
        linking: the signed-in user whose account there is to be linked.

    Raises:
        NotFoundError: nobody can sign in through it.
        ForbiddenError: `linking` is no user in a browser.
        ProviderAwayError: the provider does not answer.
        BlockedAddressError: the operator does not allow calling it.
    """
    if linking is not None:
        require_browser(linking)
    async with transaction(reach.sessions) as session:
        row = await find_door(session, provider_id)
    metadata = await _metadata(reach, row)
    away = _Away(
        provider_id=row.id,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=f"{base}{CALLBACK}/{row.id}",
        then=then[:1024],
        user_id=linking.id if linking is not None else "",
        until=(clock.now() + LIFE).timestamp(),
    )
    more = {} if row.kind is Kind.GITHUB else {"nonce": away.nonce, "response_mode": "query"}
    url = prepare_grant_uri(
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
    sealed = reach.keyring.seal(msgspec.json.encode(away), place=_PLACE)
    return Departure(url, base64.urlsafe_b64encode(sealed).decode())


async def finish(
    reach: Reach, provider_id: str, back: Return, *, visitor: Actor | None, address: str
) -> Arrival:
    """Let in who comes back, or link their account to the user who set out.

    Args:
        visitor: who is signed in in this browser.
        address: where the attempt comes from.

    Raises:
        NotFoundError: nobody can sign in through it any more.
        TooManyError: too many failed before it.
        NotVouchedForError: it proves nothing.
        NotWelcomeError: it is nobody who may come in.
        ConflictError: the account is linked to somebody else.
        ProviderAwayError: the provider does not answer.
        BlockedAddressError: the operator does not allow calling it.
    """
    async with transaction(reach.sessions) as session:
        await throttle.count_address(session, address)
        row = await find_door(session, provider_id)
    try:
        away = _open(reach.keyring, row, back)
        person = await _ask(reach, row, away, back)
        arrival = await _admit(reach, row, away, person, visitor)
    except LandformError as failure:
        async with transaction(reach.sessions) as session:
            events.publish(
                session,
                ProviderSignInRefused(
                    actor_id=SYSTEM.id,
                    organization_id=None,
                    subject_id=row.id,
                    reason=str(failure)[:_QUOTED],
                ),
            )
        raise
    async with transaction(reach.sessions) as session:
        await throttle.forgive_address(session, address)
    return arrival


def _open(keyring: Keyring, row: IdentityProvider, back: Return) -> _Away:
    worn = NotVouchedForError(_WORN)
    if not back.cookie or len(back.cookie) > _LONGEST or len(back.code) > _LONGEST:
        raise worn
    try:
        sealed = base64.urlsafe_b64decode(back.cookie.encode())
        away = msgspec.json.decode(keyring.open(sealed, place=_PLACE), type=_Away)
    except (ValueError, SealError, msgspec.MsgspecError):
        raise worn from None
    is_same = hmac.compare_digest(away.state.encode(), back.state.encode(errors="replace"))
    if not is_same or away.provider_id != row.id or away.until < clock.now().timestamp():
        raise worn
    if back.error or not back.code:
        said = " ".join((back.description or back.error)[:_QUOTED].split())
        why = f" It says: {said}" if said.isprintable() and said else ""
        raise NotVouchedForError(f"{row.name} did not let you in.{why}")
    return away


async def _ask(reach: Reach, row: IdentityProvider, away: _Away, back: Return) -> Person:
    """Trade the code for what the provider says of its owner; no transaction is open."""
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
    directory: Directory, registration: _Registration, away: _Away, code: str
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
    directory: Directory, registration: _Registration, away: _Away, token: Mapping[str, Any]
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


async def _admit(
    reach: Reach, row: IdentityProvider, away: _Away, person: Person, visitor: Actor | None
) -> Arrival:
    async with transaction(reach.sessions) as session:
        provider = await find_door(session, row.id)
        await _spend(session, away)
        if away.user_id:
            if visitor is None or visitor.id != away.user_id:
                raise NotVouchedForError("Somebody else set out to link an account here.")
            identity = await link_to(session, provider, person, visitor)
            user = await session.get_one(User, visitor.id)
            await place_in_teams(session, provider, user, person.groups)
            return Arrival("", away.then, linked=identity.id)
        identity, user = await user_for(session, provider, person)
        await place_in_teams(session, provider, user, person.groups)
        return Arrival(await _let_in(session, provider, identity, user), away.then)


async def _let_in(
    session: AsyncSession, provider: IdentityProvider, identity: Identity, user: User
) -> str:
    identity.signed_in_at = clock.now()
    events.publish(
        session,
        SignedInThrough(
            actor_id=user.id,
            organization_id=None,
            subject_id=user.id,
            provider_id=provider.id,
            identity_id=identity.id,
        ),
    )
    return await open_session(session, user)


async def _spend(session: AsyncSession, away: _Away) -> None:
    """Take a way back out of the world, for every browser and every server."""
    moment = clock.now()
    await session.execute(delete(SpentState).where(SpentState.expires_at < moment))
    spent = await session.execute(
        insert(SpentState)
        .values(
            state_hash=hashlib.sha256(away.state.encode()).digest(),
            expires_at=moment + LIFE + timedelta(minutes=1),
        )
        .on_conflict_do_nothing()
        .returning(SpentState.state_hash)
    )
    if spent.one_or_none() is None:
        raise NotVouchedForError(_WORN)


async def _metadata(reach: Reach, row: IdentityProvider) -> Metadata:
    if row.kind is Kind.GITHUB:
        return github.metadata(row.issuer)
    return await reach.directory.metadata(row.issuer)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""
