"""Reads of runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, True_, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from landform.access.permissions import Permission
from landform.access.service import may, require, visible_workspaces
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.contract import Artefact, Phase
from landform.identity.actor import Actor
from landform.kit.errors import NotFoundError
from landform.kit.events import EventRow
from landform.kit.pagination import Page, Paged
from landform.kit.storage import Store
from landform.organizations.models import Organization
from landform.runs import pools, workspace_queue
from landform.runs.attempt_paths import artefact_path
from landform.runs.events import SecretsGiven
from landform.runs.models import Comment, Run, RunPhase
from landform.runs.standing import Standing, standings
from landform.runs.status import FINAL, RUNNING, PhaseStatus, RunStatus
from landform.states.models import StateStatus, StateVersion
from landform.workspaces import queries as workspaces
from landform.workspaces.models import LockHolder, Workspace

_WAITING: Final = frozenset({RunStatus.PENDING, RunStatus.CONFIRMED})
_QUEUED: Final = frozenset({RunStatus.PLAN_QUEUED, RunStatus.APPLY_QUEUED})
_CONFIRMED: Final = frozenset({RunStatus.CONFIRMED, RunStatus.APPLY_QUEUED, RunStatus.APPLYING})
_MOST_BEFORE: Final = 200  # runs before one that are looked at
_ROUNDED: Final = timedelta(milliseconds=1)  # as the times of a run's statuses are
_AT_REST: Final = {
    RunStatus.PLAN_QUEUED: "Waiting for a worker.",
    RunStatus.APPLY_QUEUED: "Waiting for a worker.",
    RunStatus.PLANNED: "Waiting for somebody to confirm or discard the plan.",
}


async def get(session: AsyncSession, actor: Actor, run_id: str) -> Run:
    """Return the run; NotFoundError also when `actor` may not know of it."""
    run = await session.get(Run, run_id)
    if run is None or not await workspaces.may_know(
        session, actor, run.workspace_id, Permission.READ_RUNS
    ):
        raise NotFoundError(f"There is no run {run_id}.")
    return run


async def get_many(session: AsyncSession, actor: Actor, run_ids: Sequence[str]) -> list[Run]:
    """Return those of the runs that `actor` may see."""
    runs = (await session.scalars(select(Run).where(Run.id.in_(run_ids)))).all()
    seen = {}
    for workspace_id in {run.workspace_id for run in runs}:
        workspace = await session.get_one(Workspace, workspace_id)
        seen[workspace_id] = await may(session, actor, Permission.READ_RUNS, workspace.place)
    return [run for run in runs if seen[run.workspace_id]]


async def get_phase(
    session: AsyncSession, actor: Actor, phase_id: str, phase: Phase
) -> tuple[RunPhase, Run]:
    """Return a plan or apply and its run; NotFoundError also when `actor` may not know of it."""
    missing = NotFoundError(f"There is no {phase} {phase_id}.")
    row = await session.get(RunPhase, phase_id)
    if row is None or row.phase is not phase:
        raise missing
    try:
        return row, await get(session, actor, row.run_id)
    except NotFoundError:
        raise missing from None


async def get_phases(
    session: AsyncSession, actor: Actor, phase_ids: Sequence[str]
) -> list[RunPhase]:
    """Return those of the plans and applies whose runs `actor` may see."""
    rows = (await session.scalars(select(RunPhase).where(RunPhase.id.in_(phase_ids)))).all()
    runs = await get_many(session, actor, [row.run_id for row in rows])
    seen = {run.id for run in runs}
    return [row for row in rows if row.run_id in seen]


async def structured(session: AsyncSession, phase_ids: Sequence[str]) -> dict[str, bool]:
    """Tell for each phase whether its workspace offers structured output."""
    query = (
        select(RunPhase.id, Workspace.structured_run_output_enabled)
        .join(Run, Run.id == RunPhase.run_id)
        .join(Workspace, Workspace.id == Run.workspace_id)
        .where(RunPhase.id.in_(phase_ids))
    )
    return {row.id: row.structured_run_output_enabled for row in await session.execute(query)}


async def state_ids(session: AsyncSession, run_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the states that each of the runs wrote, oldest first; those that wrote none lack."""
    query = (
        select(StateVersion.run_id, StateVersion.id)
        .where(StateVersion.run_id.in_(run_ids), StateVersion.status == StateStatus.FINALIZED)
        .order_by(StateVersion.serial)
    )
    found: dict[str, list[str]] = {}
    for run_id, state_id in await session.execute(query):
        found.setdefault(run_id or "", []).append(state_id)
    return found


async def phases_of(
    session: AsyncSession, run_ids: Sequence[str]
) -> dict[str, tuple[RunPhase, RunPhase]]:
    """Return plan and apply of each run, by the run's id."""
    query = select(RunPhase).where(RunPhase.run_id.in_(run_ids)).order_by(RunPhase.phase.desc())
    found: dict[str, list[RunPhase]] = {}
    for phase in await session.scalars(query):
        found.setdefault(phase.run_id, []).append(phase)
    return {run_id: (plan, apply) for run_id, (plan, apply) in found.items()}


class Operation(StrEnum):
    """What a run was asked to do; the values are TFE's."""

    PLAN_ONLY = "plan_only"
    SAVE_PLAN = "save_plan"
    REFRESH_ONLY = "refresh_only"
    DESTROY = "destroy"
    EMPTY_APPLY = "empty_apply"
    PLAN_AND_APPLY = "plan_and_apply"


_OPERATION = case(
    (Run.plan_only, Operation.PLAN_ONLY),
    (Run.save_plan, Operation.SAVE_PLAN),
    (Run.refresh_only, Operation.REFRESH_ONLY),
    (Run.is_destroy, Operation.DESTROY),
    (Run.allow_empty_apply, Operation.EMPTY_APPLY),
    else_=Operation.PLAN_AND_APPLY,
)


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """What a list of runs is narrowed to; empty means anything."""

    statuses: Sequence[RunStatus] = ()
    operations: Sequence[Operation] = ()
    sources: Sequence[str] = ()
    text: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return it as SQL."""
        found: list[ColumnElement[bool]] = []
        if self.statuses:
            found.append(Run.status.in_(self.statuses))
        if self.operations:
            found.append(_OPERATION.in_(self.operations))
        if self.sources:
            found.append(Run.source.in_(self.sources))
        if self.text:
            in_message = Run.message.icontains(self.text, autoescape=True)
            found.append(Run.id.startswith(self.text, autoescape=True) | in_message)
        return found


async def list_of(
    session: AsyncSession, actor: Actor, workspace: Workspace, page: Page, wanted: RunFilter
) -> Paged[Run]:
    """Return the workspace's runs, newest first."""
    await require(session, actor, Permission.READ_RUNS, workspace.place)
    return await _paged(session, page, Run.workspace_id == workspace.id, *wanted.conditions())


async def list_in_organization(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    page: Page,
    wanted: RunFilter,
    *,
    most_ahead: int | None = None,
) -> Paged[Run]:
    """Return the runs of every workspace of the organization that `actor` may see, newest first.

    Args:
        most_ahead: how many runs after the page are counted, so that nobody waits for a count of
            hundreds of thousands; None: all of them.
    """
    visible = await visible_workspaces(session, actor, organization.id)
    conditions = (*_within(organization, visible), *wanted.conditions())
    return await _paged(session, page, *conditions, most_ahead=most_ahead)


def _within(organization: Organization, visible: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """Return the condition on runs of the organization's visible workspaces.

    Of workspaces alone where not all are visible: an index has the runs of each.
    """
    if isinstance(visible, True_):
        return [Run.organization_id == organization.id]
    of_it = Workspace.organization_id == organization.id
    return [Run.workspace_id.in_(select(Workspace.id).where(of_it, visible))]


async def waiting_in_organization(
    session: AsyncSession, actor: Actor, organization: Organization, page: Page
) -> Paged[Run]:
    """Return what runs or waits to, oldest first: the queue that the CLI shows its place in."""
    visible = await visible_workspaces(session, actor, organization.id)
    conditions = (*_within(organization, visible), Run.status.in_(_QUEUE))
    total = await session.scalar(select(func.count()).select_from(Run).where(*conditions))
    query = select(Run).where(*conditions).order_by(Run.number)
    rows = await session.scalars(query.limit(page.size).offset(page.offset))
    return Paged(items=list(rows), total=total or 0)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How busy an organization is."""

    organization_id: str
    pending: int
    running: int


async def capacity(session: AsyncSession, organization: Organization) -> Capacity:
    """Count the organization's runs that wait and that work."""
    works = Run.status.in_(RUNNING)
    query = select(func.count().filter(~works), func.count().filter(works)).where(
        Run.organization_id == organization.id, Run.status.in_(_QUEUE)
    )
    pending, running = (await session.execute(query)).one()
    return Capacity(organization_id=organization.id, pending=pending, running=running)


async def configuration_ids(
    session: AsyncSession, workspaces: Iterable[Workspace]
) -> dict[str, str]:
    """Return by workspace id the configuration of the run each is at; those without one lack."""
    ids = [each.current_run_id for each in workspaces if each.current_run_id]
    query = select(Run.workspace_id, Run.configuration_version_id).where(Run.id.in_(ids))
    return {row.workspace_id: row.configuration_version_id for row in await session.execute(query)}


async def last_runs(session: AsyncSession, workspaces: Iterable[Workspace]) -> dict[str, Run]:
    """Return by workspace id the run each is at; whoever may read a workspace may read its runs."""
    ids = [each.current_run_id for each in workspaces if each.current_run_id]
    rows = await session.scalars(select(Run).where(Run.id.in_(ids)))
    return {row.workspace_id: row for row in rows}


async def positions(session: AsyncSession, runs: Sequence[Run]) -> dict[str, int]:
    """Return by run id how many runs of its workspace go before each; those that do not wait lack.

    One question to the database, however many runs.
    """
    waiting = [run.id for run in runs if run.is_queued and run.status in _WAITING]
    if not waiting:
        return {}
    ahead = aliased(Run)
    takes_turn = or_(ahead.save_plan.is_(False), ahead.status.in_(_CONFIRMED))
    query = (
        select(Run.id, func.count(ahead.id).label("ahead"))
        .outerjoin(
            ahead,
            and_(
                ahead.workspace_id == Run.workspace_id,
                ahead.number < Run.number,
                ahead.status.not_in(FINAL),
                ahead.plan_only.is_(False),
                takes_turn,
            ),
        )
        .where(Run.id.in_(waiting))
        .group_by(Run.id)
    )
    return {row.id: row.ahead for row in await session.execute(query)}


async def wait_reasons(
    session: AsyncSession, runs: Sequence[Run], approvals: Mapping[str, Standing] | None = None
) -> dict[str, str]:
    """Say by run id in a sentence what each run waits for; empty when it does not wait.

    Eight questions to the database at most, however many runs.

    Args:
        approvals: the runs' `standings`, for who has asked for them.
    """
    reasons = {run.id: _AT_REST.get(run.status, "") for run in runs}
    if approvals is None:
        approvals = await standings(session, runs)
    for run_id, standing in approvals.items():
        if not standing.is_met:
            reasons[run_id] = f"Waiting for {standing.lacking}."
    queued = [run.id for run in runs if run.status in _QUEUED]
    reasons |= await pools.wait_reasons(session, queued) if queued else {}
    waiting = [run for run in runs if run.status in _WAITING]
    if not waiting:
        return reasons
    uploaded = select(ConfigurationVersion.id).where(
        ConfigurationVersion.id.in_({run.configuration_version_id for run in waiting}),
        ConfigurationVersion.status == ConfigurationStatus.UPLOADED,
    )
    ready = set(await session.scalars(uploaded))
    ids = {run.workspace_id for run in waiting}
    query = select(Workspace).where(Workspace.id.in_(ids))
    places = {row.id: row for row in await session.scalars(query)}
    holders = await workspace_queue.holders(session, places.values())
    for run in waiting:
        if run.configuration_version_id in ready:
            workspace = places[run.workspace_id]
            reasons[run.id] = _turn_reason(workspace, holders.get(workspace.id))
        else:
            reasons[run.id] = "Waiting for the configuration to be uploaded."
    return reasons


def _turn_reason(workspace: Workspace, ahead: Run | None) -> str:
    if ahead is not None:
        return f"Waiting for {ahead.id}, which is {ahead.status}."
    if workspace.lock_holder_kind is LockHolder.RUN:
        # No run at work has it, so it was kept, and a reason with it (`endings`).
        return f"Waiting for somebody to unlock the workspace: {workspace.lock_reason}."
    if workspace.is_locked:
        because = f": {workspace.lock_reason}" if workspace.lock_reason else "."
        return f"Waiting for the workspace to be unlocked by {workspace.lock_holder_id}{because}"
    return "Waiting for the runs before it."


async def went_before(session: AsyncSession, run: Run) -> list[str]:
    """Return which runs a run waited for until its turn came, oldest first; none before that."""
    turn_came = run.status_timestamps.get("plan-queued-at")
    if turn_came is None or not run.is_queued:
        return []
    query = (
        select(Run.id)
        .where(
            Run.workspace_id == run.workspace_id,
            Run.number.between(run.number - _MOST_BEFORE, run.number - 1),
            Run.changed_at > run.created_at,
            Run.changed_at <= datetime.fromisoformat(turn_came) + _ROUNDED,
            Run.plan_only.is_(False),
            Run.save_plan.is_(False),
        )
        .order_by(Run.number)
    )
    return list(await session.scalars(query))


async def comments_of(session: AsyncSession, run: Run) -> Sequence[Comment]:
    """Return what was said of a run the caller could get, oldest first."""
    query = select(Comment).where(Comment.run_id == run.id).order_by(Comment.created_at)
    return (await session.scalars(query)).all()


async def comment(session: AsyncSession, actor: Actor, comment_id: str) -> Comment:
    """Return one comment; NotFoundError also when `actor` may not know of its run."""
    missing = NotFoundError(f"There is no comment {comment_id}.")
    row = await session.get(Comment, comment_id)
    if row is None:
        raise missing
    try:
        await get(session, actor, row.run_id)
    except NotFoundError:
        raise missing from None
    return row


async def events_of(session: AsyncSession, run: Run) -> Sequence[EventRow]:
    """Return what happened to a run the caller could get, in order.

    Which secrets it was given is for readers of the audit trail.
    """
    query = select(EventRow).where(
        EventRow.subject_id == run.id, EventRow.name != SecretsGiven.__name__
    )
    return (await session.scalars(query.order_by(EventRow.id))).all()


async def creators(session: AsyncSession, run_ids: Iterable[str]) -> Mapping[str, str]:
    """Return who made each of the runs, by its id; the caller may know of the runs."""
    query = select(Run.id, Run.created_by).where(Run.id.in_(list(run_ids)))
    return {row.id: row.created_by for row in await session.execute(query)}


async def artefact(store: Store, phase: RunPhase, name: Artefact) -> bytes:
    """Return a file that a phase left, once the phase has finished.

    Raises:
        NotFoundError: it left none.
    """
    epoch = phase.artefacts.get(name.value)
    if epoch is None or phase.status not in (PhaseStatus.FINISHED, PhaseStatus.ERRORED):
        raise NotFoundError(f"{phase.id} has no {name} (it is {phase.status}).")
    return await store.get(artefact_path(phase.id, name, epoch))


_QUEUE = frozenset(
    {
        RunStatus.PENDING,
        RunStatus.PLAN_QUEUED,
        RunStatus.PLANNING,
        RunStatus.CONFIRMED,
        RunStatus.APPLY_QUEUED,
        RunStatus.APPLYING,
    }
)


async def _paged(
    session: AsyncSession,
    page: Page,
    *conditions: ColumnElement[bool],
    most_ahead: int | None = None,
) -> Paged[Run]:
    """Return one page, newest first.

    Args:
        most_ahead: how many rows after the page are counted; None: all of them.
    """
    query = select(Run).where(*conditions).order_by(Run.number.desc())
    rows = list(await session.scalars(query.limit(page.size).offset(page.offset)))
    total = page.total_after(rows)
    if total is not None:
        return Paged(items=rows, total=total)
    counted = select(Run.id).where(*conditions)
    if most_ahead is None:
        total = await session.scalar(select(func.count()).select_from(counted.subquery()))
        return Paged(items=rows, total=total or 0)
    most = page.offset + page.size + most_ahead
    some = counted.limit(most + 1).subquery()
    total = await session.scalar(select(func.count()).select_from(some)) or 0
    return Paged(items=rows, total=min(total, most), is_counted=total <= most)
