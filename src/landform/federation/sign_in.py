"""To a provider and back, bound to the browser that set out.

What has to be remembered meanwhile is sealed in a cookie, so that strangers write nothing: who
comes back without it is not who set out. What a provider is asked and says, `code_flow` knows, and
`saml`.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import msgspec
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.federation import code_flow, saml_extra
from landform.federation.departure import Away, Departure, Reach, Return
from landform.federation.errors import NotVouchedForError
from landform.federation.events import ProviderSignInRefused, SignedInThrough
from landform.federation.kinds import Kind
from landform.federation.linking import link_to, user_for
from landform.federation.models import Identity, IdentityProvider, SpentState
from landform.federation.person import Person
from landform.federation.providers import CALLBACK
from landform.federation.queries import find_door, require_browser
from landform.federation.team_sync import place_in_teams
from landform.identity import throttle
from landform.identity.actor import SYSTEM, Actor
from landform.identity.models import User
from landform.identity.sessions import open_session
from landform.kit import clock, events
from landform.kit.crypto import Keyring, SealError
from landform.kit.db import transaction
from landform.kit.errors import LandformError

LIFE: Final = timedelta(minutes=10)
_PLACE: Final = "sign-in/departure"
_LONGEST: Final = 4096  # characters of a cookie
_QUOTED: Final = 200
_WORN: Final = (
    "This way back was not begun in this browser, was used already, or is older than ten minutes."
    " Sign in again."
)
_SAID_BEFORE: Final = "The provider has said this before, for another sign-in. Sign in again."


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


class _Way(Protocol):
    """A protocol by which a provider says who somebody is."""

    async def address_of(self, reach: Reach, row: IdentityProvider, away: Away) -> str: ...

    async def ask(
        self, reach: Reach, row: IdentityProvider, away: Away, back: Return
    ) -> Person: ...


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
    away = Away(
        provider_id=row.id,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=f"{base}{CALLBACK}/{row.id}",
        base=base,
        then=then[:1024],
        user_id=linking.id if linking is not None else "",
        until=(clock.now() + LIFE).timestamp(),
    )
    url = await _way(row).address_of(reach, row, away)
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
        person = await _way(row).ask(reach, row, away, back)
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


def _way(row: IdentityProvider) -> _Way:
    return saml_extra if row.kind is Kind.SAML else code_flow


def _open(keyring: Keyring, row: IdentityProvider, back: Return) -> Away:
    worn = NotVouchedForError(_WORN)
    if not back.cookie or len(back.cookie) > _LONGEST:
        raise worn
    try:
        sealed = base64.urlsafe_b64decode(back.cookie.encode())
        away = msgspec.json.decode(keyring.open(sealed, place=_PLACE), type=Away)
    except (ValueError, SealError, msgspec.MsgspecError):
        raise worn from None
    is_same = hmac.compare_digest(away.state.encode(), back.state.encode(errors="replace"))
    if not is_same or away.provider_id != row.id or away.until < clock.now().timestamp():
        raise worn
    return away


async def _admit(
    reach: Reach, row: IdentityProvider, away: Away, person: Person, visitor: Actor | None
) -> Arrival:
    async with transaction(reach.sessions) as session:
        provider = await find_door(session, row.id)
        await _spend(session, away.state, _WORN)
        if person.once:
            await _spend(session, f"{row.id}/{person.once}", _SAID_BEFORE)
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


async def _spend(session: AsyncSession, what: str, refusal: str) -> None:
    """Take what works once out of the world, for every browser and every server."""
    moment = clock.now()
    await session.execute(delete(SpentState).where(SpentState.expires_at < moment))
    spent = await session.execute(
        insert(SpentState)
        .values(
            state_hash=hashlib.sha256(what.encode()).digest(),
            expires_at=moment + LIFE + timedelta(minutes=1),
        )
        .on_conflict_do_nothing()
        .returning(SpentState.state_hash)
    )
    if spent.one_or_none() is None:
        raise NotVouchedForError(refusal)
