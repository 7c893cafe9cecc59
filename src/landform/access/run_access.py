"""What a run's own terraform may reach: its workspace, and the state that others share with it.

As HCP Terraform has it (its page "Workspace settings: Remote state sharing"): a workspace shares
its state with all workspaces of its organization, with all of its project, with those that it
names, or with none.
"""

from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import ANY_TEAM, NOTHING, RUN_TOKEN, Permissions, Place
from landform.identity.actor import Actor
from landform.kit.db import Base


async def run_permissions(session: AsyncSession, actor: Actor, on: Place) -> Permissions:
    """Return what `actor`, a run, may do at `on`."""
    if actor.organization_id != on.organization_id:
        return NOTHING
    if on.workspace_id is None:
        return ANY_TEAM if on.project_id is None else NOTHING
    if on.workspace_id == actor.workspace_id:
        return RUN_TOKEN
    # Of packages above, by name as foreign keys are.
    workspaces = Base.metadata.tables["workspaces"]
    consumers = Base.metadata.tables["remote_state_consumers"]
    named: ColumnElement[Any] = exists(
        select(consumers.c.consumer_id).where(
            consumers.c.workspace_id == workspaces.c.id,
            consumers.c.consumer_id == actor.workspace_id,
        )
    )
    asking = workspaces.alias()
    in_project: ColumnElement[Any] = exists(
        select(asking.c.id).where(
            asking.c.id == actor.workspace_id, asking.c.project_id == workspaces.c.project_id
        )
    )
    query = select(workspaces.c.id).where(
        workspaces.c.id == on.workspace_id,
        workspaces.c.organization_id == actor.organization_id,
        or_(
            workspaces.c.global_remote_state,
            workspaces.c.project_remote_state & in_project,
            named,
        ),
    )
    return RUN_TOKEN if await session.scalar(query) is not None else NOTHING
