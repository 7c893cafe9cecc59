"""The row of a workspace, locked: whoever changes its queue, lock or state takes it first."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.errors import NotFoundError
from landform.workspaces.models import Project, Workspace


async def locked(session: AsyncSession, workspace_id: str) -> Workspace:
    """Return the workspace as it is now, held against others until the transaction ends.

    Raises:
        NotFoundError: it was deleted.
    """
    workspace = await locked_if_any(session, Workspace.id == workspace_id)
    if workspace is None:
        raise NotFoundError(f"There is no workspace {workspace_id}.")
    return workspace


async def locked_if_any(session: AsyncSession, condition: ColumnElement[bool]) -> Workspace | None:
    """Return the one workspace that `condition` holds for, as `locked` does; else None."""
    query = (
        select(Workspace)
        .where(condition)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one_or_none()


async def locked_project(session: AsyncSession, project_id: str) -> Project:
    """Return the project as it is now, held against others until the transaction ends.

    Raises:
        NotFoundError: it was deleted.
    """
    query = (
        select(Project)
        .where(Project.id == project_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    project = (await session.scalars(query)).one_or_none()
    if project is None:
        raise NotFoundError(f"There is no project {project_id}.")
    return project


async def kept_project(session: AsyncSession, project_id: str) -> Project:
    """Return the project, which is not deleted before the transaction ends.

    Raises:
        NotFoundError: it was deleted.
    """
    query = select(Project).where(Project.id == project_id)
    project = (
        await session.scalars(query.with_for_update(read=True, key_share=True))
    ).one_or_none()
    if project is None:
        raise NotFoundError(f"There is no project {project_id}.")
    return project
