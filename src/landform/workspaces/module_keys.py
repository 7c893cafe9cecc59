"""Which SSH key a workspace's runs fetch modules by (TFE: "SSH keys for cloning modules").

Whoever may write the configuration of a workspace can have its runs show them the key
(docs/security.md), so that to assign one takes the permission to use the organization's keys.
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require, visible_workspaces
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError, NotFoundError
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.queries import get_key_of
from landform.workspaces.events import WorkspaceUpdated
from landform.workspaces.models import Workspace
from landform.workspaces.rows import locked


async def assign_key(
    session: AsyncSession, actor: Actor, workspace: Workspace, key_id: str | None
) -> Workspace:
    """Have the workspace's runs fetch modules by a key of its organization, or by none.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        InvalidError: there is no such key, or `actor` may not use it.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    workspace = await locked(session, workspace.id)
    if key_id == workspace.ssh_key_id:
        return workspace
    if key_id is not None:
        try:
            await get_key_of(session, actor, workspace.organization_id, key_id)
        except NotFoundError as failure:
            raise InvalidError(str(failure), pointer="ssh_key_id") from None
    changes = events.changes_of(workspace, {"ssh_key_id": key_id})
    workspace.ssh_key_id = key_id
    events.publish(
        session,
        WorkspaceUpdated(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            changed=("ssh_key_id",),
            changes=changes,
        ),
    )
    return workspace


async def workspaces_with(
    session: AsyncSession, actor: Actor, key: SshKey, *, limit: int
) -> Sequence[Workspace]:
    """Return workspaces that have the key and that `actor` may know of, by name, `limit` at most.

    Whoever asks may know of the key.
    """
    query = (
        select(Workspace)
        .where(
            Workspace.ssh_key_id == key.id,
            await visible_workspaces(session, actor, key.organization_id),
        )
        .order_by(func.lower(Workspace.name))
        .limit(limit)
    )
    return (await session.scalars(query)).all()
