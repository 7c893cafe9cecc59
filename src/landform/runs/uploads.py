"""A configuration arrives: it is checked, kept, and the runs that waited for it go on."""

import asyncio
import tempfile
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import service as configurations
from landform.configurations.models import ConfigurationVersion
from landform.identity.actor import Actor, ActorKind
from landform.identity.models import User
from landform.kit.archive import unpack
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.storage import Store
from landform.runs import creation, workspace_queue
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.runs.status import RunStatus
from landform.workspaces import rows
from landform.workspaces.models import Workspace


async def receive_configuration(
    sessions: Sessions,
    store: Store,
    keyring: Keyring,
    *,
    configuration_version_id: str,
    archive: bytes,
) -> None:
    """Take the upload of a configuration version; queue a run when it was asked to.

    Raises:
        NotFoundError: there is no such configuration version.
        InvalidError: not a tar.gz, or one that tries to leave its root; it is marked errored.
        ConflictError: it was uploaded before.
    """
    async with transaction(sessions) as session:
        row = await session.get(ConfigurationVersion, configuration_version_id)
        if row is None:
            message = f"There is no configuration version {configuration_version_id}."
            raise NotFoundError(message)
    try:
        await asyncio.to_thread(_check, archive)
    except InvalidError as failure:
        async with transaction(sessions) as session:
            row = await session.get_one(ConfigurationVersion, configuration_version_id)
            configurations.refuse(row, str(failure))
        raise
    await store.create(row.path, archive)
    async with transaction(sessions) as session:
        workspace = await rows.locked(session, row.workspace_id)
        row = await session.get_one(ConfigurationVersion, configuration_version_id)
        configurations.accept(session, row, workspace, size_bytes=len(archive))
        await _go_on(session, keyring, workspace, row)


async def _go_on(
    session: AsyncSession, keyring: Keyring, workspace: Workspace, row: ConfigurationVersion
) -> None:
    waiting = select(Run).where(
        Run.configuration_version_id == row.id, Run.status == RunStatus.PENDING
    )
    runs = (await session.scalars(waiting.order_by(Run.number))).all()
    for run in runs:
        await creation.start_if_possible(session, workspace, run, row)
    if row.auto_queue_runs and not runs:
        actor = await _uploader(session, row)
        if actor is not None:
            new = NewRun(configuration_version_id=row.id, message="Queued by the upload.")
            await creation.create_run(session, keyring, actor, workspace, new)
    await workspace_queue.advance(session, workspace)


async def _uploader(session: AsyncSession, row: ConfigurationVersion) -> Actor | None:
    """Whoever announced the upload is whom its run belongs to, with what they may do today."""
    user = await session.get(User, row.created_by)
    if user is not None:
        return Actor(
            kind=ActorKind.USER,
            id=user.id,
            name=user.username,
            is_site_admin=user.is_site_admin,
        )
    return None


def _check(archive: bytes) -> None:
    """Unpack it once for nothing: the worker will do just this, and so will accept it."""
    with tempfile.TemporaryDirectory(prefix="landform-check-") as directory:
        unpack(archive, Path(directory))
