"""A person's way to the provider and back, and the trade of what they bring for a token.

Facts: terrakube_backend.md §2.3, vcs_providers.md §1.1. What makes it safe: a `state` that only
we can make, that works once, for minutes, and for the one who was sent. The address that the
documentation shows has none; it works only while nobody has signed in for that connection yet, a
short while after an administrator opened it, and in that browser where one is signed in.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit import clock, events
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.vcs import app_registration, authorizations, queries
from landform.vcs.connections import callback_url
from landform.vcs.credentials import keep_token, make_provider, setup_of, unchanged
from landform.vcs.events import ConnectionOpened
from landform.vcs.kinds import INTERACTIVE, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.oauth import challenge_of, new_verifier, quoted
from landform.vcs.provider import Ask
from landform.vcs.reach import Reach

OPEN_FOR: Final = timedelta(minutes=15)  # that a connection takes an address without one
_CODE_LIMIT: Final = 8192  # characters


@dataclass(frozen=True)
class Way:
    """Where to send a person.

    Attributes:
        url: with a `state` that works once.
        documented_url: as the documentation shows it, without; empty where there is no such.
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
        installation_id: of the app that they installed, instead of a code.
    """

    name: str
    code: str = ""
    state: str = ""
    error: str = ""
    description: str = ""
    installation_id: str = ""


async def begin(
    session: AsyncSession, reach: Reach, actor: Actor, row: Connection, *, base: str
) -> Way:
    """Return where to sign in at the provider, for `actor`.

    Raises:
        ForbiddenError: `actor` may not manage connections.
        ConflictError: this connection signs in by itself.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    if not row.sends_people:
        raise ConflictError(
            f"The connection {row.name} signs in by itself ({row.sign_in}); test it instead."
        )
    row.callback_url = callback_url(base, row.callback or row.id)
    row.opened_by, row.opened_at = actor.id, clock.now()
    events.publish(
        session,
        ConnectionOpened(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
        ),
    )
    if row.sign_in is SignIn.GITHUB_APP:
        url = await app_registration.send(session, reach, actor, row)
        return Way(url, "", row.callback_url)
    verifier = new_verifier()
    state = await authorizations.send(session, reach.keyring, actor, row, verifier=verifier)
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
    if len(back.code) > _CODE_LIMIT:
        raise InvalidError("The code is longer than any provider's.")
    async with transaction(reach.sessions) as session:
        row, verifier = await _admit(session, reach, visitor, back)
        setup, version = setup_of(reach, row), row.token_version
    if setup.sign_in is SignIn.GITHUB_APP:
        return await app_registration.receive(
            reach,
            visitor,
            setup,
            version,
            code=back.code,
            installation_id=back.installation_id,
        )
    if back.error or not back.code:
        raise InvalidError(_denied(back))
    token = await make_provider(reach, setup).exchange(back.code, verifier=verifier)
    async with transaction(reach.sessions) as session:
        row = await unchanged(session, setup, version)
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
        return row, await authorizations.spend(session, reach.keyring, visitor, row, back.state)
    if row.status is not ConnectionStatus.PENDING or row.sign_in not in INTERACTIVE:
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


def _denied(back: Return) -> str:
    why = quoted(back.description or back.error)
    return "The provider did not grant access; nothing was connected. " + (
        f"It says: {why}" if why else "It came back without a code, as it does after a refusal."
    )
