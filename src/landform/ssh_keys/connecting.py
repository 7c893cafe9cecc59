"""Connections made of a key: how a repository is reached for which a client names only the key.

Each follows its key: another private half or other pinned servers are the connection's at once.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.crypto import Keyring
from landform.kit.db import Base
from landform.kit.errors import ConflictError, InvalidError
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.queries import private_half
from landform.vcs import connections
from landform.vcs.events import ConnectionDeleted
from landform.vcs.git.public_hosts import PUBLIC_HOSTS
from landform.vcs.git.remotes import Target, parse
from landform.vcs.host_keys import read_host_keys
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.settings import ConnectionSettings

_USER: Final = "git"
_PORT: Final = 22
_NAME: Final = 128  # characters of a connection's


async def connection_to(
    session: AsyncSession, keyring: Keyring, actor: Actor, key: SshKey, url: str, *, base: str
) -> Connection:
    """Return the connection by which a key reaches a repository's server; made, if there is none.

    Args:
        url: of the repository, over SSH in either form.
        base: how this client reaches us.

    Raises:
        ForbiddenError: there is none yet, and `actor` may not manage connections.
        InvalidError: `url` is none of SSH, or the key is pinned to no such server.
        ConflictError: the organization has as many connections as it may.
    """
    target, username = _server(url)
    endpoint = f"ssh://{target.host}" + ("" if target.port == _PORT else f":{target.port}")
    query = select(Connection).where(
        Connection.ssh_key_id == key.id,
        Connection.endpoint == endpoint,
        Connection.username == username,
    )
    found = (await session.scalars(query.order_by(Connection.created_at).limit(1))).first()
    if found is not None:
        return found
    known_hosts = _pinned(key, target)
    if not known_hosts:
        raise InvalidError(
            f"The SSH key {key.name} pins no host key of {target.known_as}: ask the server for its"
            " keys on the key's page, or give them as knownHosts."
        )
    made = await connections.create_connection(
        session,
        keyring,
        actor,
        key.organization_id,
        ConnectionSettings(
            name=f"{key.name} at {target.known_as}"[:_NAME],
            endpoint=endpoint,
            username=username,
            private_key=private_half(keyring, key),
            known_hosts=known_hosts,
        ),
        kind=Kind.GIT,
        sign_in=SignIn.SSH_KEY,
        base=base,
    )
    made.ssh_key_id = key.id
    return made


async def follow(session: AsyncSession, keyring: Keyring, actor: Actor, key: SshKey) -> None:
    """Give the key's connections what it is now.

    Raises:
        ForbiddenError: `actor` may not manage connections.
    """
    for each in await _made_of(session, key):
        settings = ConnectionSettings(
            private_key=private_half(keyring, key), known_hosts=_pinned(key, parse(each.endpoint))
        )
        await connections.update_connection(session, keyring, actor, each, settings)


async def let_go(session: AsyncSession, actor: Actor, key: SshKey) -> None:
    """Delete the key's connections, as the key is about to be. Whoever asks may manage both.

    Raises:
        ConflictError: a workspace is planned from a repository that is reached by one.
    """
    # Of a package above, by name as foreign keys are.
    linked = Base.metadata.tables["workspace_repositories"]
    for each in await _made_of(session, key):
        if await session.scalar(select(exists().where(linked.c.connection_id == each.id))):
            raise ConflictError(
                f"Workspaces are planned from repositories that are reached by {each.name}, which"
                " is made of this key. Disconnect them first."
            )
        await session.delete(each)
        await session.flush()  # before the key's own deletion, which would take it along
        events.publish(
            session,
            ConnectionDeleted(
                actor_id=actor.id,
                organization_id=each.organization_id,
                subject_id=each.id,
                name=each.name,
            ),
        )


async def _made_of(session: AsyncSession, key: SshKey) -> Sequence[Connection]:
    query = select(Connection).where(Connection.ssh_key_id == key.id).order_by(Connection.id)
    return (await session.scalars(query)).all()


def _server(url: str) -> tuple[Target, str]:
    address = url.strip()
    target = parse(address)
    if target.scheme != "ssh":
        raise InvalidError(
            "By an SSH key only addresses of SSH are reached: git@HOST:PATH or ssh://HOST/PATH."
        )
    user = urlsplit(address).username if "://" in address else address.partition("@")[0]
    here = Target(target.scheme, target.host.lower(), target.port)
    return here, user if user and "@" in address else _USER


def _pinned(key: SshKey, target: Target) -> str:
    return "\n".join(_lines(key, target))


def _lines(key: SshKey, target: Target) -> Iterator[str]:
    for each in read_host_keys(PUBLIC_HOSTS + key.known_hosts):
        if each.host == target.known_as or each.host.startswith("|"):  # whose name is hashed
            yield each.line
