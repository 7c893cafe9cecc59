"""Reads of configuration versions."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.configurations.models import ConfigurationVersion
from landform.identity.actor import Actor
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace


async def get(
    session: AsyncSession, actor: Actor, configuration_version_id: str
) -> ConfigurationVersion:
    """Return the configuration version; NotFoundError also when `actor` may not know of it."""
    row = await session.get(ConfigurationVersion, configuration_version_id)
    if row is None or not await workspaces.may_know(
        session, actor, row.workspace_id, Permission.READ_RUNS
    ):
        raise NotFoundError(f"There is no configuration version {configuration_version_id}.")
    return row


async def list_of(
    session: AsyncSession, actor: Actor, workspace: Workspace, page: Page
) -> Paged[ConfigurationVersion]:
    """Return those of the workspace, newest first."""
    await require(session, actor, Permission.READ_RUNS, workspace.place)
    wanted = select(ConfigurationVersion).where(ConfigurationVersion.workspace_id == workspace.id)
    total = await session.scalar(select(func.count()).select_from(wanted.subquery()))
    newest = wanted.order_by(ConfigurationVersion.created_at.desc())
    rows = await session.scalars(newest.limit(page.size).offset(page.offset))
    return Paged(items=list(rows), total=total or 0)


async def newest_usable(session: AsyncSession, workspace: Workspace) -> ConfigurationVersion:
    """Return what a run plans that names no configuration version: the newest that can apply.

    Raises:
        NotFoundError: nothing was uploaded yet.
    """
    query = (
        select(ConfigurationVersion)
        .where(
            ConfigurationVersion.workspace_id == workspace.id,
            ConfigurationVersion.uploaded_at.is_not(None),
            ConfigurationVersion.speculative.is_(False),
            ConfigurationVersion.provisional.is_(False),
        )
        .order_by(ConfigurationVersion.created_at.desc())
        .limit(1)
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Workspace {workspace.name} has no configuration yet: run `terraform plan` from a"
            " directory with its `cloud` block, or upload a configuration version."
        )
    return row
