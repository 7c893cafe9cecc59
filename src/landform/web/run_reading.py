"""What the page of a run is made of, read once per change however many watch it."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import queries as configurations
from landform.configurations.models import Ingress
from landform.contract import Artefact, LogStream
from landform.edge.process import Process
from landform.identity import users
from landform.identity.actor import SYSTEM
from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.logs import service as logs
from landform.runs import pools, queries
from landform.runs.models import Run, RunPhase
from landform.runs.standing import NOBODY_ASKED, Standing, standings
from landform.runs.status import PhaseStatus
from landform.web.present import plan as plans
from landform.web.present.plan import Plan
from landform.web.present.progress import Progress
from landform.web.present.runs import RunView, author_of, timeline, view
from landform.workspaces.models import Workspace

log = structlog.get_logger()

_CACHE_BYTES: Final = 64 * 2**20
_PROGRESS_CHUNK: Final = 4 * 2**20
_PROGRESS_LIMIT: Final = 64 * 2**20  # bytes of a JSON log that are read in full for progress
_PROGRESSES: Final = 64  # phases whose progress is remembered


@dataclass(frozen=True)
class Reading:
    """A run as it was at one moment."""

    run: Run
    view: RunView
    phases: tuple[RunPhase, RunPhase]
    workspace: Workspace
    standing: Standing
    approvers: list[str]


async def read_run(session: AsyncSession, run: Run) -> Reading:
    """Return a run, which the caller could get, with everything its page shows of it."""
    phases = (await queries.phases_of(session, [run.id]))[run.id]
    comments = await queries.comments_of(session, run)
    workspace = await session.get_one(Workspace, run.workspace_id)
    ids = {run.created_by, run.confirmed_by or "", workspace.lock_holder_id or ""}
    approvals = await standings(session, [run])
    standing = approvals.get(run.id, NOBODY_ASKED)
    ids |= set(standing.given)
    names = await users.names_of(session, ids | {each.author_id for each in comments})
    reason = (await queries.wait_reasons(session, [run], approvals))[run.id]
    if workspace.lock_holder_id in names:
        reason = reason.replace(workspace.lock_holder_id, names[workspace.lock_holder_id])
    saved = None
    if phases[1].status is not PhaseStatus.PENDING:
        saved = (await queries.state_ids(session, [run.id])).get(run.id, [None])[-1]
    sources = await configurations.ingress_of(session, [run.configuration_version_id])
    source = sources.get(run.configuration_version_id)
    agents = await pools.agents_of(session, run)
    before = await queries.went_before(session, run)
    stages = timeline(run, reason, author_of(run, names, source), names, agents, before)
    shown = view(run, phases, comments, names, reason, saved, source, stages)
    approvers = [names.get(user_id, user_id) for user_id in standing.given]
    return Reading(run, shown, phases, workspace, standing, approvers)


async def authors_of(session: AsyncSession, runs: Iterable[Run]) -> Mapping[str, str]:
    """Return who started runs, which the caller could get, by the runs' ids."""
    every = list(runs)
    names = await users.names_of(session, {run.created_by for run in every})
    sources: Mapping[str, Ingress] = {}
    if by_repositories := {
        run.configuration_version_id for run in every if run.created_by == SYSTEM.id
    }:
        sources = await configurations.ingress_of(session, by_repositories)
    return {
        run.id: author_of(run, names, sources.get(run.configuration_version_id)) for run in every
    }


class PlanShelf:
    """Plans that were read lately. A finished plan never changes."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._reading: dict[str, asyncio.Lock] = {}

    async def plan(self, process: Process, phase: RunPhase) -> Plan | None:
        """Return the plan that the phase made; None when it made none, or it cannot be read."""
        is_over = phase.status in (PhaseStatus.FINISHED, PhaseStatus.ERRORED)
        if not is_over or Artefact.PLAN_JSON_REDACTED.value not in phase.artefacts:
            return None
        if phase.id in self._plans:
            self._plans.move_to_end(phase.id)
            return self._plans[phase.id]
        try:
            document = await queries.artefact(
                process.platform.store, phase, Artefact.PLAN_JSON_REDACTED
            )
            plan = await asyncio.to_thread(plans.read, document)
        except (LandformError, ValueError) as failure:
            log.warning("A plan cannot be shown", phase=phase.id, error=str(failure))
            return None
        self._plans[phase.id] = plan
        while sum(each.size_bytes for each in self._plans.values()) > _CACHE_BYTES:
            self._plans.popitem(last=False)
        return plan

    async def progress(self, process: Process, phase: RunPhase) -> Progress:
        """Return what the phase's JSON log tells, reading only what was added since."""
        progress = self._progress.setdefault(phase.id, Progress())
        self._progress.move_to_end(phase.id)
        lock = self._reading.setdefault(phase.id, asyncio.Lock())
        async with lock:
            async with transaction(process.platform.sessions) as session:
                size = await logs.size(session, phase.id, LogStream.JSON)
            while True:
                unread = size - progress.read_bytes
                if progress.read_bytes >= _PROGRESS_LIMIT and unread > _PROGRESS_CHUNK:
                    progress.skip(unread - _PROGRESS_CHUNK)
                content = await logs.read_framed(
                    process.platform.sessions,
                    process.platform.store,
                    phase_id=phase.id,
                    stream=LogStream.JSON,
                    offset=progress.read_bytes + 1,
                    limit=_PROGRESS_CHUNK,
                )
                content = content.removesuffix(logs.ETX)
                if not content:
                    break
                progress.take(content)
        while len(self._progress) > _PROGRESSES:
            gone, _ = self._progress.popitem(last=False)
            self._reading.pop(gone, None)
        return progress


SHELF: Final = PlanShelf()
