"""The repository of a workspace: connecting, changing and disconnecting it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import may, require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.text import check_text
from landform.vcs.models import Connection
from landform.vcs.provider import Repository
from landform.workspaces.events import RepositoryConnected, RepositoryDisconnected
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.patterns import check_regex
from landform.workspaces.rows import locked
from landform.workspaces.run_kinds import RunKind

_BRANCH_LIMIT: Final = 255
_REGEX_LIMIT: Final = 512
_SWITCHES: Final = (
    "by_installation",
    "ingress_submodules",
    "large_files",
    "forks_enabled",
    "applies_by_comment",
    "pushes_enabled",
)
_REGEXES: Final = ("path_regexes", "pull_path_regexes")
_REGEXES_AT_MOST: Final = 100
# What git refuses in the name of a ref, as far as it could mislead a reader or a program.
_NOT_A_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")


@dataclass(frozen=True, kw_only=True)
class RepositorySettings:
    """What a client gives of a workspace's repository; None means as it is, or the default.

    Attributes:
        repository: found at the provider just now, through `connection_id`; None: the one that
            is connected.
        by_installation: the client knows the connection as an app's installation.
        head: where the branch to follow is just now; None when nobody asked.
        push_run_kind: what pushes and tags run; empty: as the workspace says.
    """

    connection_id: str | None = None
    by_installation: bool | None = None
    repository: Repository | None = None
    head: str | None = None
    branch: str | None = None
    ingress_submodules: bool | None = None
    large_files: bool | None = None
    tags_regex: str | None = None
    forks_enabled: bool | None = None
    applies_by_comment: bool | None = None
    pushes_enabled: bool | None = None
    push_run_kind: RunKind | Literal[""] | None = None
    path_regexes: Sequence[str] | None = None
    pull_path_regexes: Sequence[str] | None = None


def checked(given: RepositorySettings) -> tuple[str | None, str | None]:
    """Return branch and expression of tags as they are kept; None for what is not given.

    Raises:
        InvalidError: one of them cannot be.
    """
    branch, tags_regex = given.branch, given.tags_regex
    if branch is not None:
        branch = _branch(branch.removeprefix("refs/heads/"))
    if tags_regex is not None:
        pointer = "vcs_repo/tags_regex"
        check_text(tags_regex, what="The tags regex", limit=_REGEX_LIMIT, pointer=pointer)
        check_regex(tags_regex, pointer=pointer)
    return branch, tags_regex


async def usable_connection(
    session: AsyncSession, actor: Actor, organization_id: str, connection_id: str
) -> Connection:
    """Return a connection of the organization that `actor` may connect workspaces through.

    Raises:
        InvalidError: there is none, for `actor`.
    """
    row = await session.get(Connection, connection_id)
    if (
        row is None
        or row.organization_id != organization_id
        or not await may(session, actor, Permission.USE_VCS, row.place)
    ):
        raise InvalidError(
            f"There is no VCS connection {connection_id} in this organization that you may use.",
            pointer="vcs_repo",
        )
    return row


async def connect(
    session: AsyncSession, actor: Actor, workspace: Workspace, given: RepositorySettings
) -> WorkspaceRepository:
    """Plan the workspace from a repository, or change how.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        InvalidError: a setting cannot be, or there is no such connection for `actor`.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    workspace = await locked(session, workspace.id)
    row = await session.get(WorkspaceRepository, workspace.id)
    if given.repository is not None and given.connection_id is not None:
        await usable_connection(session, actor, workspace.organization_id, given.connection_id)
        if row is None:
            row = WorkspaceRepository(workspace_id=workspace.id)
            session.add(row)
        _point(row, given.connection_id, given.repository)
    if row is None:
        raise InvalidError(
            "Name the repository and its connection: identifier and oauth-token-id.",
            pointer="vcs_repo",
        )
    _set(row, given)
    row.linked_by, row.problem = actor.id, ""
    await session.flush()
    events.publish(
        session,
        RepositoryConnected(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            connection_id=row.connection_id,
            repository_id=row.repository_id,
            identifier=row.identifier,
            branch=row.branch,
        ),
    )
    return row


async def disconnect(session: AsyncSession, actor: Actor, workspace: Workspace) -> None:
    """Plan the workspace from no repository any more; again is no harm.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    workspace = await locked(session, workspace.id)
    row = await session.get(WorkspaceRepository, workspace.id)
    if row is None:
        return
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        RepositoryDisconnected(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=workspace.id,
            connection_id=row.connection_id,
            repository_id=row.repository_id,
            identifier=row.identifier,
        ),
    )


async def repositories_of(
    session: AsyncSession, workspaces: Iterable[Workspace]
) -> Mapping[str, WorkspaceRepository]:
    """Return the repositories of workspaces the caller could get, by id of the workspace."""
    ids = [workspace.id for workspace in workspaces]
    query = select(WorkspaceRepository).where(WorkspaceRepository.workspace_id.in_(ids))
    return {row.workspace_id: row for row in await session.scalars(query)}


async def repository_of(
    session: AsyncSession, actor: Actor, workspace: Workspace
) -> WorkspaceRepository:
    """Return the repository of the workspace.

    Raises:
        NotFoundError: it has none, or `actor` may not know of the workspace.
    """
    await require(session, actor, Permission.READ_WORKSPACE, workspace.place)
    row = await session.get(WorkspaceRepository, workspace.id)
    if row is None:
        raise NotFoundError(f"Workspace {workspace.name} is not connected to a repository.")
    return row


async def linked_to(
    session: AsyncSession, connection_id: str, repository_id: str
) -> Sequence[tuple[Workspace, WorkspaceRepository]]:
    """Return every workspace planned from the repository, for the platform itself, by id."""
    query = (
        select(Workspace, WorkspaceRepository)
        .join(WorkspaceRepository, WorkspaceRepository.workspace_id == Workspace.id)
        .where(
            WorkspaceRepository.connection_id == connection_id,
            WorkspaceRepository.repository_id == repository_id,
        )
        .order_by(Workspace.id)
    )
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]


def _point(row: WorkspaceRepository, connection_id: str, repository: Repository) -> None:
    if (row.connection_id, row.repository_id) != (connection_id, repository.id):
        row.branch = ""  # of another repository
    row.connection_id = connection_id
    row.repository_id = repository.id
    row.identifier = repository.identifier
    row.web_url = repository.web_url
    row.default_branch = repository.default_branch


def _set(row: WorkspaceRepository, given: RepositorySettings) -> None:
    branch, tags_regex = checked(given)
    if branch is not None:
        row.branch = branch
    if tags_regex is not None:
        row.tags_regex = tags_regex
    if given.head is not None:
        row.linked_commit = given.head
    if given.push_run_kind is not None:
        row.push_run_kind = _push_run_kind(given.push_run_kind)
    for name in _REGEXES:
        regexes = getattr(given, name)
        if regexes is not None:
            setattr(row, name, checked_paths(regexes, name))
    for name in _SWITCHES:
        value = getattr(given, name)
        if value is not None:
            setattr(row, name, value)


def _push_run_kind(kind: RunKind | Literal[""]) -> RunKind | None:
    if kind and kind.is_destroy:
        raise InvalidError("A push destroys nothing; schedule that.", pointer="push_run_kind")
    return kind or None


def checked_paths(regexes: Sequence[str], name: str) -> list[str]:
    """Return the expressions of files that `name` sets, if they can be kept.

    Raises:
        InvalidError: they cannot.
    """
    pointer = f"vcs_repo/{name}"
    if len(regexes) > _REGEXES_AT_MOST:
        raise InvalidError(f"At most {_REGEXES_AT_MOST} expressions are accepted.", pointer=pointer)
    for each in regexes:
        check_text(each, what="An expression", limit=_REGEX_LIMIT, pointer=pointer)
        check_regex(each, pointer=pointer)
    return list(regexes)


def _branch(name: str) -> str:
    if name and (len(name) > _BRANCH_LIMIT or _NOT_A_BRANCH.search(name)):
        raise InvalidError(f"{name[:80]!r} is not the name of a branch.", pointer="vcs_repo/branch")
    return name
