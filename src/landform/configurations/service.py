"""Everything that changes a configuration version."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.configurations.events import (
    ConfigurationCreated,
    ConfigurationRefused,
    ConfigurationUploaded,
)
from landform.configurations.models import (
    ConfigurationStatus,
    ConfigurationVersion,
    WorkspaceReadme,
)
from landform.configurations.readme import Readme
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.kit.errors import ConflictError
from landform.kit.failpoints import FailPoint, reach
from landform.workspaces.models import Workspace


@dataclass(frozen=True, kw_only=True)
class NewConfiguration:
    """What a client says of a configuration before it uploads it."""

    auto_queue_runs: bool = True
    speculative: bool = False
    provisional: bool = False
    source: str = "tfe-api"


async def create(
    session: AsyncSession, actor: Actor, workspace: Workspace, new: NewConfiguration
) -> ConfigurationVersion:
    """Expect an upload of a configuration for `workspace`."""
    await require(session, actor, Permission.QUEUE_PLAN, workspace.place)
    row = ConfigurationVersion(
        workspace_id=workspace.id,
        auto_queue_runs=new.auto_queue_runs,
        speculative=new.speculative,
        provisional=new.provisional,
        source=new.source,
        created_by=actor.id,
    )
    session.add(row)
    await session.flush()
    events.publish(
        session,
        ConfigurationCreated(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=row.id,
            workspace_id=workspace.id,
            source=row.source,
            speculative=row.speculative,
        ),
    )
    reach(FailPoint.CONFIGURATION_ANNOUNCING)
    return row


def accept(
    session: AsyncSession, row: ConfigurationVersion, workspace: Workspace, *, size_bytes: int
) -> None:
    """Say that the archive, which is in the store already, arrived whole.

    Raises:
        ConflictError: there was an upload before.
    """
    _require_pending(row)
    row.status = ConfigurationStatus.UPLOADED
    row.size_bytes = size_bytes
    row.uploaded_at = now()
    events.publish(
        session,
        ConfigurationUploaded(
            actor_id=row.created_by,
            organization_id=workspace.organization_id,
            subject_id=row.id,
            workspace_id=workspace.id,
            size_bytes=size_bytes,
        ),
    )


async def keep_readme(
    session: AsyncSession, keyring: Keyring, row: ConfigurationVersion, readme: Readme | None
) -> None:
    """Keep the README of a configuration that is the workspace's, in place of the last one's."""
    if row.speculative or row.provisional:
        return
    before = await session.get(WorkspaceReadme, row.workspace_id)
    if before is not None:
        await session.delete(before)
        await session.flush()
    if readme is None:
        return
    place = f"readmes/{row.workspace_id}"
    session.add(
        WorkspaceReadme(
            workspace_id=row.workspace_id,
            configuration_version_id=row.id,
            directory=readme.directory,
            name=readme.name,
            sealed_html=keyring.seal(readme.html.encode(), place=place),
            is_cut=readme.is_cut,
        )
    )


def refuse(
    session: AsyncSession, row: ConfigurationVersion, workspace: Workspace, reason: str
) -> None:
    """Say why the archive cannot be used.

    Raises:
        ConflictError: there was an upload before.
    """
    _require_pending(row)
    row.status = ConfigurationStatus.ERRORED
    row.error = reason
    events.publish(
        session,
        ConfigurationRefused(
            actor_id=row.created_by,
            organization_id=workspace.organization_id,
            subject_id=row.id,
            workspace_id=workspace.id,
            reason=reason,
        ),
    )


def _require_pending(row: ConfigurationVersion) -> None:
    if row.status is not ConfigurationStatus.PENDING:
        raise ConflictError(f"Configuration version {row.id} is {row.status}; make a new one.")
