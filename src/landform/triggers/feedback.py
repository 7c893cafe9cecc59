"""Tells providers of runs: statuses, and one comment per workspace under a pull request.

What a run's status is and what was told of it last are both in the database; whatever differs is
told. So nothing is lost that a worker dies over, and nothing is held open while a provider is
asked.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations.models import Ingress
from landform.contract import LogStream, Phase
from landform.kit.db import database_now, transaction
from landform.kit.errors import LandformError, UnavailableError
from landform.logs import service as logs
from landform.organizations.models import Organization
from landform.runs.models import Run, RunPhase
from landform.runs.rows import phase_of
from landform.runs.status import FINAL, RunStatus
from landform.triggers.desk import Desk
from landform.triggers.models import PullRequestComment, RunFeedback
from landform.triggers.rendering import Report, comment_of, state_of
from landform.vcs.credentials import open_provider
from landform.vcs.errors import ProviderAwayError
from landform.vcs.facts import Repository, Status
from landform.vcs.provider import VcsProvider
from landform.workspaces.models import Workspace

log = structlog.get_logger()

_CLAIM: Final = timedelta(seconds=120)
_BACKOFF_S: Final = (2, 10, 30, 120, 600, 1800, 3600, 7200)
_OUTPUT_BYTES: Final = 2 << 20  # of a plan's log; more is not looked at
# A comment is edited when there is something to read, not for each step on the way.
_WORTH_A_COMMENT: Final = FINAL | {RunStatus.PLANNED, RunStatus.PLANNED_AND_SAVED}


@dataclass(frozen=True)
class _Claim:
    """A run whose provider is behind, as it was when we looked."""

    feedback: RunFeedback
    report: Report
    workspace_id: str
    comment_id: str
    is_newest: bool


async def tell_due(desk: Desk) -> int:
    """Tell of every run that moved since it was told of last; return how many were tried.

    Any number of processes may do so at once.
    """
    count = 0
    while (claim := await _claim(desk)) is not None:
        count += 1
        try:
            await _tell(desk, claim)
        except LandformError as failure:
            await _note_failure(desk, claim, failure)
        else:
            await _note_told(desk, claim)
    return count


async def _claim(desk: Desk) -> _Claim | None:
    async with transaction(desk.sessions) as session:
        query = (
            select(RunFeedback, Run)
            .join(Run, Run.id == RunFeedback.run_id)
            .where(
                RunFeedback.next_at <= func.clock_timestamp(),
                RunFeedback.told_status != Run.status,
            )
            .order_by(RunFeedback.next_at)
            .limit(1)
            .with_for_update(of=RunFeedback, skip_locked=True)
        )
        found = (await session.execute(query)).one_or_none()
        if found is None:
            return None
        feedback, run = found
        feedback.next_at = await database_now(session) + _CLAIM
        return await _read(session, desk, feedback, run)


async def _read(session: AsyncSession, desk: Desk, feedback: RunFeedback, run: Run) -> _Claim:
    workspace = await session.get_one(Workspace, run.workspace_id)
    organization = await session.get_one(Organization, run.organization_id)
    plan = await phase_of(session, run, Phase.PLAN)
    base = desk.reach.public_url
    page = f"{base}/app/{organization.name}/{workspace.name}/runs/{run.id}" if base else ""
    comment = None
    if feedback.pull_request_number is not None:
        key = _comment_key(feedback, workspace.id)
        comment = await session.get(PullRequestComment, key)
    return _Claim(
        feedback=feedback,
        report=Report(
            name=f"{organization.name}/{workspace.name}",
            run_id=run.id,
            status=run.status,
            commit=feedback.commit_sha,
            url=page,
            error=run.error,
            counts=_counts(plan),
        ),
        workspace_id=workspace.id,
        comment_id=comment.comment_id if comment else "",
        is_newest=await _is_newest(session, feedback, run),
    )


def _counts(plan: RunPhase) -> tuple[int, int, int] | None:
    if plan.additions is None:
        return None
    return plan.additions, plan.changes or 0, plan.destructions or 0


async def _is_newest(session: AsyncSession, feedback: RunFeedback, run: Run) -> bool:
    """Tell whether no later run of the workspace is about the same pull request."""
    query = (
        select(func.max(Run.number))
        .join(Ingress, Ingress.configuration_version_id == Run.configuration_version_id)
        .where(
            Run.workspace_id == run.workspace_id,
            Ingress.connection_id == feedback.connection_id,
            Ingress.repository_id == feedback.repository_id,
            Ingress.pull_request_number == feedback.pull_request_number,
        )
    )
    return (await session.scalar(query)) in (None, run.number)


async def _tell(desk: Desk, claim: _Claim) -> None:
    """Tell all there is to tell, even when one part is not taken; then raise what was not."""
    feedback, report = claim.feedback, claim.report
    provider = await open_provider(desk.reach, feedback.connection_id)
    repository = await provider.repository(feedback.repository_id)
    state, words = state_of(report)
    status = Status(
        state=state,
        name=report.name,
        description=words,
        url=report.url,
        key=report.run_id,
        details=partial(_details, desk, report) if report.status in _WORTH_A_COMMENT else None,
    )
    number = feedback.pull_request_number
    parts: list[Awaitable[None]] = [
        provider.set_commit_status(repository, feedback.commit_sha, status)
    ]
    if number is not None:
        sha = feedback.commit_sha
        parts.append(provider.set_pull_request_status(repository, number, sha, status))
        if claim.is_newest and report.status in _WORTH_A_COMMENT:
            parts.append(_comment(desk, claim, provider, repository, number))
    failures = []
    for part in parts:
        try:
            await part
        except LandformError as failure:
            failures.append(failure)
    if failures:
        away = [each for each in failures if isinstance(each, UnavailableError)]
        raise (away or failures)[0]


async def _comment(
    desk: Desk, claim: _Claim, provider: VcsProvider, repository: Repository, number: int
) -> None:
    report = claim.report
    comment_id = await provider.upsert_comment(
        repository,
        number,
        await _details(desk, report),
        comment_id=claim.comment_id,
        needs_attention=report.status is RunStatus.ERRORED,
    )
    async with transaction(desk.sessions) as session:
        key = _comment_key(claim.feedback, claim.workspace_id)
        row = await session.get(PullRequestComment, key, with_for_update=True)
        if row is None:
            row = PullRequestComment(
                workspace_id=key[0], connection_id=key[1], repository_id=key[2], number=key[3]
            )
            session.add(row)
        row.comment_id, row.run_id = comment_id, report.run_id


async def _details(desk: Desk, report: Report) -> str:
    """Return what there is to read of a run, with what terraform said."""
    phase_id = f"plan-{report.run_id.removeprefix('run-')}"
    output = await logs.read(
        desk.sessions, desk.platform.store, phase_id=phase_id, stream=LogStream.TEXT
    )
    text = output[-_OUTPUT_BYTES:].decode(errors="replace")
    return comment_of(replace(report, output=text))


def _comment_key(feedback: RunFeedback, workspace_id: str) -> tuple[str, str, str, int]:
    number = feedback.pull_request_number or 0
    return workspace_id, feedback.connection_id, feedback.repository_id, number


async def _note_told(desk: Desk, claim: _Claim) -> None:
    async with transaction(desk.sessions) as session:
        row = await session.get(RunFeedback, claim.feedback.run_id, with_for_update=True)
        if row is None:
            return
        row.told_status, row.attempts, row.problem = claim.report.status, 0, ""
        is_over = claim.report.status in FINAL
        row.next_at = None if is_over else await database_now(session)


async def _note_failure(desk: Desk, claim: _Claim, failure: LandformError) -> None:
    log.info("a provider was not told", run=claim.report.run_id, reason=str(failure))
    async with transaction(desk.sessions) as session:
        row = await session.get(RunFeedback, claim.feedback.run_id, with_for_update=True)
        if row is None:
            return
        row.problem = str(failure)
        row.attempts += 1
        if row.attempts > len(_BACKOFF_S):
            row.next_at = None
            return
        pause_s: float = _BACKOFF_S[row.attempts - 1]
        if isinstance(failure, ProviderAwayError):
            pause_s = max(pause_s, failure.retry_after_s)
        row.next_at = await database_now(session) + timedelta(seconds=pause_s)
