"""Which other workspaces' runs may read a workspace's state: all of its organization, or some.

Routes and rules are TFE's (tfe_openapi.json: remote-state-consumers). What a run gets to read is
decided in `landform.access.run_access`.
"""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require, visible_workspaces
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.workspaces.events import RemoteStateConsumersChanged
from landform.workspaces.models import RemoteStateConsumer, Workspace

_LIMIT: Final = 1000


async def consumers_of(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    page: Page,
    *,
    only_named: bool = False,
) -> Paged[Workspace]:
    """Return the workspaces that `actor` may know of and whose runs may read the state, by name.

    Args:
        only_named: those that are named, even if the state is shared with all.
    """
    await require(session, actor, Permission.READ_WORKSPACE, workspace.place)
    wanted = select(Workspace).where(
        Workspace.organization_id == workspace.organization_id,
        Workspace.id != workspace.id,
        await visible_workspaces(session, actor, workspace.organization_id),
    )
    if only_named:
        wanted = wanted.where(Workspace.id.in_(_named(workspace)))
    elif workspace.project_remote_state and not workspace.global_remote_state:
        of_project = Workspace.project_id == workspace.project_id
        wanted = wanted.where(or_(of_project, Workspace.id.in_(_named(workspace))))
    elif not workspace.global_remote_state:
        wanted = wanted.where(Workspace.id.in_(_named(workspace)))
    return await fetch_page(session, wanted, page, func.lower(Workspace.name), Workspace.id)


async def named_consumers(
    session: AsyncSession, actor: Actor, workspaces: Sequence[Workspace]
) -> dict[str, list[str]]:
    """Return by workspace the ids of those it names that `actor` may know of, for several at once.

    Whoever asks may read the workspaces.
    """
    found: dict[str, list[str]] = {}
    for organization_id in {each.organization_id for each in workspaces}:
        ids = [each.id for each in workspaces if each.organization_id == organization_id]
        query = (
            select(RemoteStateConsumer.workspace_id, RemoteStateConsumer.consumer_id)
            .join(Workspace, Workspace.id == RemoteStateConsumer.consumer_id)
            .where(
                RemoteStateConsumer.workspace_id.in_(ids),
                await visible_workspaces(session, actor, organization_id),
            )
            .order_by(RemoteStateConsumer.consumer_id)
        )
        for workspace_id, consumer_id in await session.execute(query):
            found.setdefault(workspace_id, []).append(consumer_id)
    return found


async def add_consumers(
    session: AsyncSession, actor: Actor, workspace: Workspace, ids: Collection[str]
) -> None:
    """Let the runs of these workspaces read the state too.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        NotFoundError: one of them is none that `actor` may know of.
        InvalidError: one is of another organization or the workspace itself, or they are too many.
    """
    await _change(session, actor, workspace, add=ids)


async def replace_consumers(
    session: AsyncSession, actor: Actor, workspace: Workspace, ids: Collection[str]
) -> None:
    """Let the runs of these workspaces read the state and no others; raises as `add_consumers`."""
    await _change(session, actor, workspace, add=ids, keep=ids)


async def remove_consumers(
    session: AsyncSession, actor: Actor, workspace: Workspace, ids: Collection[str]
) -> None:
    """Let the runs of these workspaces not read the state; those that may not do not matter.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
    """
    await _change(session, actor, workspace, remove=ids)


async def _change(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    keep: Collection[str] | None = None,
) -> None:
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    # Not as `rows.locked`: two that name each other at once would wait for each other.
    held = select(Workspace.id).where(Workspace.id == workspace.id)
    await session.execute(held.with_for_update(key_share=True))
    present = set((await session.scalars(_named(workspace))).all())
    added = set(add) - present
    removed = present & set(remove) if keep is None else present - set(keep)
    if len(present | added) - len(removed) > _LIMIT:
        raise InvalidError(
            f"A workspace can name {_LIMIT} others that read its state. To share it with all of"
            " its project or organization, set project-remote-state or global-remote-state."
        )
    await _check(session, actor, workspace, added)
    if not added and not removed:
        return
    await session.execute(
        delete(RemoteStateConsumer).where(
            RemoteStateConsumer.workspace_id == workspace.id,
            RemoteStateConsumer.consumer_id.in_(removed),
        )
    )
    session.add_all(
        RemoteStateConsumer(workspace_id=workspace.id, consumer_id=each) for each in sorted(added)
    )
    await session.flush()
    events.publish(
        session,
        RemoteStateConsumersChanged(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            added=tuple(sorted(added)),
            removed=tuple(sorted(removed)),
        ),
    )


async def _check(
    session: AsyncSession, actor: Actor, workspace: Workspace, ids: Collection[str]
) -> None:
    if workspace.id in ids:
        raise InvalidError(f"Workspace {workspace.name} reads its own state without being named.")
    visible = await visible_workspaces(session, actor, workspace.organization_id)
    query = select(Workspace.id).where(
        Workspace.id.in_(ids), Workspace.organization_id == workspace.organization_id, visible
    )
    unknown = set(ids) - set((await session.scalars(query)).all())
    if unknown:
        raise NotFoundError(
            f"There is no workspace {min(unknown)} in the organization of {workspace.name}."
        )


def _named(workspace: Workspace) -> Select[str]:
    return select(RemoteStateConsumer.consumer_id).where(
        RemoteStateConsumer.workspace_id == workspace.id
    )
