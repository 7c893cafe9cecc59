"""Reads of states."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page
from landform.kit.selection import Columns, Selection, narrowed, ordering
from landform.states.models import StateOutput, StateStatus, StateVersion
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace

# What a selection of states can ask for.
_FIELDS: Final[Columns] = {
    "id": StateVersion.id,
    "run_id": StateVersion.run_id,
    "serial": StateVersion.serial,
    "md5": StateVersion.md5,
    "lineage": StateVersion.lineage,
    "created_at": StateVersion.created_at,
}


async def get(
    session: AsyncSession,
    actor: Actor,
    state_version_id: str,
    *,
    permission: Permission = Permission.READ_STATE,
) -> StateVersion:
    """Return the state version; NotFoundError also when `actor` may not know of it."""
    state = await session.get(StateVersion, state_version_id)
    if state is None or not await workspaces.may_know(session, actor, state.workspace_id):
        raise NotFoundError(f"There is no state version {state_version_id}.")
    workspace = await session.get_one(Workspace, state.workspace_id)
    await require(session, actor, permission, workspace.place)
    return state


async def current(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    *,
    permission: Permission = Permission.READ_STATE,
) -> StateVersion:
    """Return the workspace's newest finalized state.

    Raises:
        NotFoundError: it has none yet.
    """
    await require(session, actor, permission, workspace.place)
    if workspace.current_state_version_id is None:
        raise NotFoundError(f"Workspace {workspace.name} has no state yet.")
    return await session.get_one(StateVersion, workspace.current_state_version_id)


async def list_of(
    session: AsyncSession, actor: Actor, workspace: Workspace, page: Page
) -> Paged[StateVersion]:
    """Return the workspace's finalized and offered states, newest first."""
    await require(session, actor, Permission.READ_STATE, workspace.place)
    shown = StateVersion.status.in_([StateStatus.FINALIZED, StateStatus.OFFERED])
    wanted = select(StateVersion).where(StateVersion.workspace_id == workspace.id, shown)
    total = await session.scalar(select(func.count()).select_from(wanted.subquery()))
    newest = wanted.order_by(StateVersion.created_at.desc(), StateVersion.serial.desc())
    rows = await session.scalars(newest.limit(page.size).offset(page.offset))
    return Paged(items=list(rows), total=total or 0)


async def select_states(
    session: AsyncSession, actor: Actor, workspace: Workspace, selection: Selection, page: Page
) -> Paged[StateVersion]:
    """Return the workspace's finalized states of a selection, newest first unless it orders them.

    Raises:
        ForbiddenError: `actor` may not read states there.
        MalformedError: the selection compares what cannot be compared.
    """
    await require(session, actor, Permission.READ_STATE, workspace.place)
    wanted = select(StateVersion).where(
        StateVersion.workspace_id == workspace.id, StateVersion.status == StateStatus.FINALIZED
    )
    newest = (StateVersion.created_at.desc(), StateVersion.serial.desc(), StateVersion.id)
    order = (*ordering(selection, _FIELDS), *newest)
    return await fetch_page(session, narrowed(wanted, selection, _FIELDS), page, *order)


async def outputs_of(session: AsyncSession, state: StateVersion) -> Sequence[StateOutput]:
    """Return the state's outputs by name; whoever has the state version may see their names."""
    query = (
        select(StateOutput)
        .where(StateOutput.state_version_id == state.id)
        .order_by(StateOutput.name)
    )
    return (await session.scalars(query)).all()


async def outputs_of_workspaces(
    session: AsyncSession, shown: Sequence[Workspace]
) -> dict[str, Sequence[StateOutput]]:
    """Return by workspace id the outputs of the newest states, which the caller may show."""
    newest = {w.current_state_version_id: w.id for w in shown if w.current_state_version_id}
    query = select(StateOutput).where(StateOutput.state_version_id.in_(newest))
    found: dict[str, list[StateOutput]] = {workspace.id: [] for workspace in shown}
    for row in await session.scalars(query.order_by(StateOutput.name)):
        found[newest[row.state_version_id]].append(row)
    return dict(found)


async def output(session: AsyncSession, actor: Actor, output_id: str) -> StateOutput:
    """Return one output; NotFoundError also when `actor` may not know of it."""
    missing = NotFoundError(f"There is no state version output {output_id}.")
    row = await session.get(StateOutput, output_id)
    if row is None:
        raise missing
    try:
        await get(session, actor, row.state_version_id, permission=Permission.READ_OUTPUTS)
    except NotFoundError:
        raise missing from None
    return row


async def may_read_state(session: AsyncSession, actor: Actor, workspace: Workspace) -> bool:
    """Tell whether `actor` may download the workspace's raw state."""
    return await may(session, actor, Permission.READ_STATE, workspace.place)


def output_value(keyring: Keyring, row: StateOutput) -> object:
    """Return the output's value in clear; the caller has checked that it may be shown."""
    value: object = msgspec.json.decode(
        keyring.open(row.sealed_value, place=f"state-outputs/{row.id}")
    )
    return value


async def resource_counts(session: AsyncSession, shown: Sequence[Workspace]) -> dict[str, int]:
    """Return how many resources each workspace manages, by its id; those with no state lack."""
    ids = [each.current_state_version_id for each in shown if each.current_state_version_id]
    query = select(StateVersion.workspace_id, StateVersion.resource_count).where(
        StateVersion.id.in_(ids)
    )
    return {row.workspace_id: row.resource_count for row in await session.execute(query)}
