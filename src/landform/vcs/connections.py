"""Connections: made, changed, tested and removed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor, ActorKind
from landform.kit import clock, events
from landform.kit.crypto import Keyring
from landform.kit.db import transaction
from landform.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    LandformError,
    UnavailableError,
)
from landform.kit.ids import new_id
from landform.kit.unique import unique
from landform.vcs import queries, settings
from landform.vcs.credentials import STATIC, open_provider
from landform.vcs.events import ConnectionCreated, ConnectionDeleted, ConnectionUpdated
from landform.vcs.facts import Capabilities, Installation
from landform.vcs.host_keys import HostKey, scan
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus, Hook
from landform.vcs.private_keys import facts_of, new_private_key, read_private_key
from landform.vcs.reach import Reach
from landform.vcs.sealing import open_secrets, seal_secrets
from landform.vcs.settings import ConnectionSettings

PER_ORGANIZATION: Final = 200
CALLBACK: Final = "/callback/v1/vcs"
_UNIQUE: Final = "uq_vcs_connections_callback"
_APP_OF: Final = frozenset({"endpoint", "api_url", "client_id"})

log = structlog.get_logger()


async def create_connection(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    organization_id: str,
    new: ConnectionSettings,
    *,
    kind: Kind,
    sign_in: SignIn,
    base: str,
) -> Connection:
    """Make a connection; nobody has signed in yet.

    Args:
        base: how this client reaches us, for the callback's address.

    Raises:
        NotFoundError: there is no such organization, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage connections, or not by the machine's identity.
        InvalidError: a setting cannot be.
        ConflictError: the organization has as many as it may.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.MANAGE_VCS, place)
    _require_say_over_machine(actor, sign_in)
    found, secrets = settings.given(new)
    settings.check(kind, sign_in, found, secrets)
    secrets |= _ssh_key(sign_in, secrets)
    await _require_room(session, organization_id)
    connection_id = new_id("oc")
    found.setdefault("secret_expires_at", settings.check_lines(secrets))
    row = Connection(
        id=connection_id,
        organization_id=organization_id,
        kind=kind,
        sign_in=sign_in,
        sealed_secrets=seal_secrets(keyring, connection_id, secrets),
        callback_url=callback_url(base, found.get("callback") or connection_id),
        has_ssh_key=_has_ssh_key(sign_in, secrets),
        ssh_public_key=_public_half(sign_in, secrets),
        created_by=actor.id,
        opened_by=actor.id,
        opened_at=clock.now(),
        **found,
    )
    async with unique(session, _UNIQUE, _taken(row)):
        session.add(row)
    events.publish(
        session,
        ConnectionCreated(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=row.id,
            name=row.name,
            kind=kind,
            sign_in=sign_in,
        ),
    )
    return row


async def update_connection(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    row: Connection,
    change: ConnectionSettings,
) -> Connection:
    """Apply the settings that are given. A changed application or address needs a new sign-in.

    Raises:
        ForbiddenError: `actor` may not manage connections, or not by the machine's identity.
        InvalidError: a setting cannot be.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    await session.refresh(row, with_for_update=True)
    found, secrets = settings.given(change)
    changed = {name: value for name, value in found.items() if value != getattr(row, name)}
    if changed.keys() & {*settings.IDENTIFYING, "account"}:
        _require_say_over_machine(actor, row.sign_in)
    known = {
        name: getattr(row, name)
        for name in settings.ConnectionSettings.__annotations__
        if name not in secrets and hasattr(row, name)
    }
    before = open_secrets(keyring, row)
    after = before | {name: value for name, value in secrets.items() if value}
    if secrets.get("private_key"):  # read again, the same key is another text
        after |= _ssh_key(row.sign_in, after)
    if _APP_OF & changed.keys():
        after |= {"app_id": "", "webhook_secret": ""}  # of an app that this is no more
    settings.check(row.kind, row.sign_in, known | changed, after)
    if after != before:
        changed.setdefault("secret_expires_at", settings.check_lines(after))
    sealed = seal_secrets(keyring, row.id, after) if after != before else row.sealed_secrets
    async with unique(session, _UNIQUE, _taken(row)):
        for name, value in changed.items():
            setattr(row, name, value)
        if "callback" in changed:
            row.callback_url = callback_url(_base_of(row), row.callback or row.id)
        row.sealed_secrets = sealed
        row.has_ssh_key = _has_ssh_key(row.sign_in, after)
        row.ssh_public_key = _public_half(row.sign_in, after)
        _begin_again(row, changed, has_new_secret=after != before)
    names = (*changed, *(name for name in secrets if after[name] != before[name]))
    events.publish(
        session,
        ConnectionUpdated(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            changed=names,
        ),
    )
    return row


async def disconnect(session: AsyncSession, actor: Actor, row: Connection) -> None:
    """Forget the token; a person must sign in again, or the connection fetches another.

    Raises:
        ForbiddenError: `actor` may not manage connections.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    await session.refresh(row, with_for_update=True)
    _forget_token(row)
    events.publish(
        session,
        ConnectionUpdated(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            changed=("token",),
        ),
    )


async def delete_connection(reach: Reach, actor: Actor, connection_id: str) -> None:
    """Remove a connection, and its hooks at the provider as far as that can still be done.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage connections.
        ConflictError: workspaces use it.
    """
    async with transaction(reach.sessions) as session:
        row = await queries.get_connection(session, actor, connection_id)
        hooks = await queries.list_hooks(session, actor, row)
    for hook in hooks:
        await _unhook(reach, connection_id, hook)
    async with transaction(reach.sessions) as session:
        row = await queries.get_connection(session, actor, connection_id)
        await require(session, actor, Permission.MANAGE_VCS, row.place)
        await session.delete(row)
        await session.flush()
        events.publish(
            session,
            ConnectionDeleted(
                actor_id=actor.id,
                organization_id=row.organization_id,
                subject_id=row.id,
                name=row.name,
            ),
        )


async def test_connection(reach: Reach, actor: Actor, connection_id: str) -> Capabilities:
    """Ask the provider who we are there, and note what came of it.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage connections.
        SignInNeededError: a person must sign in.
        ProviderRefusedError: a setting is wrong.
        ProviderAwayError: the provider does not answer.
    """
    async with transaction(reach.sessions) as session:
        row = await queries.get_connection(session, actor, connection_id)
        await require(session, actor, Permission.MANAGE_VCS, row.place)
        if row.status is ConnectionStatus.FAILED:
            row.lease_until = None  # what was wrong may be mended: ask now, not in a while
        before = row.status
        if row.sign_in in STATIC:
            row.status = ConnectionStatus.PENDING
    try:
        provider = await open_provider(reach, connection_id)
        found = await provider.capabilities()
    except LandformError as failure:
        await _note_failure(reach, connection_id, failure, before)
        raise
    async with transaction(reach.sessions) as session:
        row = await session.get_one(Connection, connection_id, with_for_update=True)
        row.capabilities = shown_capabilities(found)
        if found.installation is not None:
            row.installation = shown_installation(found.installation)
        if row.sign_in in STATIC:
            row.status, row.status_reason = ConnectionStatus.CONNECTED, ""
            row.connected_at = row.connected_at or clock.now()
            row.secret_expires_at = found.ends_at or row.secret_expires_at
    return found


async def _note_failure(
    reach: Reach, connection_id: str, failure: LandformError, before: ConnectionStatus
) -> None:
    """Have a connection say why it does not work, where nothing else has noted it."""
    async with transaction(reach.sessions) as session:
        row = await session.get(Connection, connection_id, with_for_update=True)
        if row is None or row.status is not ConnectionStatus.PENDING:
            return
        if before is ConnectionStatus.CONNECTED and isinstance(failure, UnavailableError):
            row.status = before  # it worked, and may again: the provider is away
        else:
            row.status_reason = str(failure)


async def ask_host_keys(reach: Reach, actor: Actor, connection_id: str) -> Sequence[HostKey]:
    """Ask a git server which SSH keys it has; a person compares them, then has them pinned.

    Raises:
        NotFoundError: there is no such connection, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage connections.
        ConflictError: the connection is not by SSH.
        ProviderAwayError: nothing answers as an SSH server does.
    """
    async with transaction(reach.sessions) as session:
        row = await queries.get_connection(session, actor, connection_id)
        await require(session, actor, Permission.MANAGE_VCS, row.place)
    if row.sign_in is not SignIn.SSH_KEY:
        raise ConflictError(f"The connection {row.name} is not by SSH; there are no host keys.")
    return await scan(row.endpoint, allow=reach.services.http.allow)


def shown_capabilities(found: Capabilities) -> dict[str, Any]:
    """Return them as they are kept and shown."""
    known = {name: getattr(found, name) for name in ("listing", "hooks", "statuses", "comments")}
    known |= {} if found.checks is None else {"checks": found.checks}
    return {
        "identity": found.identity,
        **known,
        "lacking": dict(found.lacking),
        "asked-at": clock.rfc3339(clock.now()),
    }


def shown_installation(found: Installation) -> dict[str, Any]:
    """Return where an app is installed as it is kept and shown."""
    return {
        "id": found.id,
        "account": found.account,
        "type": found.account_type,
        "icon-url": found.icon_url,
        "url": found.url,
    }


def callback_url(base: str, name: str) -> str:
    """Return where a provider sends people back to."""
    return f"{base}{CALLBACK}/{name}"


def _require_say_over_machine(actor: Actor, sign_in: SignIn) -> None:
    """Refuse what would lend the machine's own identity to whoever manages one organization."""
    if sign_in is SignIn.MANAGED_IDENTITY and not (
        actor.is_site_admin or actor.kind is ActorKind.SYSTEM
    ):
        raise ForbiddenError(
            "The identity of Landform's machine is the same for every organization: only a site"
            " admin may say what is signed in to by it. Use a service principal of your own."
        )


def _has_ssh_key(sign_in: SignIn, secrets: Mapping[str, str]) -> bool:
    """Tell whether there is a private key that is not for signing in."""
    used = SignIn.SERVICE_PRINCIPAL_CERTIFICATE, SignIn.GITHUB_APP
    return bool(secrets.get("private_key")) and sign_in not in used


def _ssh_key(sign_in: SignIn, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the key that signs in by SSH as it is kept; a new one when none was given."""
    if sign_in is not SignIn.SSH_KEY:
        return {}
    given = secrets.get("private_key")
    return {"private_key": read_private_key(given) if given else new_private_key()}


def _public_half(sign_in: SignIn, secrets: Mapping[str, str]) -> str:
    return facts_of(secrets["private_key"]).public_key if sign_in is SignIn.SSH_KEY else ""


def _base_of(row: Connection) -> str:
    return row.callback_url.partition(CALLBACK)[0]


def _begin_again(row: Connection, changed: Mapping[str, Any], *, has_new_secret: bool) -> None:
    """Forget what no longer holds once settings have changed."""
    if _APP_OF & changed.keys():
        row.app_url = ""
    elsewhere = row.sign_in is SignIn.GITHUB_APP and "account" in changed
    if elsewhere or settings.IDENTIFYING & changed.keys():
        row.installation = None
        _forget_token(row)
    elif has_new_secret and row.status is not ConnectionStatus.PENDING:
        works_still = row.sealed_token is not None
        row.token_version += 1  # whoever is fetching with the old secret may not say it failed
        row.status = ConnectionStatus.CONNECTED if works_still else ConnectionStatus.PENDING
        row.status_reason = ""
    else:
        return
    row.lease_id = row.lease_until = None
    row.capabilities = None


def _forget_token(row: Connection) -> None:
    row.sealed_token = row.token_expires_at = row.token_fetched_at = None
    row.token_version += 1
    row.status, row.status_reason = ConnectionStatus.PENDING, ""
    row.lease_id = row.lease_until = None


async def _unhook(reach: Reach, connection_id: str, hook: Hook) -> None:
    try:
        provider = await open_provider(reach, connection_id)
        repository = await provider.repository(hook.repository_id)
        for url in {each["url"] for each in hook.remote if each.get("url")}:
            await provider.delete_hooks(repository, url=url)
    except LandformError as failure:
        log.warning("a hook stays at its provider", hook=hook.id, reason=str(failure))


async def _require_room(session: AsyncSession, organization_id: str) -> None:
    query = (
        select(func.count())
        .select_from(Connection)
        .where(Connection.organization_id == organization_id)
    )
    if (await session.scalar(query) or 0) >= PER_ORGANIZATION:
        raise ConflictError(f"An organization has at most {PER_ORGANIZATION} VCS connections.")


def _taken(row: Connection) -> InvalidError:
    return InvalidError(f"The callback {row.callback} is another connection's.", pointer="callback")
