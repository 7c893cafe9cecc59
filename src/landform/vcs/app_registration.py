"""A GitHub App that an administrator registers and installs with a few clicks.

Facts: providers/github/apps.py.

They go to a page of ours whose form posts the manifest to GitHub, name the app there, and come back
with a code that is traded, once, for everything of the app; then to where it is installed, and come
back with the installation. On both ways goes a `state`, so that nobody else's app or installation
can be pressed on a connection; and what comes back as an installation counts only if GitHub says
that it is this app's.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.vcs import authorizations, queries
from landform.vcs.connections import CALLBACK, shown_installation
from landform.vcs.credentials import keep_token, setup_of, unchanged
from landform.vcs.events import ConnectionUpdated
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.provider import Setup
from landform.vcs.providers.github.apps import (
    Registered,
    convert,
    installation_url,
    manifest_of,
    registration_url,
)
from landform.vcs.providers.github.sign_in import GitHubSignIn
from landform.vcs.reach import Reach
from landform.vcs.sealing import seal_secrets

LIFE: Final = timedelta(hours=1)  # of a way, as of GitHub's codes: the app is named on it
_ID_DIGITS: Final = 18


@dataclass(frozen=True)
class Form:
    """What a browser posts to GitHub.

    Attributes:
        url: where to, with the state.
        manifest: JSON, for the field of this name.
    """

    connection: Connection
    url: str
    manifest: str


async def send(session: AsyncSession, reach: Reach, actor: Actor, row: Connection) -> str:
    """Return where `actor` goes next: to our form that registers the app, or to install it."""
    state = await authorizations.send(session, reach.keyring, actor, row, life=LIFE)
    if row.lacks_app:
        return f"{row.callback_url}/register?{urlencode({'state': state})}"
    return installation_url(row.app_url, state)


async def read_form(
    session: AsyncSession, reach: Reach, visitor: Actor, name: str, state: str
) -> Form:
    """Return what registers the app of a connection, for whoever was sent with `state`.

    Raises:
        NotFoundError: there is no such connection, or `visitor` may not know of it.
        ForbiddenError: `visitor` may not manage connections.
        InvalidError: the state is not good (any more).
        ConflictError: the connection has an app, or is of another kind.
    """
    row = await queries.find_by_callback(session, name)
    if row is None or not await may(session, visitor, Permission.USE_VCS, row.place):
        raise NotFoundError("There is no such VCS connection, or you may not know of it.")
    await require(session, visitor, Permission.MANAGE_VCS, row.place)
    if not row.lacks_app:
        raise ConflictError(f"The connection {row.name} has no app to register.")
    if not await authorizations.is_good(session, reach.keyring, visitor, row, state):
        raise InvalidError(
            "This link was used already, is older than an hour, or was made for somebody else."
            " Start again: `landform vcs connect`, or Connect on the connection's page."
        )
    setup = setup_of(reach, row)
    organization = await session.get_one(Organization, row.organization_id)
    home = row.callback_url.partition(CALLBACK)[0]
    manifest = manifest_of(setup, organization=organization.name, home=home)
    return Form(row, registration_url(setup, state), manifest)


async def receive(
    reach: Reach, visitor: Actor, setup: Setup, version: int, *, code: str, installation_id: str
) -> str:
    """Take what `visitor` brought, whose state is spent; return where the browser goes, or nothing.

    Args:
        version: the connection's `token_version` when `setup` was read.

    Raises:
        InvalidError: they brought neither an app nor an installation.
        ConflictError: the connection was changed meanwhile.
        ProviderRefusedError: GitHub does not take the code, or knows no such installation.
        ProviderAwayError: GitHub does not answer.
    """
    if installation_id and setup.client_id:
        return await _install(reach, visitor, setup, version, installation_id)
    if code and not setup.client_id:
        registered = await convert(reach.services.http, setup, code)
        return await _keep(reach, visitor, setup, version, registered)
    raise InvalidError(
        "GitHub sent you back without an installation. Where an owner has to approve it, test the"
        " connection once they did; else connect again."
        if setup.client_id
        else "GitHub sent you back without a code; no app was registered. Connect again."
    )


async def _keep(
    reach: Reach, visitor: Actor, setup: Setup, version: int, registered: Registered
) -> str:
    """Store an app, which GitHub gives out only once; return where to install it."""
    secrets = {
        "private_key": registered.private_key,
        "client_secret": registered.client_secret,
        "app_id": registered.app_id,
        "webhook_secret": registered.webhook_secret,
    }
    async with transaction(reach.sessions) as session:
        row = await unchanged(session, setup, version)
        row.client_id, row.app_url = registered.client_id, registered.url
        row.sealed_secrets = seal_secrets(reach.keyring, row.id, secrets)
        row.installation, row.capabilities = None, None
        row.status, row.status_reason = ConnectionStatus.PENDING, ""
        row.token_version += 1
        _tell(session, visitor, row, "app")
        return await send(session, reach, visitor, row)


async def _install(
    reach: Reach, visitor: Actor, setup: Setup, version: int, installation_id: str
) -> str:
    """Use an installation that GitHub says is the app's, and have its first token."""
    if not installation_id.isdecimal() or len(installation_id) > _ID_DIGITS:
        raise InvalidError("GitHub's installations are numbered; this is no number.")
    found = await GitHubSignIn(setup, reach.services).installation(installation_id)
    chosen = replace(setup, installation_id=str(found.id))
    token = await GitHubSignIn(chosen, reach.services).renew("")
    async with transaction(reach.sessions) as session:
        row = await unchanged(session, setup, version)
        row.installation, row.account = shown_installation(found), found.account
        row.capabilities = None
        await keep_token(session, reach, row, token, by=visitor)
        _tell(session, visitor, row, "installation")
        return row.redirect_url


def _tell(session: AsyncSession, visitor: Actor, row: Connection, what: str) -> None:
    events.publish(
        session,
        ConnectionUpdated(
            actor_id=visitor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            changed=(what,),
        ),
    )
