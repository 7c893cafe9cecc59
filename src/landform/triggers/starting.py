"""Runs started from a repository: configurations that await their commit, and their runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import service as configurations
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion, Ingress
from landform.configurations.service import NewConfiguration
from landform.identity.actor import SYSTEM, Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import LandformError
from landform.kit.tasks import defer
from landform.runs import creation
from landform.runs import service as runs
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.runs.status import FINAL
from landform.triggers.models import RunFeedback
from landform.vcs.kinds import Kind
from landform.workspaces.models import Workspace, WorkspaceRepository

FETCH_COMMIT: Final = "landform.fetch_commit"
QUEUE: Final = "vcs"
_SHORT: Final = 8  # characters of a commit's id, for people

# What TFE calls the provider in a configuration version's source.
SOURCES: Final = {
    Kind.AZURE_DEVOPS: "ado",
    Kind.AZURE_DEVOPS_SERVER: "ado",
    Kind.GITHUB: "github",
    Kind.GITHUB_ENTERPRISE: "github",
    Kind.GITLAB: "gitlab",
    Kind.GITLAB_SELF_MANAGED: "gitlab",
    Kind.BITBUCKET: "bitbucket",
    Kind.BITBUCKET_DATA_CENTER: "bitbucket",
    Kind.GITEA: "gitea",
    Kind.GIT: "git",
}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is planned: a commit of a repository, and how it got there.

    Attributes:
        ref: whole name of the branch or tag that has it.
        message: of the commit, as far as it is known before it is fetched.
        pull_request: its number, for a speculative plan.
        is_fork: the pull request's source is another repository.
    """

    connection_id: str
    kind: Kind
    repository_id: str
    ref: str
    commit: str
    base_commit: str = ""
    message: str = ""
    sender: str = ""
    pull_request: int | None = None
    is_fork: bool = False
    pull_request_title: str = ""
    pull_request_url: str = ""


async def start_run(
    session: AsyncSession,
    keyring: Keyring,
    workspace: Workspace,
    repository: WorkspaceRepository,
    origin: Origin,
    *,
    actor: Actor = SYSTEM,
    applies: bool = False,
) -> Run:
    """Create the run of a commit; it waits until the commit is fetched (`FETCH_COMMIT`).

    Args:
        actor: who asked for it, and must have the permission to.
        applies: of a pull request too, the plan is applied as soon as it is made.

    Raises:
        LandformError: the workspace takes no run; nothing was written.
    """
    is_speculative = origin.pull_request is not None and not applies
    kind = repository.push_run_kind if origin.pull_request is None else None
    new = NewConfiguration(
        auto_queue_runs=False, speculative=is_speculative, source=SOURCES[origin.kind]
    )
    async with session.begin_nested():
        version = await configurations.create(session, SYSTEM, workspace, new)
        ingress = _ingress(version, repository, origin)
        # Whoever has a fork's plan applied, and may, has looked at it.
        ingress.from_stranger = origin.is_fork and not applies
        session.add(ingress)
        await session.flush()
        run = await creation.create_run(
            session,
            keyring,
            actor,
            workspace,
            NewRun(
                message=_message(origin),
                source="tfe-configuration-version",
                configuration_version_id=version.id,
                plan_only=kind.plan_only if kind else None,
                auto_apply=True if applies else (kind.auto_apply if kind else None),
            ),
        )
        session.add(
            RunFeedback(
                run_id=run.id,
                connection_id=origin.connection_id,
                repository_id=origin.repository_id,
                commit_sha=origin.commit,
                pull_request_number=origin.pull_request,
            )
        )
        await session.flush()
    return run


async def begin_with(
    session: AsyncSession,
    keyring: Keyring,
    workspace: Workspace,
    repository: WorkspaceRepository,
    kind: Kind,
) -> None:
    """Fetch the branch's commit as the workspace's configuration, once it is connected.

    It is planned at once only in a workspace that queues all runs; else it waits for somebody to
    start a run, or for the first push.
    """
    origin = Origin(
        connection_id=repository.connection_id,
        kind=kind,
        repository_id=repository.repository_id,
        ref=f"refs/heads/{repository.followed_branch}",
        commit=repository.linked_commit,
    )
    if workspace.queue_all_runs:
        await start_run(session, keyring, workspace, repository, origin)
    else:
        new = NewConfiguration(auto_queue_runs=False, source=SOURCES[kind])
        version = await configurations.create(session, SYSTEM, workspace, new)
        session.add(_ingress(version, repository, origin))
        await session.flush()
    await ask_to_fetch(session, origin)


async def ask_to_fetch(session: AsyncSession, origin: Origin) -> None:
    """Have the commit fetched, for all runs that wait for it, once the transaction is committed."""
    await defer(
        session,
        FETCH_COMMIT,
        queue=QUEUE,
        connection_id=origin.connection_id,
        repository_id=origin.repository_id,
        commit=origin.commit,
    )


async def waiting_for(
    session: AsyncSession, connection_id: str, repository_id: str, commit: str
) -> list[tuple[ConfigurationVersion, Ingress]]:
    """Return what waits for the commit to be fetched, by workspace."""
    query = (
        select(ConfigurationVersion, Ingress)
        .join(Ingress, Ingress.configuration_version_id == ConfigurationVersion.id)
        .where(
            Ingress.connection_id == connection_id,
            Ingress.repository_id == repository_id,
            Ingress.commit_sha == commit,
            ConfigurationVersion.status == ConfigurationStatus.PENDING,
        )
        .order_by(ConfigurationVersion.workspace_id, ConfigurationVersion.id)
    )
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]


async def cancel_plans_of(
    session: AsyncSession, origin: Origin, *, workspace_id: str | None = None, reason: str
) -> list[Run]:
    """Cancel what has not ended of a pull request's plans; a run that ends just now is let be.

    A run that is to be applied, because somebody asked for that, is left alone.

    Args:
        workspace_id: of this workspace only.
    """
    canceled = []
    for run in await runs_of(session, origin, workspace_id=workspace_id):
        if not run.plan_only:
            continue
        try:
            canceled.append(await runs.cancel(session, SYSTEM, run.id, comment=reason))
        except LandformError:
            continue
    return canceled


async def runs_of(
    session: AsyncSession, origin: Origin, *, workspace_id: str | None = None
) -> Sequence[Run]:
    """Return the runs of a pull request that are under way and were not told to stop.

    Args:
        workspace_id: of this workspace only.
    """
    query = (
        select(Run)
        .join(Ingress, Ingress.configuration_version_id == Run.configuration_version_id)
        .where(
            Ingress.connection_id == origin.connection_id,
            Ingress.repository_id == origin.repository_id,
            Ingress.pull_request_number == origin.pull_request,
            Run.status.not_in(FINAL),
            Run.cancel_asked_at.is_(None),
        )
        .order_by(Run.workspace_id, Run.id)
    )
    if workspace_id is not None:
        query = query.where(Run.workspace_id == workspace_id)
    return (await session.scalars(query)).all()


def short(commit: str) -> str:
    """Return a commit's id as people write it."""
    return commit[:_SHORT]


def _message(origin: Origin) -> str:
    if origin.pull_request is not None:
        return origin.pull_request_title or f"Pull request {origin.pull_request}"
    name = origin.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return origin.message.strip() or f"{name} at {short(origin.commit)}"


def _ingress(
    version: ConfigurationVersion, repository: WorkspaceRepository, origin: Origin
) -> Ingress:
    branch = origin.ref.removeprefix("refs/heads/") if origin.ref.startswith("refs/heads/") else ""
    return Ingress(
        configuration_version_id=version.id,
        connection_id=origin.connection_id,
        repository_id=origin.repository_id,
        identifier=repository.identifier,
        clone_url=repository.web_url,
        ref=origin.ref,
        branch=branch,
        tag="" if branch else origin.ref.removeprefix("refs/tags/"),
        on_default_branch=bool(branch) and branch == repository.default_branch,
        commit_sha=origin.commit,
        base_commit=origin.base_commit,
        commit_message=origin.message,
        pull_request_number=origin.pull_request,
        pull_request_title=origin.pull_request_title,
        pull_request_url=origin.pull_request_url,
        sender_name=origin.sender,
        with_submodules=repository.ingress_submodules,
        with_large_files=repository.large_files,
    )
