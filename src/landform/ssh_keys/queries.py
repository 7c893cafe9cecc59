"""Reads of SSH keys."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.ssh_keys.models import SshKey

# What a selection of keys can ask for.
_FIELDS: Final[Columns] = {
    "id": SshKey.id,
    "name": SshKey.name,
    "description": SshKey.description,
    "kind": SshKey.kind,
    "created_at": SshKey.created_at,
}


async def get_key(session: AsyncSession, actor: Actor, key_id: str) -> SshKey:
    """Return a key.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(SshKey, key_id)
    if row is None or not await may(session, actor, Permission.USE_VCS, row.place):
        raise NotFoundError(f"There is no SSH key {key_id}.")
    return row


async def get_key_of(
    session: AsyncSession, actor: Actor, organization_id: str, key_id: str
) -> SshKey:
    """Return a key that an address names below its organization.

    Raises:
        NotFoundError: that organization has none of this id, or `actor` may not know of it.
    """
    row = await get_key(session, actor, key_id)
    if row.organization_id != organization_id:
        raise NotFoundError(f"There is no SSH key {key_id} in that organization.")
    return row


async def list_keys(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    page: Page,
    selection: Selection = EVERYTHING,
) -> Paged[SshKey]:
    """Return an organization's keys, by name unless `selection` orders them.

    Raises:
        MalformedError: the selection compares what cannot be compared.
        NotFoundError: there is no such organization, or `actor` may not know of it.
        ForbiddenError: `actor` may not see its keys.
    """
    await require(session, actor, Permission.USE_VCS, Place(organization_id=organization_id))
    wanted = select(SshKey).where(SshKey.organization_id == organization_id)
    order = (*ordering(selection, _FIELDS), func.lower(SshKey.name), SshKey.id)
    return await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)


def private_half(keyring: Keyring, row: SshKey) -> str:
    """Decrypt the key itself: for a run that is about to use it, and nobody else."""
    return keyring.open(row.sealed_private_key, place=f"ssh-keys/{row.id}").decode()
