"""Reads of workspaces, each within what the actor may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import may, require, visible_workspaces
from landform.identity.actor import Actor
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import Columns as SelectedColumns
from landform.kit.selection import Selection, narrowed, ordering
from landform.organizations.models import Organization
from landform.workspaces.models import TagBinding, Workspace

Columns = TypeVarTuple("Columns")

_SORTS: Final[Mapping[str, Any]] = {
    "name": func.lower(Workspace.name),
    "created-at": Workspace.created_at,
    "latest-change-at": Workspace.updated_at,
}
_TAG_FILTERS: Final = 50
# What a selection of workspaces can ask for.
_FIELDS: Final[SelectedColumns] = {
    "id": Workspace.id,
    "name": Workspace.name,
    "description": Workspace.description,
    "tool": Workspace.tool,
    "tool_version": Workspace.tool_version,
    "execution_mode": Workspace.execution_mode,
    "working_directory": Workspace.working_directory,
    "global_remote_state": Workspace.global_remote_state,
    "auto_apply": Workspace.auto_apply,
    "created_at": Workspace.created_at,
    "updated_at": Workspace.updated_at,
}


@dataclass(frozen=True, kw_only=True)
class WorkspaceFilter:
    """Which workspaces of an organization are wanted; every part that is given must hold.

    Attributes:
        search_name: somewhere in the name, in any case.
        wildcard_name: the whole name, `*` standing for anything, in any case.
        search_tags: keys it is tagged with, whatever their values.
        exclude_tags: keys it is not tagged with.
        tagged: keys and values it is tagged with; a value of None stands for any.
        locked: whether anyone, a run included, holds its lock.
    """

    search_name: str = ""
    wildcard_name: str = ""
    search_tags: Sequence[str] = ()
    exclude_tags: Sequence[str] = ()
    tagged: Sequence[tuple[str, str | None]] = ()
    project_id: str | None = None
    locked: bool | None = None


ALL: Final = WorkspaceFilter()


async def get(session: AsyncSession, actor: Actor, workspace_id: str) -> Workspace:
    """Return the workspace.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    workspace = await _known(session, actor, workspace_id)
    if workspace is None:
        raise NotFoundError(f"There is no workspace {workspace_id}.")
    return workspace


async def may_know(
    session: AsyncSession,
    actor: Actor,
    workspace_id: str,
    permission: Permission = Permission.READ_WORKSPACE,
) -> bool:
    """Tell whether there is such a workspace for `actor`, who has `permission` there.

    For what lies in a workspace, and says that itself is not there.
    """
    return await _known(session, actor, workspace_id, permission) is not None


async def _known(
    session: AsyncSession,
    actor: Actor,
    workspace_id: str,
    permission: Permission = Permission.READ_WORKSPACE,
) -> Workspace | None:
    workspace = await session.get(Workspace, workspace_id)
    if workspace is None or not await may(session, actor, permission, workspace.place):
        return None
    return workspace


async def by_name(
    session: AsyncSession, actor: Actor, organization_name: str, name: str
) -> Workspace:
    """Return the workspace of that name, in whatever case both names are written.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    query = (
        select(Workspace)
        .join(Organization, Organization.id == Workspace.organization_id)
        .where(
            func.lower(Organization.name) == organization_name.lower(),
            func.lower(Workspace.name) == name.lower(),
        )
    )
    workspace = None
    if "\0" not in organization_name + name:
        workspace = (await session.scalars(query)).one_or_none()
    if workspace is None or not await may(
        session, actor, Permission.READ_WORKSPACE, workspace.place
    ):
        raise NotFoundError(f"There is no workspace {name} in organization {organization_name}.")
    return workspace


async def select_workspaces(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    selection: Selection,
    page: Page,
) -> Paged[Workspace]:
    """Return the workspaces of a selection that `actor` may read, by name unless it orders them.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        MalformedError: the selection compares what cannot be compared.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    wanted = select(Workspace).where(
        Workspace.organization_id == organization.id,
        await visible_workspaces(session, actor, organization.id),
    )
    order = (*ordering(selection, _FIELDS), func.lower(Workspace.name))
    return await fetch_page(
        session, narrowed(wanted, selection, _FIELDS), page, *order, Workspace.id
    )


async def list_workspaces(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    wanted: WorkspaceFilter = ALL,
    *,
    sort: str = "name",
    page: Page,
) -> Paged[Workspace]:
    """Return the workspaces of the organization that are wanted and that `actor` may read.

    Args:
        sort: `name`, `created-at` or `latest-change-at`; `-` before it turns the order round.

    Raises:
        NotFoundError: `actor` may not know of the organization.
        InvalidError: there is no such sort, or there are too many tags.
    """
    place = Place(organization_id=organization.id)
    await require(session, actor, Permission.READ_ORGANIZATION, place)
    query = select(Workspace).where(
        Workspace.organization_id == organization.id,
        await visible_workspaces(session, actor, organization.id),
    )
    return await fetch_page(session, filtered(query, wanted), page, _order(sort), Workspace.id)


def filtered(query: Select[*Columns], wanted: WorkspaceFilter) -> Select[*Columns]:
    """Narrow a query over workspaces to those that are wanted.

    Raises:
        InvalidError: there are too many tags.
    """
    if len(wanted.search_tags) + len(wanted.exclude_tags) + len(wanted.tagged) > _TAG_FILTERS:
        raise InvalidError(f"At most {_TAG_FILTERS} tags can be searched for at once.")
    if wanted.search_name:
        query = query.where(Workspace.name.icontains(wanted.search_name, autoescape=True))
    if wanted.wildcard_name:
        query = query.where(Workspace.name.ilike(_pattern(wanted.wildcard_name), escape="\\"))
    if wanted.project_id is not None:
        query = query.where(Workspace.project_id == wanted.project_id)
    if wanted.locked is not None:
        query = query.where(Workspace.lock_holder_kind.is_not(None) == wanted.locked)
    for key in wanted.search_tags:
        query = query.where(_tagged(key, None))
    for key in wanted.exclude_tags:
        query = query.where(not_(_tagged(key, None)))
    for key, value in wanted.tagged:
        query = query.where(_tagged(key, value))
    return query


def _tagged(key: str, value: str | None) -> ColumnElement[bool]:
    """Return the condition: tagged so itself, or by its project unless it says otherwise."""
    own = and_(TagBinding.workspace_id == Workspace.id, TagBinding.key == key)
    inherited = and_(TagBinding.project_id == Workspace.project_id, TagBinding.key == key)
    if value is None:
        return or_(_any(own), _any(inherited))
    same = TagBinding.value == value
    return or_(_any(own & same), and_(_any(inherited & same), not_(_any(own))))


def _any(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(TagBinding.id).where(condition).correlate(Workspace))


def _pattern(wildcard: str) -> str:
    escaped = wildcard
    for special in ("\\", "%", "_"):
        escaped = escaped.replace(special, "\\" + special)
    return escaped.replace("*", "%")


def _order(sort: str) -> Any:
    column = _SORTS.get(sort.removeprefix("-"))
    if column is None:
        raise InvalidError(f"Workspaces sort by {', '.join(_SORTS)}, not by {sort}.")
    return column.desc() if sort.startswith("-") else column.asc()
