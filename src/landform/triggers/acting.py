"""Writes what was decided: all of a delivery's changes, and that they were dealt with, at once."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit.db import transaction
from landform.kit.errors import LandformError, UnavailableError
from landform.triggers.commenting import obey
from landform.triggers.deciding import decide
from landform.triggers.desk import Desk
from landform.triggers.intents import Intent, Outcomes, SeenMark
from landform.triggers.models import SeenPullRequest, SeenRef
from landform.triggers.starting import Origin, ask_to_fetch, cancel_plans_of, start_run
from landform.vcs.changes import Change
from landform.workspaces import repositories

Record = Callable[[AsyncSession, Outcomes], Awaitable[bool]]
_TRIES = 5


class _MovedError(Exception):
    """Somebody else acted on the same ref or pull request since we looked."""


async def act(
    desk: Desk, connection_id: str, changes: Sequence[Change], record: Record
) -> Outcomes | None:
    """Decide about the changes and write it in one transaction; None when it was done before.

    Killed at any point, it has done all or nothing, so that it can be called again.

    Args:
        record: writes that the changes were dealt with, in the same transaction; False when they
            were already, and then nothing is written.

    Raises:
        SignInNeededError, NotAllowedError, ProviderAwayError: the provider had to be asked.
        UnavailableError: the same things kept changing under us.
    """
    for _ in range(_TRIES):
        intents = [await decide(desk, connection_id, change) for change in changes]
        try:
            async with transaction(desk.sessions) as session:
                return await _write_all(session, desk, connection_id, intents, record)
        except _MovedError:
            continue
        except _DoneError:
            return None
    raise UnavailableError("The same branches keep moving; try again.")


class _DoneError(Exception):
    """The delivery was dealt with by somebody else: take everything back."""


async def _write_all(
    session: AsyncSession,
    desk: Desk,
    connection_id: str,
    intents: Sequence[Intent],
    record: Record,
) -> Outcomes:
    outcomes = Outcomes()
    for intent in intents:
        await _write(session, desk, connection_id, intent, outcomes)
    if not await record(session, outcomes):
        raise _DoneError
    return outcomes


async def _write(
    session: AsyncSession, desk: Desk, connection_id: str, intent: Intent, outcomes: Outcomes
) -> None:
    if intent.origin is not None and intent.order is not None:
        place = intent.origin.connection_id, intent.origin.repository_id
        linked = await repositories.linked_to(session, *place)
        await obey(session, desk, intent, linked, outcomes)
        return
    if intent.origin is None or intent.mark is None:
        outcomes.add(intent.change, intent.nothing)
        return
    origin = intent.origin
    await _mark(session, connection_id, origin.repository_id, intent.mark)
    if intent.cancels:
        canceled = await cancel_plans_of(session, origin, reason=intent.cancels)
        for run in canceled:
            outcomes.add(
                intent.change, intent.cancels, workspace_id=run.workspace_id, run_id=run.id
            )
        if not canceled:
            outcomes.add(intent.change, f"{intent.cancels} Nothing of it was still under way.")
        return
    await _start(session, desk, intent, origin, outcomes)
    for workspace_id, reason in intent.refuses:
        outcomes.add(intent.change, reason, workspace_id=workspace_id)


async def _start(
    session: AsyncSession, desk: Desk, intent: Intent, origin: Origin, outcomes: Outcomes
) -> None:
    pairs = await repositories.linked_to(session, origin.connection_id, origin.repository_id)
    linked = {workspace.id: (workspace, row) for workspace, row in pairs}
    started = False
    for workspace_id, reason in intent.starts:
        if workspace_id not in linked:
            outcomes.add(
                intent.change, "The workspace was disconnected.", workspace_id=workspace_id
            )
            continue
        workspace, repository = linked[workspace_id]
        if origin.pull_request is not None:
            await cancel_plans_of(
                session,
                origin,
                workspace_id=workspace_id,
                reason="A newer commit of the pull request is planned.",
            )
        try:
            run = await start_run(session, desk.platform.keyring, workspace, repository, origin)
        except LandformError as failure:
            outcomes.add(intent.change, f"No run: {failure}", workspace_id=workspace_id)
            continue
        started = True
        outcomes.add(intent.change, reason, workspace_id=workspace_id, run_id=run.id)
    if started:
        await ask_to_fetch(session, origin)


async def _mark(
    session: AsyncSession, connection_id: str, repository_id: str, mark: SeenMark
) -> None:
    """Remember what is acted on, unless that is not what we looked at any more."""
    place = {"connection_id": connection_id, "repository_id": repository_id}
    if isinstance(mark.key, str):
        row = await _locked_ref(session, place, mark)
        if row is not None:
            row.commit = mark.commit
        return
    pull = await _locked_pull(session, place, mark)
    if pull is not None:
        pull.source_commit, pull.is_open = mark.commit, mark.is_open


async def _locked_ref(
    session: AsyncSession, place: dict[str, str], mark: SeenMark
) -> SeenRef | None:
    """Return the row to change; None when it was just made."""
    if mark.expected is None:
        new = insert(SeenRef).values(**place, ref=mark.key, commit=mark.commit)
        made = await session.scalar(new.on_conflict_do_nothing().returning(SeenRef.ref))
        if made is None:
            raise _MovedError
        return None
    query = select(SeenRef).filter_by(**place, ref=mark.key).with_for_update()
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if row is None or row.commit != mark.expected:
        raise _MovedError
    return row


async def _locked_pull(
    session: AsyncSession, place: dict[str, str], mark: SeenMark
) -> SeenPullRequest | None:
    """Return the row to change; None when it was just made."""
    if mark.expected is None:
        new = insert(SeenPullRequest).values(
            **place, number=mark.key, source_commit=mark.commit, is_open=mark.is_open
        )
        made = await session.scalar(new.on_conflict_do_nothing().returning(SeenPullRequest.number))
        if made is None:
            raise _MovedError
        return None
    query = select(SeenPullRequest).filter_by(**place, number=mark.key).with_for_update()
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if row is None or (row.source_commit, row.is_open) != (mark.expected, mark.was_open):
        raise _MovedError
    return row
