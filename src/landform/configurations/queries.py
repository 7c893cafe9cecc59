"""Reads of configuration versions."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.configurations.models import (
    ConfigurationStatus,
    ConfigurationVersion,
    Ingress,
    WorkspaceReadme,
)
from landform.configurations.readme import Readme, clean
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import NotFoundError
from landform.kit.pagination import Page, Paged
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace


async def get(
    session: AsyncSession, actor: Actor, configuration_version_id: str
) -> ConfigurationVersion:
    """Return the configuration version; NotFoundError also when `actor` may not know of it."""
    row = await session.get(ConfigurationVersion, configuration_version_id)
    if row is None or not await workspaces.may_know(
        session, actor, row.workspace_id, Permission.READ_RUNS
    ):
        raise NotFoundError(f"There is no configuration version {configuration_version_id}.")
    return row


async def list_of(
    session: AsyncSession, actor: Actor, workspace: Workspace, page: Page
) -> Paged[ConfigurationVersion]:
    """Return those of the workspace, newest first."""
    await require(session, actor, Permission.READ_RUNS, workspace.place)
    wanted = select(ConfigurationVersion).where(ConfigurationVersion.workspace_id == workspace.id)
    total = await session.scalar(select(func.count()).select_from(wanted.subquery()))
    newest = wanted.order_by(ConfigurationVersion.created_at.desc())
    rows = await session.scalars(newest.limit(page.size).offset(page.offset))
    return Paged(items=list(rows), total=total or 0)


async def ingress_of(
    session: AsyncSession, configuration_version_ids: Iterable[str]
) -> Mapping[str, Ingress]:
    """Return where configuration versions that the caller could get came from, by their ids."""
    wanted = Ingress.configuration_version_id.in_(list(configuration_version_ids))
    rows = await session.scalars(select(Ingress).where(wanted))
    return {row.configuration_version_id: row for row in rows}


async def ingress_by_ids(
    session: AsyncSession, actor: Actor, ingress_ids: Sequence[str]
) -> list[Ingress]:
    """Return those of the ingress attributes whose configuration version `actor` may get."""
    rows = (await session.scalars(select(Ingress).where(Ingress.id.in_(ingress_ids)))).all()
    kept = []
    for row in rows:
        with contextlib.suppress(NotFoundError):
            await get(session, actor, row.configuration_version_id)
            kept.append(row)
    return kept


async def ingress(session: AsyncSession, actor: Actor, configuration_version_id: str) -> Ingress:
    """Return where the configuration version came from.

    Raises:
        NotFoundError: it was uploaded, or `actor` may not know of it.
    """
    row = await get(session, actor, configuration_version_id)
    found = (await ingress_of(session, [row.id])).get(row.id)
    if found is None:
        raise NotFoundError(f"Configuration version {row.id} is not from a repository.")
    return found


async def readme_of(
    session: AsyncSession, keyring: Keyring, actor: Actor, workspace: Workspace
) -> Readme | None:
    """Return the README of the workspace's working directory, from the configuration it took last.

    Its HTML is cleaned again: what was kept may be older than the rules.
    """
    await require(session, actor, Permission.READ_RUNS, workspace.place)
    row = await session.get(WorkspaceReadme, workspace.id)
    if row is None or row.directory != workspace.working_directory:
        return None
    html = bytes(keyring.open(row.sealed_html, place=f"readmes/{workspace.id}")).decode()
    return Readme(row.directory, row.name, clean(html), row.is_cut)


class NoConfigurationError(NotFoundError):
    """There is nothing yet that a run could be of."""


async def newest_usable(session: AsyncSession, workspace: Workspace) -> ConfigurationVersion:
    """Return what a run plans that names no configuration version: the newest that can apply.

    Raises:
        NoConfigurationError: nothing was uploaded yet, or fetched from the repository.
    """
    query = (
        select(ConfigurationVersion)
        .where(
            ConfigurationVersion.workspace_id == workspace.id,
            ConfigurationVersion.uploaded_at.is_not(None),
            ConfigurationVersion.speculative.is_(False),
            ConfigurationVersion.provisional.is_(False),
        )
        .order_by(ConfigurationVersion.created_at.desc())
        .limit(1)
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        if await _is_on_its_way(session, workspace):
            raise NoConfigurationError(
                "The configuration is being fetched from the repository. Try again in a moment."
            )
        raise NoConfigurationError(
            f"Workspace {workspace.name} has no configuration yet: run `terraform plan` from a"
            " directory with its `cloud` block, or upload a configuration version."
        )
    return row


async def _is_on_its_way(session: AsyncSession, workspace: Workspace) -> bool:
    query = (
        select(Ingress.id)
        .join(ConfigurationVersion, ConfigurationVersion.id == Ingress.configuration_version_id)
        .where(
            ConfigurationVersion.workspace_id == workspace.id,
            ConfigurationVersion.status == ConfigurationStatus.PENDING,
            ConfigurationVersion.speculative.is_(False),
        )
        .limit(1)
    )
    return await session.scalar(query) is not None
