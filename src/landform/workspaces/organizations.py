"""Organizations whole: the row, its owners, its default project, and who may see or change it."""

from typing import Final

from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import memberships, teams
from landform.access.errors import HiddenError
from landform.access.permissions import Permission, Place
from landform.access.service import may, require, visible_organizations
from landform.agents.models import AgentPool
from landform.identity.actor import Actor, ActorKind
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.ids import is_id
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import EVERYTHING, Columns, Selection, narrowed, ordering
from landform.organizations import queries, service
from landform.organizations.models import Organization
from landform.organizations.service import OrganizationSettings
from landform.workspaces import projects
from landform.workspaces.models import ExecutionMode, Workspace
from landform.workspaces.rows import kept_project

# What a selection of organizations can ask for.
_FIELDS: Final[Columns] = {
    "id": Organization.id,
    "name": Organization.name,
    "default_execution_mode": Organization.default_execution_mode,
    "created_at": Organization.created_at,
}


async def create_organization(
    session: AsyncSession,
    actor: Actor,
    *,
    name: str,
    email: str = "",
    default_execution_mode: str | None = None,
    allow_force_delete_workspaces: bool | None = None,
    only_site_admins: bool = False,
) -> Organization:
    """Make an organization with its owners team, which `actor` joins, and its default project.

    Args:
        only_site_admins: the operator lets no other user make organizations.

    Raises:
        ForbiddenError: `actor` is not a user, or not a site admin where only those may.
        InvalidError: the name is malformed or taken, or there is no such execution mode.
    """
    if actor.kind not in (ActorKind.USER, ActorKind.SYSTEM):
        raise ForbiddenError("Only a user can create an organization.")
    if only_site_admins and actor.kind is ActorKind.USER and not actor.is_site_admin:
        raise ForbiddenError("Only a site admin can create an organization here.")
    organization = await service.add(
        session,
        actor,
        name=name,
        email=email,
        default_execution_mode=default_execution_mode,
        allow_force_delete_workspaces=allow_force_delete_workspaces,
    )
    owners = await teams.create_owners(session, actor, organization.id)
    if actor.kind is ActorKind.USER:
        await memberships.join(session, actor, organization.id, actor.id)
        await teams.put_in(session, actor, owners, [actor.id])
    project = await projects.add(session, actor, organization.id, projects.DEFAULT_NAME)
    organization.default_project_id = project.id
    await session.flush()
    return organization


async def by_name(session: AsyncSession, actor: Actor, name: str) -> Organization:
    """Return the organization of that name, in whatever case it is written.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    organization = await queries.find(session, name)
    place = Place(organization_id=organization.id)
    if not await may(session, actor, Permission.READ_ORGANIZATION, place):
        raise HiddenError(
            f"There is no organization called {name}.", Permission.READ_ORGANIZATION, place
        )
    return organization


async def by_id_or_name(session: AsyncSession, actor: Actor, reference: str) -> Organization:
    """Return the organization of that id, else of that name.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    if not is_id(reference):
        return await by_name(session, actor, reference)
    row = await session.get(Organization, reference)
    place = Place(organization_id=reference)
    if row is None or not await may(session, actor, Permission.READ_ORGANIZATION, place):
        raise NotFoundError(f"There is no organization {reference}.")
    return row


async def list_organizations(
    session: AsyncSession,
    actor: Actor,
    *,
    search: str = "",
    selection: Selection = EVERYTHING,
    page: Page,
) -> Paged[Organization]:
    """Return the organizations that `actor` may know of, by name unless `selection` orders them.

    Args:
        search: only those whose name or email contains this, in any case.
        selection: by `id`, `name`, `default_execution_mode`, `created_at`.

    Raises:
        MalformedError: the selection compares what cannot be compared.
    """
    wanted = select(Organization).where(await visible_organizations(session, actor))
    wanted = narrowed(wanted, selection, _FIELDS)
    if search:
        wanted = wanted.where(
            or_(
                Organization.name.icontains(search, autoescape=True),
                Organization.email.icontains(search, autoescape=True),
            )
        )
    order = ordering(selection, _FIELDS)
    return await fetch_page(session, wanted, page, *order, func.lower(Organization.name))


async def update_organization(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    settings: OrganizationSettings,
) -> Organization:
    """Apply the settings that are given.

    Raises:
        ForbiddenError: `actor` may not change the organization.
        NotFoundError: it has no such project as is to be its default.
        InvalidError: a setting cannot be, or the name is taken.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.UPDATE_ORGANIZATION, place)
    if settings.default_project_id is not None:
        project = await kept_project(session, settings.default_project_id)
        if project.organization_id != organization.id:
            raise NotFoundError(f"There is no project {project.id}.")
    if settings.default_agent_pool_id is not None:
        await _require_default_pool(session, organization, settings)
    await service.change(session, actor, organization, settings)
    return organization


async def _require_default_pool(
    session: AsyncSession, organization: Organization, settings: OrganizationSettings
) -> None:
    pool_id = str(settings.default_agent_pool_id)
    pool = await session.get(AgentPool, pool_id, with_for_update=True) if is_id(pool_id) else None
    if pool is None or pool.organization_id != organization.id:
        raise InvalidError(
            f"There is no agent pool {pool_id[:80]} in the organization.",
            pointer="default_agent_pool_id",
        )
    mode = settings.default_execution_mode or organization.default_execution_mode
    if mode != ExecutionMode.AGENT:
        raise InvalidError(
            "A default agent pool goes with the default execution mode agent.",
            pointer="default_agent_pool_id",
        )


async def delete_organization(
    session: AsyncSession, actor: Actor, organization: Organization
) -> None:
    """Delete an organization that has no workspaces left, with its projects and teams.

    Raises:
        ForbiddenError: `actor` may not delete the organization.
        ConflictError: it has workspaces, each of which may hold the only record of what exists.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.DELETE_ORGANIZATION, place)
    occupied = exists(select(Workspace.id).where(Workspace.organization_id == organization.id))
    if await session.scalar(select(occupied)):
        raise ConflictError(
            f"Organization {organization.name} has workspaces in it; delete them first."
        )
    await service.remove(session, actor, organization)
