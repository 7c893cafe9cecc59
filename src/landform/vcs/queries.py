"""Reads of connections, hooks and deliveries."""

from collections.abc import Collection, Sequence
from typing import Final, TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.vcs.kinds import INTERACTIVE, SignIn
from landform.vcs.models import (
    Connection,
    ConnectionStatus,
    DeliveryRow,
    Hook,
    KnownGroup,
    KnownPerson,
)

Known = TypeVar("Known", KnownPerson, KnownGroup)

# What a selection of connections can ask for.
_FIELDS: Final[Columns] = {
    "id": Connection.id,
    "name": Connection.name,
    "description": Connection.description,
    "client_id": Connection.client_id,
    "created_at": Connection.created_at,
}


async def get_connection(session: AsyncSession, actor: Actor, connection_id: str) -> Connection:
    """Return a connection.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(Connection, connection_id)
    if row is None or not await may(session, actor, Permission.USE_VCS, row.place):
        raise NotFoundError(f"There is no VCS connection {connection_id}.")
    return row


async def get_known(
    session: AsyncSession, actor: Actor, kind: type[Known], known_id: str, *, what: str
) -> tuple[Known, Connection]:
    """Return what an owner has said of a provider's people, and of which connection.

    Args:
        what: it is, for whoever asks for one that is not there.

    Raises:
        NotFoundError: there is none, or `actor` may not manage the connection.
    """
    row = await session.get(kind, known_id)
    connection = await session.get(Connection, row.connection_id) if row else None
    if (
        row is None
        or connection is None
        or not await may(session, actor, Permission.MANAGE_VCS, connection.place)
    ):
        raise NotFoundError(f"There is no {what} {known_id}.")
    return row, connection


async def get_connection_of(
    session: AsyncSession, actor: Actor, organization_id: str, connection_id: str
) -> Connection:
    """Return a connection that an address names below its organization.

    Raises:
        NotFoundError: that organization has none of this id, or `actor` may not know of it.
    """
    row = await get_connection(session, actor, connection_id)
    if row.organization_id != organization_id:
        raise NotFoundError(f"There is no VCS connection {connection_id} in that organization.")
    return row


async def list_connections(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    page: Page,
    selection: Selection = EVERYTHING,
) -> Paged[Connection]:
    """Return an organization's connections, by name unless `selection` orders them.

    Raises:
        MalformedError: the selection compares what cannot be compared.
        NotFoundError: there is no such organization, or `actor` may not know of it.
        ForbiddenError: `actor` may not see its connections.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.USE_VCS, place)
    wanted = select(Connection).where(Connection.organization_id == organization_id)
    order = (*ordering(selection, _FIELDS), func.lower(Connection.name), Connection.id)
    return await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)


async def by_ssh(session: AsyncSession, connection_ids: Collection[str]) -> dict[str, Connection]:
    """Return those of the connections that sign in by an SSH key, by id.

    Whoever asks may know of them.
    """
    query = select(Connection).where(
        Connection.id.in_(connection_ids), Connection.sign_in == SignIn.SSH_KEY
    )
    return {row.id: row for row in await session.scalars(query)}


async def list_usable(
    session: AsyncSession, actor: Actor, organization_id: str
) -> Sequence[Connection]:
    """Return the connections that somebody has signed in for, or that need nobody.

    Raises:
        NotFoundError: there is no such organization, or `actor` may not know of it.
        ForbiddenError: `actor` may not see its connections.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.USE_VCS, place)
    query = (
        select(Connection)
        .where(
            Connection.organization_id == organization_id,
            or_(
                Connection.sign_in.not_in(INTERACTIVE),
                Connection.status != ConnectionStatus.PENDING,
            ),
            or_(Connection.sign_in != SignIn.GITHUB_APP, Connection.client_id != ""),
        )
        .order_by(func.lower(Connection.name), Connection.id)
    )
    return (await session.scalars(query)).all()


async def find_by_callback(session: AsyncSession, name: str) -> Connection | None:
    """Return the connection a callback's address means: its own word for it, else its id.

    For the callback alone, which decides by other means who may go on.
    """
    query = select(Connection).where(Connection.callback == name)
    found = (await session.scalars(query)).one_or_none()
    return found or await session.get(Connection, name)


async def list_hooks(session: AsyncSession, actor: Actor, connection: Connection) -> Sequence[Hook]:
    """Return the hooks of a connection, by the name of their repository.

    Raises:
        ForbiddenError: `actor` may not manage connections.
    """
    await require(session, actor, Permission.MANAGE_VCS, connection.place)
    query = (
        select(Hook)
        .where(Hook.connection_id == connection.id)
        .order_by(Hook.repository_name, Hook.id)
    )
    return (await session.scalars(query)).all()


async def list_deliveries(
    session: AsyncSession, actor: Actor, connection: Connection, page: Page
) -> Paged[DeliveryRow]:
    """Return what arrived for a connection, newest first.

    Raises:
        ForbiddenError: `actor` may not manage connections.
    """
    await require(session, actor, Permission.MANAGE_VCS, connection.place)
    wanted = (
        select(DeliveryRow)
        .join(Hook, Hook.id == DeliveryRow.hook_id)
        .where(Hook.connection_id == connection.id)
    )
    return await fetch_page(
        session, wanted, page, DeliveryRow.received_at.desc(), DeliveryRow.id.desc()
    )


async def get_delivery(
    session: AsyncSession, actor: Actor, delivery_id: str
) -> tuple[DeliveryRow, Hook, Connection]:
    """Return a delivery with its hook and connection.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    query = (
        select(DeliveryRow, Hook, Connection)
        .join(Hook, Hook.id == DeliveryRow.hook_id)
        .join(Connection, Connection.id == Hook.connection_id)
        .where(DeliveryRow.id == delivery_id)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None or not await may(session, actor, Permission.MANAGE_VCS, found[2].place):
        raise NotFoundError(f"There is no delivery {delivery_id}.")
    return found[0], found[1], found[2]
