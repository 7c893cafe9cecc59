"""Everything that changes a workspace's state.

A client announces a state (serial, lineage, MD5), uploads it to a signed address, and only then
is it the workspace's newest. A run's own states come whole. Both end in `_make_current`, under
the lock of the workspace's row, so that serial and lineage form one chain.
"""

import asyncio
from dataclasses import dataclass

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import SYSTEM, Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import Binary, Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, InvalidError, LandformError, NotFoundError
from landform.kit.failpoints import FailPoint, reach
from landform.kit.ids import new_id
from landform.kit.storage import Store
from landform.states.document import Output, StateDocument, kind_of, md5_of, parse
from landform.states.events import StateOffered, StateSaved
from landform.states.models import StateOutput, StateStatus, StateVersion
from landform.workspaces.models import LockHolder, Workspace
from landform.workspaces.rows import locked


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What a client says of a state before it uploads it."""

    serial: int
    md5: str
    lineage: str
    force: bool = False
    is_intermediate: bool = False
    run_id: str | None = None


async def announce(
    session: AsyncSession, actor: Actor, workspace: Workspace, announcement: Announcement
) -> StateVersion:
    """Expect an upload of a state for `workspace`, which `actor` must have locked.

    Raises:
        ConflictError: not locked by `actor`, an old serial, or another lineage.
    """
    await require(session, actor, Permission.WRITE_STATE, workspace.place)
    workspace = await locked(session, workspace.id)
    if workspace.lock_holder_id != actor.id or workspace.lock_holder_kind is LockHolder.RUN:
        raise ConflictError(
            f"Lock workspace {workspace.name} before writing its state: it is "
            + (f"locked by {workspace.lock_holder_id}." if workspace.is_locked else "not locked.")
        )
    await _require_newer(session, workspace, announcement)
    state = StateVersion(
        workspace_id=workspace.id,
        run_id=announcement.run_id,
        serial=announcement.serial,
        lineage=announcement.lineage,
        md5=announcement.md5,
        is_intermediate=announcement.is_intermediate,
        is_forced=announcement.force,
        created_by=actor.id,
    )
    session.add(state)
    await session.flush()
    reach(FailPoint.STATE_ANNOUNCING)
    return state


async def receive(
    sessions: Sessions, store: Store, keyring: Keyring, *, state_version_id: str, raw: Binary
) -> None:
    """Take the upload of an announced state and make it the workspace's newest.

    A repeat of the same bytes is a no-op.

    Raises:
        NotFoundError: it was never announced.
        InvalidError: not a state, or not the one announced (MD5, serial, lineage); the right
            one may still be uploaded.
        ConflictError: another state became the newest meanwhile, or the lock was broken; this
            one is given up.
    """
    async with transaction(sessions) as session:
        state = await session.get(StateVersion, state_version_id)
    if state is None:
        raise NotFoundError(f"There is no state version {state_version_id}.")
    document = await asyncio.to_thread(parse, raw)
    _require_announced(state, document)
    if state.status is StateStatus.FINALIZED:
        return
    await store.put(state.path, raw)
    reach(FailPoint.STATE_STORED)
    try:
        async with transaction(sessions) as session:
            await _take(session, keyring, state, document, size_bytes=len(raw))
            reach(FailPoint.STATE_TAKING)
    except ConflictError:
        async with transaction(sessions) as session:
            await _give_up(session, state)
        raise
    reach(FailPoint.STATE_TAKEN)


async def _take(
    session: AsyncSession,
    keyring: Keyring,
    state: StateVersion,
    document: StateDocument,
    *,
    size_bytes: int,
) -> None:
    workspace = await locked(session, state.workspace_id)
    state = await session.get_one(StateVersion, state.id)
    if state.status is StateStatus.FINALIZED:
        return
    if state.status is not StateStatus.PENDING:
        raise ConflictError(
            f"State version {state.id} was given up: the lock of workspace {workspace.name} was"
            " broken, or another state overtook it. Pull the state and repeat the change."
        )
    await _require_newer(
        session,
        workspace,
        Announcement(
            serial=state.serial, md5=state.md5, lineage=document.lineage, force=state.is_forced
        ),
    )
    _make_current(session, keyring, workspace, state, document, size_bytes=size_bytes)


async def _give_up(session: AsyncSession, state: StateVersion) -> None:
    await locked(session, state.workspace_id)
    state = await session.get_one(StateVersion, state.id)
    if state.status is StateStatus.PENDING:
        state.status = StateStatus.DISCARDED


async def receive_json(
    sessions: Sessions, store: Store, *, state_version_id: str, data: Binary
) -> None:
    """Keep what the client made of the state with `show -json`, beside the raw state."""
    try:
        await asyncio.to_thread(msgspec.json.decode, data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise InvalidError(f"This is not a JSON state: {failure}.") from None
    except RecursionError:
        raise InvalidError("This is not a JSON state: it is nested too deeply.") from None
    async with transaction(sessions) as session:
        state = await session.get(StateVersion, state_version_id)
    if state is None:
        raise NotFoundError(f"There is no state version {state_version_id}.")
    await store.put(state.json_path, data)
    async with transaction(sessions) as session:
        state = await session.get_one(StateVersion, state_version_id)
        state.has_json = True


def new_from_run(workspace_id: str, run_id: str, raw: bytes, *, final: bool) -> StateVersion:
    """Return the row, not yet stored, of a state that a run wrote.

    Raises:
        InvalidError: `raw` is not a state.
    """
    document = parse(raw)
    return StateVersion(
        id=new_id("sv"),
        workspace_id=workspace_id,
        run_id=run_id,
        serial=document.serial,
        lineage=document.lineage,
        md5=document.md5,
        is_intermediate=not final,
        is_forced=False,
        created_by=run_id,
    )


async def save_from_run(
    session: AsyncSession, keyring: Keyring, state: StateVersion, raw: bytes
) -> None:
    """Make a run's state, whose bytes are in the store already, the workspace's newest.

    Raises:
        ConflictError: an old serial or another lineage.
    """
    workspace = await locked(session, state.workspace_id)
    newest = await _current(session, workspace)
    if newest is not None and (newest.serial, newest.md5) == (state.serial, state.md5):
        newest.is_intermediate = newest.is_intermediate and state.is_intermediate
        return
    await _require_newer(
        session,
        workspace,
        Announcement(serial=state.serial, md5=state.md5, lineage=state.lineage),
    )
    session.add(state)
    await session.flush()
    _make_current(session, keyring, workspace, state, parse(raw), size_bytes=len(raw))


async def offer(
    session: AsyncSession, workspace: Workspace, state: StateVersion, *, size_bytes: int
) -> None:
    """Keep a state, whose bytes are in the store already, for a person to look at."""
    state.status = StateStatus.OFFERED
    state.size_bytes = size_bytes
    session.add(state)
    events.publish(
        session,
        StateOffered(
            actor_id=SYSTEM.id,
            organization_id=workspace.organization_id,
            subject_id=state.id,
            workspace_id=workspace.id,
            run_id=state.run_id,
        ),
    )


async def has_pending_upload(session: AsyncSession, workspace: Workspace) -> bool:
    """Tell whether the newest state announced for the workspace still lacks its upload."""
    query = (
        select(StateVersion.status)
        .where(StateVersion.workspace_id == workspace.id)
        .where(StateVersion.status != StateStatus.OFFERED)
        .order_by(StateVersion.created_at.desc())
        .limit(1)
    )
    return await session.scalar(query) is StateStatus.PENDING


async def discard_pending(session: AsyncSession, workspace: Workspace) -> None:
    """Give up on announced states that were never uploaded, as a forced unlock does."""
    query = select(StateVersion).where(
        StateVersion.workspace_id == workspace.id, StateVersion.status == StateStatus.PENDING
    )
    for state in await session.scalars(query):
        state.status = StateStatus.DISCARDED


async def save(
    sessions: Sessions,
    store: Store,
    keyring: Keyring,
    actor: Actor,
    workspace: Workspace,
    announcement: Announcement,
    raw: bytes,
) -> str:
    """Announce a state and take it, when both come in one request; return its id."""
    async with transaction(sessions) as session:
        state_id = (await announce(session, actor, workspace, announcement)).id
    try:
        await receive(sessions, store, keyring, state_version_id=state_id, raw=raw)
    except LandformError:
        async with transaction(sessions) as session:
            await _give_up(session, await session.get_one(StateVersion, state_id))
        raise
    return state_id


async def roll_back(
    sessions: Sessions,
    store: Store,
    keyring: Keyring,
    actor: Actor,
    workspace: Workspace,
    *,
    to: StateVersion,
    over: str | None = None,
) -> str:
    """Make an older state the newest again, as a new version with the next serial.

    `actor` must have locked the workspace. Returns the new version's id.

    Args:
        over: the id of the version that was the newest when somebody decided this, if known.

    Raises:
        InvalidError: it is a state of another workspace.
        ConflictError: it was never uploaded, the workspace is not locked by `actor`, or another
            version than `over` is the newest.
    """
    if to.workspace_id != workspace.id:
        raise InvalidError(f"State version {to.id} belongs to another workspace.")
    if to.status not in (StateStatus.FINALIZED, StateStatus.OFFERED):
        raise ConflictError(f"State version {to.id} has not been uploaded; it is {to.status}.")
    # Raw: every value but the serial must come back byte for byte, long numbers too.
    document = msgspec.json.decode(await store.get(to.path), type=dict[str, msgspec.Raw])
    async with transaction(sessions) as session:
        newest = await _current(session, await locked(session, workspace.id))
    if over is not None and (newest is None or newest.id != over):
        found = f"serial {newest.serial} is" if newest else "there is none that is"
        raise ConflictError(f"The state has changed meanwhile: {found} the newest. Look again.")
    serial = (newest.serial if newest else to.serial) + 1
    document["serial"] = msgspec.Raw(msgspec.json.encode(serial))
    raw = msgspec.json.format(msgspec.json.encode(document), indent=2)
    announcement = Announcement(serial=serial, md5=md5_of(raw), lineage=to.lineage, force=True)
    return await save(sessions, store, keyring, actor, workspace, announcement, raw)


def _require_announced(state: StateVersion, document: StateDocument) -> None:
    wrong = [
        f"{name} {found!r} instead of {announced!r}"
        for name, found, announced in (
            ("MD5", document.md5, state.md5),
            ("serial", document.serial, state.serial),
            ("lineage", document.lineage, state.lineage or document.lineage),
        )
        if found != announced
    ]
    if wrong:
        raise InvalidError(f"This is not the state that was announced: {', '.join(wrong)}.")


async def _require_newer(
    session: AsyncSession, workspace: Workspace, announcement: Announcement
) -> None:
    newest = await _current(session, workspace)
    if newest is None or announcement.force:
        return
    if newest.lineage and announcement.lineage and newest.lineage != announcement.lineage:
        raise ConflictError(
            f"The state of workspace {workspace.name} has lineage {newest.lineage}; this one has"
            f" {announcement.lineage} and so belongs to other infrastructure. Write it to a"
            " workspace of its own, or replace the state by creating this version with force."
        )
    same = (announcement.serial, announcement.md5) == (newest.serial, newest.md5)
    if announcement.serial <= newest.serial and not same:
        raise ConflictError(
            f"The state of workspace {workspace.name} has serial {newest.serial}; serial"
            f" {announcement.serial} is not newer. Pull the state again and repeat the change."
        )


async def _current(session: AsyncSession, workspace: Workspace) -> StateVersion | None:
    if workspace.current_state_version_id is None:
        return None
    return await session.get(StateVersion, workspace.current_state_version_id)


def _make_current(
    session: AsyncSession,
    keyring: Keyring,
    workspace: Workspace,
    state: StateVersion,
    document: StateDocument,
    *,
    size_bytes: int,
) -> None:
    state.status = StateStatus.FINALIZED
    state.finalized_at = now()
    state.size_bytes = size_bytes
    state.terraform_version = document.terraform_version
    state.lineage = document.lineage
    state.resources = document.resources
    state.resource_count = document.managed_count
    workspace.current_state_version_id = state.id
    for name, output in document.outputs.items():
        session.add(_output_row(keyring, state, name, output))
    events.publish(
        session,
        StateSaved(
            actor_id=state.created_by,
            organization_id=workspace.organization_id,
            subject_id=state.id,
            workspace_id=workspace.id,
            serial=state.serial,
            run_id=state.run_id,
        ),
    )


def _output_row(keyring: Keyring, state: StateVersion, name: str, output: Output) -> StateOutput:
    row_id = new_id("wsout")
    return StateOutput(
        id=row_id,
        state_version_id=state.id,
        name=name,
        sensitive=output.sensitive,
        kind=kind_of(output.type, output.value),
        detailed_type=output.type,
        sealed_value=keyring.seal(
            msgspec.json.encode(output.value), place=f"state-outputs/{row_id}"
        ),
    )
