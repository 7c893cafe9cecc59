"""One way to a connection's token: fetched late, by one process at a time, kept encrypted.

A lease in the connection's row says who fetches; nobody holds a transaction while the provider is
asked. Whoever finds the lease taken waits for the new token. A refresh token that replaced another
is stored before the token it came with is used; if the fetcher dies in between, the lease runs out
and the next one tries with what is stored.
"""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM, Actor
from landform.kit import clock, events
from landform.kit.db import database_now, transaction
from landform.kit.errors import ConflictError, InvalidError, LandformError, NotFoundError
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError, SignInNeededError
from landform.vcs.events import ConnectionBroken, ConnectionEstablished
from landform.vcs.kinds import INTERACTIVE, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.provider import Setup, Token, VcsProvider
from landform.vcs.providers import KINDS
from landform.vcs.reach import Reach
from landform.vcs.sealing import open_secrets, open_token, seal_token

_MARGIN: Final = timedelta(minutes=5)  # a token with less life than this is not handed out
_LEASE: Final = timedelta(seconds=60)  # longer than a provider is waited for
_WAIT_S: Final = 90.0
_REST: Final = timedelta(seconds=30)  # before a wrong setting is tried again
_FRESH: Final = timedelta(seconds=60)  # a token refused within this is not the token's fault
_FIRST_LOOK_S: Final = 0.02
_LAST_LOOK_S: Final = 0.5

_NEW_ONE_NEEDED: Final = (
    "The provider does not take the token of this connection: it is mistyped, has ended or was"
    " withdrawn; make a new one and put it into the connection."
)
_KEY_REFUSED: Final = (
    "The server does not take the SSH key of this connection: add its public half there, for the"
    " connection's user, then test the connection."
)

STATIC: Final = frozenset({SignIn.TOKEN, SignIn.PASSWORD, SignIn.SSH_KEY})


@dataclass(frozen=True)
class _Seen:
    """A connection as one look at its row found it."""

    row: Connection
    setup: Setup
    token: Token | None
    at: datetime


async def open_provider(reach: Reach, connection_id: str) -> VcsProvider:
    """Return the provider of a connection; the caller has made sure that it may be used.

    Raises:
        NotFoundError: there is no such connection.
    """
    seen = await _look(reach, connection_id)
    return make_provider(reach, seen.setup)


def make_provider(reach: Reach, setup: Setup) -> VcsProvider:
    """Return a provider that gets its tokens here."""

    async def token(*, refused: str = "") -> Token:
        return await get_token(reach, setup.connection_id, refused=refused)

    return KINDS[setup.kind](setup, reach.services, token)


async def get_token(reach: Reach, connection_id: str, *, refused: str = "") -> Token:
    """Return a token that holds for minutes at least, fetching it when there is none.

    Args:
        refused: a token the provider did not take, so that it is replaced whatever its age.

    Raises:
        NotFoundError: there is no such connection.
        SignInNeededError: a person must sign in first, or again.
        ProviderRefusedError: a setting is wrong; the connection says which.
        ProviderAwayError: the provider does not answer.
    """
    deadline = asyncio.get_running_loop().time() + _WAIT_S
    pause_s = _FIRST_LOOK_S
    while True:
        seen = await _look(reach, connection_id)
        if seen.setup.sign_in in STATIC:
            return await _static(reach, seen, refused)
        if _holds(seen, refused):
            assert seen.token is not None  # noqa: S101 - for the type checker
            return seen.token
        if _waits_for_person(seen.row):
            raise SignInNeededError(reason_of(seen.row))
        if await _refused_while_fresh(reach, seen, refused):
            raise SignInNeededError(reason_of((await _look(reach, connection_id)).row))
        lease_id = await _claim(reach, seen.row)
        if lease_id is not None:
            return await _fetch(reach, seen, lease_id)
        if seen.row.status is ConnectionStatus.FAILED and seen.row.lease_id is None:
            raise ProviderRefusedError(reason_of(seen.row))
        if asyncio.get_running_loop().time() > deadline:
            raise ProviderAwayError("Another process has been fetching a token for too long.")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LAST_LOOK_S)


async def keep_token(
    session: AsyncSession, reach: Reach, row: Connection, token: Token, *, by: Actor = SYSTEM
) -> None:
    """Store a token in the caller's transaction; the connection works from now on."""
    row.sealed_token = seal_token(reach.keyring, row.id, token)
    row.token_expires_at = token.expires_at
    row.token_fetched_at = clock.now()
    row.token_version += 1
    row.lease_id = row.lease_until = None
    if row.status is not ConnectionStatus.CONNECTED:
        row.connected_at = clock.now()
        events.publish(
            session,
            ConnectionEstablished(
                actor_id=by.id,
                organization_id=row.organization_id,
                subject_id=row.id,
                name=row.name,
            ),
        )
    row.status, row.status_reason = ConnectionStatus.CONNECTED, ""


async def unchanged(session: AsyncSession, setup: Setup, version: int) -> Connection:
    """Return the connection, locked, if nobody gave it another token or app since.

    Raises:
        NotFoundError: it was deleted meanwhile.
        ConflictError: it was changed meanwhile.
    """
    row = await session.get(Connection, setup.connection_id, with_for_update=True)
    if row is None:
        raise NotFoundError("The connection was deleted meanwhile.")
    if row.token_version != version:
        raise ConflictError(
            f"The connection {row.name} was changed or connected by somebody else meanwhile."
        )
    return row


def reason_of(row: Connection) -> str:
    """Return in a sentence why the connection cannot be used."""
    if row.status_reason:
        return row.status_reason
    if row.lacks_app:
        return f"The app of the connection {row.name} is not registered yet: connect it first."
    return f"Nobody has signed in for the connection {row.name} yet: connect it first."


def setup_of(reach: Reach, row: Connection) -> Setup:
    """Return the row with its secrets in clear."""
    known = open_secrets(reach.keyring, row)
    known.pop("webhook_secret")  # no provider's business
    return Setup(
        connection_id=row.id,
        organization_id=row.organization_id,
        kind=row.kind,
        sign_in=row.sign_in,
        endpoint=row.endpoint,
        api_url=row.api_url,
        account=row.account,
        tenant=row.tenant,
        client_id=row.client_id,
        callback_url=row.callback_url,
        username=row.username,
        known_hosts=row.known_hosts,
        installation_id=str((row.installation or {}).get("id", "")),
        **known,
    )


async def _look(reach: Reach, connection_id: str) -> _Seen:
    async with transaction(reach.sessions) as session:
        row = await session.get(Connection, connection_id)
        if row is None:
            raise NotFoundError(f"There is no VCS connection {connection_id}.")
        at = await database_now(session)
        return _Seen(row, setup_of(reach, row), open_token(reach.keyring, row), at)


def _holds(seen: _Seen, refused: str) -> bool:
    token = seen.token
    if token is None or (refused and token.value == refused):
        return False
    return token.expires_at is None or token.expires_at - _MARGIN > clock.now()


def _waits_for_person(row: Connection) -> bool:
    """An unattended connection needs nobody for its first token, only for a lost one."""
    return row.waits_for_person or row.status is ConnectionStatus.NEEDS_RECONNECT


async def _static(reach: Reach, seen: _Seen, refused: str) -> Token:
    by_key = seen.setup.sign_in is SignIn.SSH_KEY
    value = seen.setup.private_key if by_key else seen.setup.client_secret
    if seen.row.status is ConnectionStatus.NEEDS_RECONNECT:
        raise SignInNeededError(reason_of(seen.row))
    if refused and value == refused:
        failure = SignInNeededError(_KEY_REFUSED if by_key else _NEW_ONE_NEEDED)
        await _break(reach, seen.row, ConnectionStatus.NEEDS_RECONNECT, failure, lease_id=None)
        raise failure
    return Token(value=value, expires_at=seen.row.secret_expires_at)


async def _refused_while_fresh(reach: Reach, seen: _Seen, refused: str) -> bool:
    """Note that a token which was just fetched is refused: another one would be too."""
    row = seen.row
    if not refused or seen.token is None or seen.token.value != refused:
        return False
    if row.token_fetched_at is None or row.token_fetched_at + _FRESH < clock.now():
        return False
    by_person = row.sign_in in INTERACTIVE
    failure = SignInNeededError(
        "The provider gives a token and then does not take it. "
        + (
            "Whoever connected may have lost access; or the organization does not allow"
            " third-party applications. Allow it, then connect again."
            if by_person
            else "Add this identity to the organization at the provider, then test the connection."
        )
    )
    status = ConnectionStatus.NEEDS_RECONNECT if by_person else ConnectionStatus.FAILED
    await _break(reach, row, status, failure, lease_id=None)
    return True


async def _claim(reach: Reach, row: Connection) -> str | None:
    """Take the lease unless somebody has it or the token has been replaced meanwhile."""
    lease_id = secrets.token_hex(8)
    moment = func.clock_timestamp()
    claim = (
        update(Connection)
        .where(
            Connection.id == row.id,
            Connection.token_version == row.token_version,
            Connection.status == row.status,
            or_(Connection.lease_until.is_(None), Connection.lease_until < moment),
        )
        .values(lease_id=lease_id, lease_until=moment + _LEASE)
        .returning(Connection.id)
    )
    async with transaction(reach.sessions) as session:
        found = await session.scalar(claim)
    return None if found is None else lease_id


async def _fetch(reach: Reach, seen: _Seen, lease_id: str) -> Token:
    """Ask the provider; the lease is ours, and ended in every case but our death."""
    row = seen.row
    refresh_token = seen.token.refresh_token if seen.token else ""
    provider = make_provider(reach, seen.setup)
    try:
        async with asyncio.timeout(_LEASE.total_seconds() * 0.9):
            token = await provider.renew(refresh_token)
    except SignInNeededError as failure:
        await _break(reach, row, ConnectionStatus.NEEDS_RECONNECT, failure, lease_id=lease_id)
        raise
    except (ProviderRefusedError, InvalidError, ConflictError) as failure:
        await _break(reach, row, ConnectionStatus.FAILED, failure, lease_id=lease_id)
        raise
    except TimeoutError:
        await _release(reach, row.id, lease_id)
        raise ProviderAwayError("The provider took too long to give a token.") from None
    except BaseException:
        await asyncio.shield(_release(reach, row.id, lease_id))
        raise
    # A cancelled caller must not lose a refresh token that replaced the one we have.
    return await asyncio.shield(_store(reach, seen, token))


async def _store(reach: Reach, seen: _Seen, token: Token) -> Token:
    """Store what was fetched, unless somebody stored a later one after our lease ran out."""
    async with transaction(reach.sessions) as session:
        query = select(Connection).where(Connection.id == seen.row.id).with_for_update()
        row = (await session.scalars(query)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no VCS connection {seen.row.id}.")
        if row.token_version != seen.row.token_version:
            return open_token(reach.keyring, row) or token
        await keep_token(session, reach, row, token)
    return token


async def _break(
    reach: Reach,
    seen: Connection,
    status: ConnectionStatus,
    failure: LandformError,
    *,
    lease_id: str | None,
) -> None:
    """Note why the connection cannot be used, unless it has changed since we looked."""
    async with transaction(reach.sessions) as session:
        query = select(Connection).where(Connection.id == seen.id).with_for_update()
        row = (await session.scalars(query)).one_or_none()
        if row is None or row.token_version != seen.token_version or row.lease_id != lease_id:
            return
        changed: dict[str, Any] = {"lease_id": None, "lease_until": None}
        if status is ConnectionStatus.FAILED:
            changed["lease_until"] = await database_now(session) + _REST
        news = (row.status, row.status_reason) != (status, str(failure))
        changed |= {"status": status, "status_reason": str(failure)}
        for name, value in changed.items():
            setattr(row, name, value)
        if news:
            events.publish(
                session,
                ConnectionBroken(
                    actor_id=SYSTEM.id,
                    organization_id=row.organization_id,
                    subject_id=row.id,
                    name=row.name,
                    status=status,
                    reason=str(failure),
                ),
            )


async def _release(reach: Reach, connection_id: str, lease_id: str) -> None:
    async with transaction(reach.sessions) as session:
        await session.execute(
            update(Connection)
            .where(Connection.id == connection_id, Connection.lease_id == lease_id)
            .values(lease_id=None, lease_until=None)
        )
