"""Runs as a dialect asks for them: by the fields of a selection."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require, visible_workspaces
from landform.identity.actor import Actor
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import Columns, Selection, narrowed, ordering
from landform.organizations.models import Organization
from landform.runs.models import Run
from landform.workspaces.models import Workspace

_FIELDS: Final[Columns] = {
    "id": Run.id,
    "workspace_id": Run.workspace_id,
    "status": Run.status,
    "message": Run.message,
    "source": Run.source,
    "refresh": Run.refresh,
    "refresh_only": Run.refresh_only,
    "has_changes": Run.has_changes,
    "created_by": Run.created_by,
    "created_at": Run.created_at,
    "changed_at": Run.changed_at,
}


async def select_runs(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    selection: Selection,
    page: Page,
    *,
    workspace: Workspace | None = None,
) -> Paged[Run]:
    """Return the runs of a selection whose workspaces `actor` may see, newest first unless ordered.

    Args:
        workspace: of this one only.

    Raises:
        NotFoundError: `actor` may not know of the organization or the workspace.
        MalformedError: the selection compares what cannot be compared.
    """
    place = workspace.place if workspace else Place(organization_id=organization.id)
    permission = Permission.READ_RUNS if workspace else Permission.READ_ORGANIZATION
    await require(session, actor, permission, place)
    wanted = select(Run).where(Run.organization_id == organization.id)
    if workspace is not None:
        wanted = wanted.where(Run.workspace_id == workspace.id)
    else:
        visible = await visible_workspaces(session, actor, organization.id)
        wanted = wanted.where(Run.workspace_id.in_(select(Workspace.id).where(visible)))
    order = (*ordering(selection, _FIELDS), Run.number.desc())
    return await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)
