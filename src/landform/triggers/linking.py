"""Workspaces and repositories joined: found at the provider, connected, and begun with."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, NotFoundError
from landform.triggers import starting
from landform.vcs.credentials import open_provider
from landform.vcs.facts import Listing, Repository
from landform.vcs.models import Connection
from landform.vcs.reach import Reach
from landform.workspaces import repositories
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings

_POINTER = "vcs_repo"


@dataclass(frozen=True)
class Found:
    """A repository that somebody named, as its provider just now showed it.

    Attributes:
        head: where the branch to follow is; empty: there is no such branch.
    """

    connection_id: str
    repository: Repository
    head: str


async def look_up(
    reach: Reach,
    actor: Actor,
    organization_id: str,
    current: WorkspaceRepository | None,
    *,
    connection_id: str = "",
    reference: str = "",
    branch: str | None = None,
) -> Found:
    """Ask the provider for a repository; in no transaction, as that takes a while.

    Args:
        current: what the workspace is planned from now, which stands for what is not named.
        reference: the provider's id, or any form of the repository's address.
        branch: to follow; None: as it is; empty: the repository's default.

    Raises:
        InvalidError: no such repository or connection, for `actor` or for the connection.
        SignInNeededError, NotAllowedError, ProviderAwayError: the provider does not say.
    """
    connection_id = connection_id or (current.connection_id if current else "")
    reference = reference or (current.repository_id if current else "")
    if not connection_id or not reference:
        raise InvalidError(
            "A repository needs its identifier and the oauth-token-id of a VCS connection.",
            pointer=_POINTER,
        )
    async with transaction(reach.sessions) as session:
        await repositories.usable_connection(session, actor, organization_id, connection_id)
    provider = await open_provider(reach, connection_id)
    try:
        repository = await provider.repository(reference)
    except NotFoundError as failure:
        raise InvalidError(str(failure), pointer=_POINTER) from None
    if branch is None and current is not None and current.repository_id == repository.id:
        branch = current.branch
    branch = (branch or "").removeprefix("refs/heads/") or repository.default_branch
    head = await provider.branch(repository, branch) if branch else None
    return Found(connection_id, repository, head.commit if head else "")


async def search(
    reach: Reach, actor: Actor, organization_id: str, connection_id: str, words: str, page: str
) -> Listing[Repository]:
    """Return a page of the repositories that a connection sees.

    Args:
        page: what the page before gave as `following`; empty for the first.

    Raises:
        InvalidError: there is no such connection, for `actor`.
        SignInNeededError, NotAllowedError, ProviderAwayError: the provider does not say.
    """
    async with transaction(reach.sessions) as session:
        await repositories.usable_connection(session, actor, organization_id, connection_id)
    provider = await open_provider(reach, connection_id)
    return await provider.repositories(search=words, page=page)


async def branches(
    reach: Reach,
    actor: Actor,
    organization_id: str,
    connection_id: str,
    reference: str,
    words: str,
) -> Sequence[str]:
    """Return names of a repository's branches: its provider's first page of those it finds.

    Args:
        reference: the provider's id, or any form of the repository's address.
        words: what is looked for in the names; empty for any.

    Raises:
        InvalidError: no such repository or connection, for `actor` or for the connection.
        SignInNeededError, NotAllowedError, ProviderAwayError: the provider does not say.
    """
    async with transaction(reach.sessions) as session:
        await repositories.usable_connection(session, actor, organization_id, connection_id)
    provider = await open_provider(reach, connection_id)
    listing = await provider.branches(await provider.repository(reference), search=words)
    return [each.name.removeprefix("refs/heads/") for each in listing.items]


async def link(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    workspace: Workspace,
    given: RepositorySettings,
) -> WorkspaceRepository:
    """Plan the workspace from a repository, or change how; a new one is fetched at once.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        InvalidError: a setting cannot be, or there is no such connection for `actor`.
    """
    before = (await repositories.repositories_of(session, [workspace])).get(workspace.id)
    was = (before.repository_id, before.followed_branch) if before else None
    row = await repositories.connect(session, actor, workspace, given)
    if was != (row.repository_id, row.followed_branch) and given.head:
        connection = await session.get_one(Connection, row.connection_id)
        await starting.begin_with(session, keyring, workspace, row, connection.kind)
    return row
