"""A person's way to the provider and back, and the trade of what they bring for a token.

Facts: terrakube_backend.md §2.3, vcs_providers.md §1.1. What makes it safe: a `state` that only
we can make, that works once, for minutes, and for the one who was sent. The address that the
documentation shows has none; it works only while nobody has signed in for that connection yet, a
short while after an administrator opened it, and in that browser where one is signed in.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit import clock, events
from landform.kit.crypto import Keyring
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.vcs import queries
from landform.vcs.connections import callback_url
from landform.vcs.credentials import keep_token, make_provider, setup_of
from landform.vcs.events import ConnectionOpened
from landform.vcs.kinds import INTERACTIVE
from landform.vcs.models import Authorization, Connection, ConnectionStatus
from landform.vcs.oauth import challenge_of, new_verifier, quoted
from landform.vcs.provider import Ask, Setup
from landform.vcs.reach import Reach
from landform.vcs.sealing import open_verifier, seal_verifier

LIFE: Final = timedelta(minutes=10)  # of a state
OPEN_FOR: Final = timedelta(minutes=15)  # that a connection takes an address without one
_CODE_LIMIT: Final = 8192  # characters
_MAC_BYTES: Final = 16
_PURPOSE: Final = "vcs-state"


@dataclass(frozen=True)
class Way:
    """Where to send a person.

    Attributes:
        url: with a `state` that works once.
        documented_url: as the documentation shows it, without.
        callback_url: what to register at the provider.
    """

    url: str
    documented_url: str
    callback_url: str


@dataclass(frozen=True, kw_only=True)
class Return:
    """What a person came back with; all of it is a stranger's.

    Attributes:
        name: of the connection, as the address has it.
        error: the provider's word for why there is no code.
    """

    name: str
    code: str = ""
    state: str = ""
    error: str = ""
    description: str = ""


async def begin(
    session: AsyncSession, reach: Reach, actor: Actor, row: Connection, *, base: str
) -> Way:
    """Return where to sign in at the provider, for `actor`.

    Raises:
        ForbiddenError: `actor` may not manage connections.
        ConflictError: this connection signs in by itself.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    if row.sign_in not in INTERACTIVE:
        raise ConflictError(
            f"The connection {row.name} signs in by itself ({row.sign_in}); test it instead."
        )
    row.callback_url = callback_url(base, row.callback or row.id)
    row.opened_by, row.opened_at = actor.id, clock.now()
    state, verifier = _new_state(reach.keyring, row.id), new_verifier()
    session.add(
        Authorization(
            state_hash=_hash(state),
            connection_id=row.id,
            actor_id=actor.id,
            sealed_verifier=seal_verifier(reach.keyring, row.id, verifier),
            expires_at=clock.now() + LIFE,
        )
    )
    await session.execute(delete(Authorization).where(Authorization.expires_at < clock.now()))
    events.publish(
        session,
        ConnectionOpened(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
        ),
    )
    provider = make_provider(reach, setup_of(reach, row))
    ask = Ask(state=state, challenge=challenge_of(verifier))
    return Way(provider.authorize_url(ask), provider.authorize_url(Ask()), row.callback_url)


async def finish(reach: Reach, visitor: Actor, back: Return) -> str:
    """Complete a connection with what came back; return where the browser goes, or nothing.

    Raises:
        NotFoundError: there is no such connection, or `visitor` may not know of it.
        ForbiddenError: `visitor` is not who was sent, or may not manage connections.
        InvalidError: the provider's answer is a denial, or `state` is not good (any more).
        ConflictError: without a `state`, the connection does not wait for anybody.
        ProviderRefusedError: the provider does not take code, secret or address.
        ProviderAwayError: the provider does not answer.
    """
    async with transaction(reach.sessions) as session:
        row, verifier = await _admit(session, reach, visitor, back)
        setup, version = setup_of(reach, row), row.token_version
    if back.error or not back.code:
        raise InvalidError(_denied(back))
    if len(back.code) > _CODE_LIMIT:
        raise InvalidError("The code is longer than any provider's.")
    token = await make_provider(reach, setup).exchange(back.code, verifier=verifier)
    async with transaction(reach.sessions) as session:
        row = await _unchanged(session, setup, version)
        await keep_token(session, reach, row, token, by=visitor)
        return row.redirect_url


async def _admit(
    session: AsyncSession, reach: Reach, visitor: Actor, back: Return
) -> tuple[Connection, str]:
    """Say whose return this may be; a `state` is used up whatever comes of it."""
    row = await queries.find_by_callback(session, back.name)
    if row is None or not await may(session, visitor, Permission.USE_VCS, row.place):
        raise NotFoundError(
            "There is no such VCS connection, or you may not know of it. Check the callback"
            " address that is registered at the provider, and who is signed in here."
        )
    await require(session, visitor, Permission.MANAGE_VCS, row.place)
    if back.state:
        return row, await _spend(session, reach, visitor, row, back.state)
    if row.status is not ConnectionStatus.PENDING:
        raise ConflictError(
            f"The connection {row.name} is not waiting for anybody to sign in. To sign in again,"
            " open its own link: `landform vcs connect`, or Connect on its page."
        )
    if row.opened_at is None or row.opened_at + OPEN_FOR < clock.now():
        raise ConflictError(
            f"The connection {row.name} was opened too long ago for an address without a"
            " `state`. Open it again: `landform vcs connect`, or Connect on its page."
        )
    return row, ""


async def _spend(
    session: AsyncSession, reach: Reach, visitor: Actor, row: Connection, state: str
) -> str:
    """Take a state out of the world; return its verifier."""
    worn = InvalidError(
        "This way back was used already, is older than ten minutes, or was never ours. Start"
        " again: `landform vcs connect`, or Connect on the connection's page."
    )
    if not _is_ours(reach.keyring, row.id, state):
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
    return open_verifier(reach.keyring, row.id, found.sealed_verifier)


async def _unchanged(session: AsyncSession, setup: Setup, version: int) -> Connection:
    row = await session.get(Connection, setup.connection_id, with_for_update=True)
    if row is None:
        raise NotFoundError("The connection was deleted meanwhile.")
    if row.token_version != version:
        raise ConflictError(
            f"The connection {row.name} was changed or connected by somebody else meanwhile."
        )
    return row


def _denied(back: Return) -> str:
    why = quoted(back.description or back.error)
    return "The provider did not grant access; nothing was connected. " + (
        f"It says: {why}" if why else "It came back without a code, as it does after a refusal."
    )


def _new_state(keyring: Keyring, connection_id: str) -> str:
    nonce = secrets.token_urlsafe(24)
    key = keyring.derive(_PURPOSE)[0]
    return f"{nonce}.{_mac(key, connection_id, nonce)}"


def _is_ours(keyring: Keyring, connection_id: str, state: str) -> bool:
    nonce, _, mac = state.rpartition(".")
    made = [_mac(key, connection_id, nonce) for key in keyring.derive(_PURPOSE)]
    return any(hmac.compare_digest(mac.encode(), each.encode()) for each in made)


def _mac(key: bytes, connection_id: str, nonce: str) -> str:
    message = f"{connection_id}\n{nonce}".encode()
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES].hex()


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
