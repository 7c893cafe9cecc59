"""Directories: made and removed by site admins, and known by their token."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.directories.events import DirectoryCreated, DirectoryDeleted
from landform.directories.models import Directory
from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import LONGEST, digest, new_secret
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.text import check_text
from landform.organizations.models import Organization

PREFIX: Final = "lfd_"
_MOST: Final = 200
_NAME_LIMIT: Final = 90
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Source:
    """A directory that asks, and the actor that it is: whatever it may do, is done in its name."""

    directory: Directory
    actor: Actor


async def create_directory(
    session: AsyncSession, actor: Actor, *, name: str, organization: str = ""
) -> tuple[Directory, str]:
    """Let a directory push people here; return it with its token, which cannot be had again.

    Args:
        organization: name of the one that it is for; empty: the site.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: the name is none, or there is no such organization.
        ConflictError: there are as many as there may be.
    """
    _require_site_admin(actor)
    check_text(name, what="The name", limit=_NAME_LIMIT, pointer="name")
    if not name.strip():
        raise InvalidError("A directory needs a name.", pointer="name")
    found = None
    if organization:
        wanted = func.lower(Organization.name) == organization.lower()
        found = await session.scalar(select(Organization).where(wanted))
        if found is None:
            raise InvalidError("There is no such organization.", pointer="organization")
    if (await session.scalar(select(func.count()).select_from(Directory)) or 0) >= _MOST:
        raise ConflictError(f"There are at most {_MOST} directories.")
    secret = new_secret(PREFIX)
    row = Directory(
        name=name.strip(),
        organization_id=found.id if found else None,
        token_hash=digest(secret),
        created_by=actor.id,
    )
    session.add(row)
    await session.flush()
    events.publish(
        session,
        DirectoryCreated(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
        ),
    )
    return row, secret


async def list_directories(session: AsyncSession, actor: Actor, page: Page) -> Paged[Directory]:
    """Return the directories by name, for a site admin.

    Raises:
        ForbiddenError: `actor` is none.
    """
    _require_site_admin(actor)
    return await fetch_page(session, select(Directory), page, func.lower(Directory.name))


async def delete_directory(session: AsyncSession, actor: Actor, directory_id: str) -> None:
    """Remove a directory; the people it pushed stay as they are.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        NotFoundError: there is no such directory.
    """
    _require_site_admin(actor)
    row = await session.get(Directory, directory_id)
    if row is None:
        raise NotFoundError(f"There is no directory {directory_id}.")
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        DirectoryDeleted(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
        ),
    )


async def authenticate(session: AsyncSession, secret: str) -> Source:
    """Return whose token this is, and note the use, to the minute.

    Raises:
        UnauthenticatedError: nobody's.
    """
    query = select(Directory).where(Directory.token_hash == digest(secret[:LONGEST]))
    row = await session.scalar(query)
    if row is None:
        raise UnauthenticatedError("The token is not a directory's.")
    if row.last_used_at is None or row.last_used_at < now() - _USE_NOTED_EVERY:
        row.last_used_at = now()
        await events.tell(session, "", "directories")
    return Source(row, Actor(kind=ActorKind.SYSTEM, id=row.id, name=row.name))


def _require_site_admin(actor: Actor) -> None:
    if not (actor.is_site_admin and actor.kind is ActorKind.USER):
        raise ForbiddenError("Only a site admin can do this.")
