"""`vcs-repo` of TFE's workspaces: the repository a workspace is planned from."""

from typing import Final

from fastapi import Request
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.api.jsonapi import Kebab
from landform.api.tfe.dialect import Context
from landform.api.tfe.github_app_installations import PREFIX
from landform.edge.process import Process
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.triggers import linking
from landform.triggers.linking import Found
from landform.vcs.installations import find_installed
from landform.vcs.models import Connection
from landform.workspaces import organizations, queries, repositories
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.repositories import RepositorySettings

_CONNECTION: Final = "oc-"
_TOKEN: Final = "ot-"  # noqa: S105 - the beginning of an id
_POINTER: Final = "vcs_repo"


class VcsRepo(Kebab):
    """The repository, as TFE shows it. The last four are ours."""

    branch: str
    display_identifier: str
    identifier: str
    ingress_submodules: bool
    oauth_token_id: str | None
    repository_http_url: str
    service_provider: str
    tags_regex: str | None
    github_app_installation_id: str | None
    webhook_url: None
    fork_pull_requests_enabled: bool
    comment_applies_enabled: bool
    lfs_enabled: bool
    problem: str | None


class VcsRepoInput(Kebab):
    """What a client gives of the repository. `identifier` may be any form of its address."""

    identifier: str | UnsetType | None = UNSET
    oauth_token_id: str | UnsetType | None = UNSET
    github_app_installation_id: str | UnsetType | None = UNSET
    branch: str | UnsetType | None = UNSET
    ingress_submodules: bool | UnsetType | None = UNSET
    tags_regex: str | UnsetType | None = UNSET
    fork_pull_requests_enabled: bool | UnsetType | None = UNSET
    comment_applies_enabled: bool | UnsetType | None = UNSET
    lfs_enabled: bool | UnsetType | None = UNSET


def shown(workspace: Workspace, context: Context) -> VcsRepo | None:
    """Return the repository of a workspace that `learn` was called for."""
    row = context.repositories.get(workspace.id)
    if row is None:
        return None
    by_app = row.by_installation  # the provider for Terraform knows the one it named, and no other
    return VcsRepo(
        branch=row.branch,
        display_identifier=row.identifier,
        identifier=row.identifier,
        ingress_submodules=row.ingress_submodules,
        oauth_token_id=None if by_app else row.connection_id.replace(_CONNECTION, _TOKEN, 1),
        repository_http_url=row.web_url,
        service_provider=context.connection_kinds.get(row.connection_id, ""),
        tags_regex=row.tags_regex or None,
        github_app_installation_id=(
            row.connection_id.replace(_CONNECTION, PREFIX, 1) if by_app else None
        ),
        webhook_url=None,
        fork_pull_requests_enabled=row.forks_enabled,
        comment_applies_enabled=row.applies_by_comment,
        lfs_enabled=row.large_files,
        problem=row.problem or None,
    )


async def learn(workspaces: list[Workspace], context: Context) -> None:
    """Load the repositories of workspaces, for `shown`."""
    found = await repositories.repositories_of(context.session, workspaces)
    context.repositories.update(found)
    ids = {row.connection_id for row in found.values()} - context.connection_kinds.keys()
    if ids:
        query = select(Connection.id, Connection.kind).where(Connection.id.in_(ids))
        rows = (await context.session.execute(query)).all()
        context.connection_kinds.update({row[0]: row[1].value for row in rows})


async def find(
    request: Request, process: Process, actor: Actor, sent: VcsRepoInput | UnsetType | None
) -> Found | None:
    """Ask the provider for the repository that is named; in no transaction, as that takes a while.

    Raises:
        InvalidError: no such repository or connection, for `actor` or for the connection.
    """
    if not isinstance(sent, VcsRepoInput):
        return None
    async with transaction(process.platform.sessions) as session:
        organization_id, current = await _subject(session, actor, request)
        connection_id = await _connection_of(session, actor, sent)
    return await linking.look_up(
        process.reach,
        actor,
        organization_id,
        current,
        connection_id=connection_id,
        reference=_text(sent.identifier),
        branch=None if sent.branch is UNSET else _text(sent.branch),
    )


async def keep(
    context: Context,
    workspace: Workspace,
    sent: VcsRepoInput | UnsetType | None,
    found: Found | None,
) -> None:
    """Connect, change or disconnect the workspace's repository, as the client said."""
    session, actor = context.session, context.actor
    if sent is None:
        await repositories.disconnect(session, actor, workspace)
        return
    if not isinstance(sent, VcsRepoInput) or found is None:
        return
    keyring = context.process.platform.keyring
    await linking.link(session, keyring, actor, workspace, _settings(sent, found))


def _settings(sent: VcsRepoInput, found: Found) -> RepositorySettings:
    """Translate TFE's names; an empty or null text means none."""
    return RepositorySettings(
        connection_id=found.connection_id,
        by_installation=_by_installation(sent),
        repository=found.repository,
        head=found.head,
        branch=None if sent.branch is UNSET else _text(sent.branch),
        tags_regex=None if sent.tags_regex is UNSET else _text(sent.tags_regex),
        ingress_submodules=_flag(sent.ingress_submodules),
        forks_enabled=_flag(sent.fork_pull_requests_enabled),
        applies_by_comment=_flag(sent.comment_applies_enabled),
        large_files=_flag(sent.lfs_enabled),
    )


async def _connection_of(session: AsyncSession, actor: Actor, sent: VcsRepoInput) -> str:
    """Return the id of the connection that is named, in whichever way; empty: the present one."""
    token, installed = _text(sent.oauth_token_id), _text(sent.github_app_installation_id)
    if not installed:
        return token.replace(_TOKEN, _CONNECTION, 1)
    if token:
        raise InvalidError(
            "Name the connection by oauth-token-id or by github-app-installation-id, not by both.",
            pointer=_POINTER,
        )
    connection_id = installed.replace(PREFIX, _CONNECTION, 1)
    known = installed.startswith(PREFIX)
    if not known or await find_installed(session, actor, connection_id) is None:
        raise InvalidError(
            f"There is no GitHub App installation {installed} that you may use; they are listed at"
            " /api/v2/github-app/installations.",
            pointer=_POINTER,
        )
    return connection_id


def _by_installation(sent: VcsRepoInput) -> bool | None:
    """Return whether the connection is named by its installation; None: it is not named."""
    if _text(sent.github_app_installation_id):
        return True
    return False if _text(sent.oauth_token_id) else None


async def _subject(
    session: AsyncSession, actor: Actor, request: Request
) -> tuple[str, WorkspaceRepository | None]:
    """Return the organization, and the repository that is connected at present."""
    named = request.path_params
    if "workspace_id" in named:
        workspace = await queries.get(session, actor, named["workspace_id"])
    elif "name" in named:
        workspace = await queries.by_name(session, actor, named["organization"], named["name"])
    else:
        owner = await organizations.by_name(session, actor, named["organization"])
        return owner.id, None
    rows = await repositories.repositories_of(session, [workspace])
    return workspace.organization_id, rows.get(workspace.id)


def _text(given: str | UnsetType | None) -> str:
    return given.strip() if isinstance(given, str) else ""


def _flag(given: bool | UnsetType | None) -> bool | None:
    return given if isinstance(given, bool) else None
