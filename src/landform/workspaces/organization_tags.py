"""The tags of an organization: those that were set aside, and those that something is tagged with.

A tag without a value is known by its name alone. One can be set aside before anything is tagged
with it; that is all there is to it, and workspaces can be tagged with others too.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require, visible_projects, visible_workspaces
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.kit.unique import unique
from landform.organizations.models import Organization
from landform.workspaces.events import TagForgotten, TagSetAside
from landform.workspaces.models import OrganizationTag, Project, TagBinding, Workspace
from landform.workspaces.tags import Tag, checked

_PER_ORGANIZATION: Final = 1000
_UNIQUE: Final = "pk_organization_tags"


async def list_names(
    session: AsyncSession, actor: Actor, organization: Organization
) -> Sequence[str]:
    """Return the names of the tags that `actor` may know of, in order.

    That is: those of the workspaces and projects it may read, and with the permission to make
    workspaces those that were set aside.

    Raises:
        NotFoundError: `actor` may not know of the organization.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    on_workspaces = (
        select(TagBinding.key)
        .join(Workspace, Workspace.id == TagBinding.workspace_id)
        .where(
            Workspace.organization_id == organization.id,
            await visible_workspaces(session, actor, organization.id),
        )
    )
    on_projects = (
        select(TagBinding.key)
        .join(Project, Project.id == TagBinding.project_id)
        .where(
            Project.organization_id == organization.id,
            await visible_projects(session, actor, organization.id),
        )
    )
    found = set(await session.scalars(on_workspaces.union(on_projects)))
    if await may(session, actor, Permission.CREATE_WORKSPACE, place):
        aside = select(OrganizationTag.name).where(
            OrganizationTag.organization_id == organization.id
        )
        found |= set(await session.scalars(aside))
    return sorted(found)


async def find_name(
    session: AsyncSession, actor: Actor, organization: Organization, name: str
) -> str:
    """Return the name of a tag that is there.

    Raises:
        NotFoundError: it is not, as far as `actor` may know.
    """
    if name not in await list_names(session, actor, organization):
        raise NotFoundError(f"There is no tag {name[:300]} in {organization.name}.")
    return name


async def set_aside(
    session: AsyncSession, actor: Actor, organization: Organization, name: str
) -> str:
    """Set a tag aside.

    Raises:
        ForbiddenError: `actor` may not make workspaces in the organization.
        InvalidError: the name is malformed or set aside already, or there are too many.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.CREATE_WORKSPACE, place)
    checked(Tag(name), pointer="name")
    counted = select(func.count()).where(OrganizationTag.organization_id == organization.id)
    if (await session.scalar(counted) or 0) >= _PER_ORGANIZATION:
        raise InvalidError(f"An organization sets at most {_PER_ORGANIZATION} tags aside.")
    taken = InvalidError(f"There is a tag {name} already.", pointer="name")
    async with unique(session, _UNIQUE, taken):
        session.add(OrganizationTag(organization_id=organization.id, name=name))
    events.publish(
        session,
        TagSetAside(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=organization.id,
            name=name,
        ),
    )
    return name


async def forget(
    session: AsyncSession, actor: Actor, organization: Organization, name: str
) -> None:
    """Set a tag aside no more.

    Raises:
        ForbiddenError: `actor` may not make workspaces in the organization.
        NotFoundError: there is no such tag.
        ConflictError: a workspace or a project is tagged with it.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.CREATE_WORKSPACE, place)
    row = await session.get(OrganizationTag, (organization.id, name))
    if await _is_used(session, organization, name):
        raise ConflictError(
            f"Something is tagged with {name}; remove the tag from workspaces and projects first."
        )
    if row is None:
        raise NotFoundError(f"There is no tag {name[:300]} in {organization.name}.")
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        TagForgotten(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=organization.id,
            name=name,
        ),
    )


async def _is_used(session: AsyncSession, organization: Organization, name: str) -> bool:
    query = (
        select(TagBinding.id)
        .outerjoin(Workspace, Workspace.id == TagBinding.workspace_id)
        .outerjoin(Project, Project.id == TagBinding.project_id)
        .where(
            TagBinding.key == name,
            func.coalesce(Workspace.organization_id, Project.organization_id) == organization.id,
        )
        .limit(1)
    )
    return await session.scalar(query) is not None
