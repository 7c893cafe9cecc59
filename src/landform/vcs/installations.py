"""Connections that sign in as a GitHub App that is installed somewhere."""

from typing import Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, visible_organizations
from landform.identity.actor import Actor
from landform.kit.pagination import Page, Paged
from landform.organizations.models import Organization
from landform.vcs.models import Connection

_MOST: Final = 5000  # connections that are looked through


async def list_installed(
    session: AsyncSession, actor: Actor, page: Page, *, account: str = "", number: str = ""
) -> Paged[Connection]:
    """Return those that `actor` may connect workspaces through, in any organization, by account.

    Args:
        account: only where it is installed for this one, in whatever case.
        number: only that installation, as GitHub numbers it.
    """
    visible = await visible_organizations(session, actor)
    name, id_ = Connection.installation["account"].astext, Connection.installation["id"].astext
    wanted = _installed().join(Organization, Organization.id == Connection.organization_id)
    wanted = wanted.where(visible).order_by(func.lower(name), Connection.id).limit(_MOST)
    if account:
        wanted = wanted.where(func.lower(name) == account.lower())
    if number:
        wanted = wanted.where(id_ == number)
    allowed: dict[str, bool] = {}
    found = []
    for row in await session.scalars(wanted):
        if row.organization_id not in allowed:
            allowed[row.organization_id] = await may(session, actor, Permission.USE_VCS, row.place)
        if allowed[row.organization_id]:
            found.append(row)
    return Paged(items=found[page.offset :][: page.size], total=len(found))


async def find_installed(
    session: AsyncSession, actor: Actor, connection_id: str
) -> Connection | None:
    """Return the connection of this id if it is such and `actor` may use it."""
    row = (await session.scalars(_installed().where(Connection.id == connection_id))).one_or_none()
    if row is None or not await may(session, actor, Permission.USE_VCS, row.place):
        return None
    return row


def _installed() -> Select[Connection]:
    # None is kept as JSON's null, which is something to SQL.
    return select(Connection).where(Connection.installation["id"].astext.is_not(None))
