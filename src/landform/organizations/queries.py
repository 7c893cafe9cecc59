"""Reads of organizations by those who know whom they read for.

Access is a floor above this one. What a surface may show an actor it gets from
`landform.workspaces.organizations`.
"""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.errors import NotFoundError
from landform.organizations.models import Organization


async def find(session: AsyncSession, name: str) -> Organization:
    """Return the organization of that name, in whatever case it is written.

    Raises:
        NotFoundError: there is none.
    """
    query = select(Organization).where(func.lower(Organization.name) == name.lower())
    row = None if "\0" in name else (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no organization called {name}.")
    return row
