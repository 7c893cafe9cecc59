"""A configuration arrives: it is checked, kept, and the runs that waited for it go on."""

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Team
from landform.configurations import readme as readmes
from landform.configurations import service as configurations
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.configurations.readme import Readme
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit.archive import unpack
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, InvalidError, LandformError, NotFoundError
from landform.kit.failpoints import FailPoint, reach
from landform.kit.scratch import scratch
from landform.kit.storage import Store
from landform.runs import creation, endings, workspace_queue
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.runs.status import RunStatus, Step
from landform.workspaces import rows
from landform.workspaces.models import Workspace

log = structlog.get_logger()


async def receive_configuration(
    sessions: Sessions,
    store: Store,
    keyring: Keyring,
    *,
    configuration_version_id: str,
    archive: bytes,
) -> None:
    """Take the upload of a configuration version; queue a run when it was asked to.

    A repeat of the same bytes is a no-op.

    Raises:
        NotFoundError: there is no such configuration version.
        InvalidError: not a tar.gz, or one that tries to leave its root; it is marked errored.
        ConflictError: another archive was uploaded before.
    """
    async with transaction(sessions) as session:
        row = await session.get(ConfigurationVersion, configuration_version_id)
        workspace = await session.get_one(Workspace, row.workspace_id) if row else None
    if row is None or workspace is None:
        raise NotFoundError(f"There is no configuration version {configuration_version_id}.")
    try:
        readme = await asyncio.to_thread(_check, archive, workspace.working_directory)
    except InvalidError as failure:
        await _refuse(sessions, row, str(failure))
        raise
    reach(FailPoint.CONFIGURATION_CHECKED)
    await _keep(store, row, archive)
    reach(FailPoint.CONFIGURATION_STORED)
    async with transaction(sessions) as session:
        workspace = await rows.locked(session, row.workspace_id)
        row = await session.get_one(ConfigurationVersion, configuration_version_id)
        if row.status is ConfigurationStatus.UPLOADED:
            return
        configurations.accept(session, row, workspace, size_bytes=len(archive))
        await configurations.keep_readme(session, keyring, row, readme)
        await _go_on(session, keyring, workspace, row)
        reach(FailPoint.CONFIGURATION_ACCEPTING)
    reach(FailPoint.CONFIGURATION_ACCEPTED)


async def refuse_configuration(
    sessions: Sessions, configuration_version_id: str, reason: str
) -> None:
    """Mark a configuration errored that will not come; the runs that waited for it end.

    Raises:
        NotFoundError: there is no such configuration version.
        ConflictError: it came after all.
    """
    async with transaction(sessions) as session:
        row = await session.get(ConfigurationVersion, configuration_version_id)
    if row is None:
        raise NotFoundError(f"There is no configuration version {configuration_version_id}.")
    await _refuse(sessions, row, reason)


async def _refuse(sessions: Sessions, row: ConfigurationVersion, reason: str) -> None:
    """Mark it errored, and end the runs that waited for it: it cannot be uploaded any more."""
    async with transaction(sessions) as session:
        workspace = await rows.locked(session, row.workspace_id)
        row = await session.get_one(ConfigurationVersion, row.id)
        configurations.refuse(session, row, workspace, reason)
        for run in await _waiting(session, row):
            await endings.end_run(session, workspace, run, Step.FAIL, reason=reason)


async def _keep(store: Store, row: ConfigurationVersion, archive: bytes) -> None:
    """Write the archive; one of the same bytes may be there, from an upload that broke off."""
    try:
        await store.create(row.path, archive)
    except ConflictError:
        if await store.get(row.path) != archive:
            message = f"Another archive was uploaded for {row.id} before; make a new one."
            raise ConflictError(message) from None


async def _waiting(session: AsyncSession, row: ConfigurationVersion) -> Sequence[Run]:
    query = select(Run).where(
        Run.configuration_version_id == row.id, Run.status == RunStatus.PENDING
    )
    return (await session.scalars(query.order_by(Run.number))).all()


async def _go_on(
    session: AsyncSession, keyring: Keyring, workspace: Workspace, row: ConfigurationVersion
) -> None:
    runs = await _waiting(session, row)
    for run in runs:
        await creation.start_if_possible(session, workspace, run, row)
    if row.auto_queue_runs and not runs:
        await _queue_run(session, keyring, workspace, row)
    await workspace_queue.advance(session, workspace)


async def _queue_run(
    session: AsyncSession, keyring: Keyring, workspace: Workspace, row: ConfigurationVersion
) -> None:
    """Queue the run that comes with an upload; the upload stands, whether it may be or not."""
    actor = await _uploader(session, row)
    if actor is None:
        return
    new = NewRun(configuration_version_id=row.id, message="Queued by the upload.")
    try:
        await creation.create_run(session, keyring, actor, workspace, new)
    except LandformError as failure:
        log.info("an upload queued no run", configuration=row.id, reason=str(failure))


async def _uploader(session: AsyncSession, row: ConfigurationVersion) -> Actor | None:
    """Whoever announced the upload is whom its run belongs to, with what they may do today."""
    user = await session.get(User, row.created_by)
    if user is not None:
        return None if user.is_suspended else actor_of(user)
    team = await session.get(Team, row.created_by)
    if team is None:
        return None
    return Actor(
        kind=ActorKind.TEAM, id=team.id, name=team.name, organization_id=team.organization_id
    )


def _check(archive: bytes, working_directory: str) -> Readme | None:
    """Unpack it once as the worker will, so that it will accept it; return its README."""
    with scratch() as directory:
        unpack(archive, directory)
        return readmes.find(directory, working_directory)
