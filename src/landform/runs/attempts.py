"""An attempt at a phase, as the control plane sees it: begin, write, end. All fenced.

These are the other side of `contract.ControlPlane`; a worker in our process calls them directly,
an agent through HTTP (`landform.api.agent`).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import cast, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import queries as configurations
from landform.configurations.models import ConfigurationVersion
from landform.contract import (
    Artefact,
    Attempt,
    Counts,
    Created,
    LostLeaseError,
    Orders,
    Outcome,
    Phase,
    PhaseJob,
    PhaseResult,
    PlanOptions,
    Stop,
)
from landform.dispatch import service as dispatch
from landform.dispatch.models import WORKERS, Lease
from landform.identity import run_tokens
from landform.identity.actor import SYSTEM
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import InvalidError, LandformError, NotFoundError
from landform.kit.failpoints import FailPoint, reach
from landform.kit.storage import Store
from landform.logs import service as logs
from landform.organizations.models import Organization
from landform.runs import drift, endings, inputs, module_access, rows, service, workload_identity
from landform.runs.attempt_paths import artefact_path
from landform.runs.given_secrets import tell_given, tell_signed
from landform.runs.models import Run, RunPhase
from landform.runs.moves import move
from landform.runs.rows import phase_of
from landform.runs.standing import standing_of
from landform.runs.status import PhaseStatus, Step
from landform.states import service as states
from landform.states.models import StateVersion
from landform.toolchain.versions import Tool
from landform.workspaces.models import Project, Workspace

Resolve = Callable[[Tool, str], Awaitable[str]]

_FROM_STRANGER: Final = (
    "This is the code of a fork: it is planned without the workspace's sensitive variables, without"
    " dynamic credentials, without its SSH key and without a token for the platform."
)
_INPUTS_OF_APPLY: Final = frozenset({Artefact.PLAN, Artefact.LOCK_FILE})


@dataclass(frozen=True)
class Limits:
    """What every attempt is given."""

    lease_s: float = 10.0
    timeout_s: float = 7200.0
    grace_s: float = 30.0


@dataclass(frozen=True)
class Platform:
    """What the functions here need of the process they run in.

    Attributes:
        public_url: where others reach the platform, without a trailing slash; empty: nowhere.
    """

    sessions: Sessions
    store: Store
    keyring: Keyring
    limits: Limits
    public_url: str = ""


async def begin(
    platform: Platform,
    resolve: Resolve,
    *,
    phase_id: str,
    worker_id: str,
    sandbox: str = "",
    pool: str = WORKERS,
) -> PhaseJob | None:
    """Take the phase for this worker; None when there is nothing to do.

    A version that cannot be had, or a plan that went stale while it waited, ends the run here.

    Args:
        sandbox: what keeps the worker's runs apart; see `RunPhase`.
        pool: what the worker belongs to; a phase of another is nothing to do.
    """
    asked = await asked_version(platform, phase_id)
    if asked is None:
        return None
    version, failure = await _resolved(resolve, *asked)
    reach(FailPoint.ATTEMPT_RESOLVED)
    async with transaction(platform.sessions) as session:
        phase = await session.get_one(RunPhase, phase_id)
        workspace, run = await rows.locked(session, phase.run_id)
        lease = await dispatch.lease(
            session,
            phase_id=phase_id,
            worker_id=worker_id,
            lease_s=platform.limits.lease_s,
            pool=pool,
        )
        if lease is None:
            return None
        if phase.phase is Phase.APPLY and not service.is_fresh(workspace, run):
            reason = f"The state of workspace {workspace.name} changed after the plan was made."
            await endings.end_run(session, workspace, run, Step.FAIL, reason=reason)
            return None
        run.tool_version = version
        await _start(session, workspace, run, phase)
        phase.sandbox = sandbox
        job = await _job(session, platform, workspace, run, phase, lease)
        is_strangers = await _is_strangers(session, run)
        if is_strangers:
            job = _without_secrets(job)
        elif phase.phase is Phase.PLAN and not run.plan_only:
            lacking = (await standing_of(session, run)).lacking
            notice = f"Before it is applied, this needs {lacking}." if lacking else ""
            job = job.model_copy(update={"notice": notice})
        if not is_strangers:
            key = await module_access.key_of(session, platform.keyring, workspace)
            token = await run_tokens.mint(
                session,
                phase_id=phase_id,
                run_id=run.id,
                workspace_id=workspace.id,
                organization_id=workspace.organization_id,
            )
            job = job.model_copy(update={"token": token, "credentials": key})
            tell_given(session, job, workspace)
        reach(FailPoint.ATTEMPT_LEASING)
    reach(FailPoint.ATTEMPT_LEASED)
    if failure is None and not is_strangers:
        job, failure = await _with_credentials(platform, job)
    if failure is None:
        return job
    await say(platform, job, f"Error: {failure}")
    await finish(platform, job, PhaseResult(outcome=Outcome.ERRORED, error=str(failure)))
    return None


async def renew(platform: Platform, job: Attempt) -> Orders:
    """Keep the lease and hear whether to stop."""
    async with transaction(platform.sessions) as session:
        return await dispatch.renew(
            session, phase_id=job.phase_id, epoch=job.epoch, lease_s=job.lease_s
        )


async def fetch(platform: Platform, job: Attempt, artefact: Artefact) -> bytes | None:
    """Read an input of the phase; None when there is none."""
    async with transaction(platform.sessions) as session:
        await dispatch.look(session, phase_id=job.phase_id, epoch=job.epoch, run_id=job.run_id)
        path = await _input_path(session, job, artefact)
    if path is None:
        return None
    return await platform.store.get(path)


async def put(platform: Platform, job: Attempt, artefact: Artefact, data: bytes) -> None:
    """Keep an output of the phase; the write of the attempt that ends it is the one that counts."""
    # Once before the write as well: what an attempt left that ended its phase must stay.
    async with transaction(platform.sessions) as session:
        await dispatch.look(session, phase_id=job.phase_id, epoch=job.epoch, run_id=job.run_id)
    await platform.store.put(artefact_path(job.phase_id, artefact, job.epoch), data)
    reach(FailPoint.ARTEFACT_STORED)
    async with transaction(platform.sessions) as session:
        await dispatch.guard(session, phase_id=job.phase_id, epoch=job.epoch)
        kept = RunPhase.artefacts.concat(cast({artefact.value: job.epoch}, JSONB))
        await session.execute(
            update(RunPhase).where(RunPhase.id == job.phase_id).values(artefacts=kept),
            execution_options={"synchronize_session": False},
        )
    reach(FailPoint.ARTEFACT_KEPT)


async def put_state(platform: Platform, job: Attempt, raw: bytes, *, final: bool) -> None:
    """Make a state of an apply the workspace's newest.

    Raises:
        InvalidError: it is not a state, or the phase is not an apply.
        ConflictError: an old serial or another lineage.
    """
    if job.phase is not Phase.APPLY:
        raise InvalidError("Only an apply may write state.")
    state = states.new_from_run(job.workspace_id, job.run_id, raw, final=final)
    await platform.store.put(state.path, raw)
    reach(FailPoint.RUN_STATE_STORED)
    async with transaction(platform.sessions) as session:
        await rows.locked(session, job.run_id, of=job.workspace_id)
        await dispatch.guard(session, phase_id=job.phase_id, epoch=job.epoch, run_id=job.run_id)
        await states.save_from_run(session, platform.keyring, state, raw)
        reach(FailPoint.RUN_STATE_SAVING)
    reach(FailPoint.RUN_STATE_SAVED)


async def offer_state(platform: Platform, job: Attempt, raw: bytes) -> None:
    """Keep a state that came too late beside the others; needs no lease, changes nothing else.

    Raises:
        InvalidError: it is not a state, or the phase is not an apply.
    """
    if job.phase is not Phase.APPLY:
        raise InvalidError("Only an apply may write state.")
    state = states.new_from_run(job.workspace_id, job.run_id, raw, final=False)
    await platform.store.put(state.path, raw)
    async with transaction(platform.sessions) as session:
        workspace, run = await rows.locked(session, job.run_id, of=job.workspace_id)
        if (await phase_of(session, run, Phase.APPLY)).id != job.phase_id:
            raise InvalidError(f"{job.phase_id} is no apply of {job.run_id}.")
        await states.offer(session, workspace, state, size_bytes=len(raw))


async def report_created(platform: Platform, job: Attempt, created: Sequence[Created]) -> None:
    """Note the objects made since the newest state that reached us, in place of earlier notes."""
    async with transaction(platform.sessions) as session:
        await dispatch.guard(session, phase_id=job.phase_id, epoch=job.epoch)
        phase = await session.get_one(RunPhase, job.phase_id, with_for_update=True)
        phase.maybe_not_in_state = [one.model_dump() for one in created]
    reach(FailPoint.CREATED_REPORTED)


async def finish(platform: Platform, job: Attempt, result: PhaseResult) -> None:
    """End the phase and move the run on, in one transaction: what a client sees next is final."""
    async with transaction(platform.sessions) as session:
        workspace, run = await rows.locked(session, job.run_id)
        try:
            lease = await dispatch.end(
                session, phase_id=job.phase_id, epoch=job.epoch, run_id=job.run_id
            )
        except LostLeaseError:
            if await dispatch.was_ended_by(session, phase_id=job.phase_id, epoch=job.epoch):
                return
            raise
        phase = await session.get_one(RunPhase, job.phase_id)
        _count(phase, result.counts)
        phase.has_changes = result.has_changes
        phase.maybe_not_in_state = [one.model_dump() for one in result.maybe_not_in_state]
        await logs.seal(session, phase.id)
        if phase.phase is Phase.PLAN and run.cancel_asked_at is not None:
            # Whoever was promised a stop must not see the plan go on to its apply.
            result = result.model_copy(update={"outcome": Outcome.CANCELED})
        if result.outcome is Outcome.FINISHED:
            phase.move(PhaseStatus.FINISHED)
            drift.note(session, workspace, run, phase, result.counts)
            await _move_on(session, workspace, run, phase)
        else:
            was_killed = lease is not None and lease.stop is Stop.KILL
            keep_lock = phase.phase is Phase.APPLY and (
                bool(result.maybe_not_in_state) or result.state_in_doubt or was_killed
            )
            await _fail(session, workspace, run, phase, result, keep_lock=keep_lock)
        reach(FailPoint.ATTEMPT_FINISHING)
    reach(FailPoint.ATTEMPT_FINISHED)


async def forfeit(platform: Platform, job: Attempt) -> None:
    """Say that the attempt's process ends before its phase does; the sweep sees to the phase."""
    async with transaction(platform.sessions) as session:
        await dispatch.forfeit(session, phase_id=job.phase_id, epoch=job.epoch)


async def _start(session: AsyncSession, workspace: Workspace, run: Run, phase: RunPhase) -> None:
    phase.attempts += 1
    phase.move(PhaseStatus.RUNNING)
    if phase.phase is Phase.PLAN:
        run.state_version_id = workspace.current_state_version_id
        await move(session, run, Step.START_PLAN)
    else:
        await move(session, run, Step.START_APPLY)


async def _job(
    session: AsyncSession,
    platform: Platform,
    workspace: Workspace,
    run: Run,
    phase: RunPhase,
    lease: Lease,
) -> PhaseJob:
    names = (
        select(Organization.name, Project.name)
        .join(Project, Project.organization_id == Organization.id)
        .where(Project.id == workspace.project_id)
    )
    organization, project = (await session.execute(names)).one()
    return PhaseJob(
        phase_id=phase.id,
        phase=phase.phase,
        run_id=run.id,
        workspace_id=workspace.id,
        epoch=lease.epoch,
        lease_s=platform.limits.lease_s,
        tool=run.tool,
        version=run.tool_version,
        working_directory=workspace.working_directory,
        options=PlanOptions(
            is_destroy=run.is_destroy,
            refresh=run.refresh,
            refresh_only=run.refresh_only,
            target_addrs=run.target_addrs,
            replace_addrs=run.replace_addrs,
            allow_config_generation=run.allow_config_generation,
        ),
        variables=await inputs.of_run(session, platform.keyring, workspace, run),
        timeout_s=platform.limits.timeout_s,
        grace_s=platform.limits.grace_s,
        context={
            "organization": organization,
            "project": project,
            "workspace": workspace.name,
            "organization_id": workspace.organization_id,
            "project_id": workspace.project_id,
            "workspace_id": workspace.id,
        },
    )


async def _is_strangers(session: AsyncSession, run: Run) -> bool:
    found = await configurations.ingress_of(session, [run.configuration_version_id])
    return any(ingress.from_stranger for ingress in found.values())


def _without_secrets(job: PhaseJob) -> PhaseJob:
    return job.model_copy(
        update={
            "variables": [one for one in job.variables if not one.sensitive],
            "notice": _FROM_STRANGER,
        }
    )


async def _with_credentials(
    platform: Platform, job: PhaseJob
) -> tuple[PhaseJob, LandformError | None]:
    try:
        made = await workload_identity.make_credentials(
            platform.sessions, platform.keyring, job, public_url=platform.public_url
        )
    except InvalidError as failure:
        return job, failure
    if made.secrets:
        async with transaction(platform.sessions) as session:
            tell_signed(session, job, [each.audience for each in workload_identity.wanted(job)])
    return job.model_copy(update={"credentials": job.credentials.with_more(made)}), None


async def asked_version(platform: Platform, phase_id: str) -> tuple[Tool, str] | None:
    """Return the tool that the phase is to be done with, and what was asked of its version."""
    query = (
        select(Run.tool, Run.tool_version)
        .join(RunPhase, RunPhase.run_id == Run.id)
        .where(RunPhase.id == phase_id)
    )
    async with transaction(platform.sessions) as session:
        row = (await session.execute(query)).one_or_none()
    return None if row is None else (row.tool, row.tool_version)


async def _resolved(resolve: Resolve, tool: Tool, asked: str) -> tuple[str, LandformError | None]:
    """Resolve what was asked for to one version, before a lease runs; the apply uses the same."""
    try:
        return await resolve(tool, asked), None
    except LandformError as failure:
        return asked, failure


async def say(platform: Platform, job: PhaseJob, line: str) -> None:
    """Add a line of the platform's own to both logs of the attempt."""
    async with transaction(platform.sessions) as session:
        await dispatch.guard(session, phase_id=job.phase_id, epoch=job.epoch)
        await logs.say(session, job.phase_id, line)


async def _input_path(session: AsyncSession, job: Attempt, artefact: Artefact) -> str | None:
    if artefact is Artefact.CONFIGURATION:
        of_run = ConfigurationVersion.id == Run.configuration_version_id
        used = select(ConfigurationVersion).join(Run, of_run).where(Run.id == job.run_id)
        return (await session.scalars(used)).one().path
    if artefact is Artefact.STATE:
        of_run = StateVersion.id == Run.state_version_id
        seen = select(StateVersion).join(Run, of_run).where(Run.id == job.run_id)
        state = (await session.scalars(seen)).one_or_none()
        return None if state is None else state.path
    if job.phase is Phase.APPLY and artefact in _INPUTS_OF_APPLY:
        plan = await phase_of(session, await session.get_one(Run, job.run_id), Phase.PLAN)
        epoch = plan.artefacts.get(artefact.value)
        return None if epoch is None else artefact_path(plan.id, artefact, epoch)
    raise NotFoundError(f"{artefact} is not an input of a {job.phase}.")


def _count(phase: RunPhase, counts: Counts) -> None:
    phase.additions = counts.additions
    phase.changes = counts.changes
    phase.destructions = counts.destructions
    phase.imports = counts.imports


async def _move_on(session: AsyncSession, workspace: Workspace, run: Run, phase: RunPhase) -> None:
    if phase.phase is Phase.APPLY:
        await move(session, run, Step.APPLY)
        await endings.after_end(session, workspace, run)
        return
    run.has_changes = phase.has_changes
    if run.plan_only or not (run.has_changes or run.allow_empty_apply):
        await move(session, run, Step.PLAN_NOTHING)
    elif run.save_plan:
        await move(session, run, Step.SAVE_PLAN)
    else:
        await move(session, run, Step.PLAN)
        goes_on = run.auto_apply and service.is_fresh(workspace, run)
        if goes_on and (await standing_of(session, run)).is_met:
            await service.confirm_locked(session, SYSTEM, workspace, run)
    await endings.after_end(session, workspace, run)


async def _fail(
    session: AsyncSession,
    workspace: Workspace,
    run: Run,
    phase: RunPhase,
    result: PhaseResult,
    *,
    keep_lock: bool,
) -> None:
    is_canceled = result.outcome is Outcome.CANCELED
    phase.move(PhaseStatus.CANCELED if is_canceled else PhaseStatus.ERRORED)
    await move(session, run, Step.CANCEL if is_canceled else Step.FAIL, reason=result.error)
    await endings.after_end(session, workspace, run, keep_lock=keep_lock)
