"""A first run without a configuration of one's own: a workspace of the example, planned."""

import io
import tarfile
from pathlib import Path
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import service as configurations
from landform.configurations.service import NewConfiguration
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError
from landform.kit.storage import Store
from landform.organizations.models import Organization
from landform.runs import creation, uploads
from landform.runs.creation import NewRun
from landform.runs.models import Run
from landform.workspaces import service as workspaces
from landform.workspaces.models import ExecutionMode, Workspace
from landform.workspaces.settings import WorkspaceSettings

EXAMPLE: Final = Path(__file__).parents[1] / "example"
_NAMES: Final = ("example", *(f"example-{number}" for number in range(2, 10)))


async def plan_example(
    sessions: Sessions, store: Store, keyring: Keyring, actor: Actor, organization: Organization
) -> tuple[Workspace, Run]:
    """Make a workspace of the example, which needs no cloud account, and plan it.

    Raises:
        ForbiddenError: `actor` may not make workspaces there.
        ConflictError: there are examples enough.
    """
    async with transaction(sessions) as session:
        workspace, run = await _announce(session, keyring, actor, organization)
    await uploads.receive_configuration(
        sessions,
        store,
        keyring,
        configuration_version_id=str(run.configuration_version_id),
        archive=_packed(),
    )
    return workspace, run


async def _announce(
    session: AsyncSession, keyring: Keyring, actor: Actor, organization: Organization
) -> tuple[Workspace, Run]:
    is_elsewhere = organization.default_execution_mode == ExecutionMode.LOCAL
    workspace = await workspaces.create_workspace(
        session,
        actor,
        organization,
        WorkspaceSettings(
            name=await _free_name(session, organization),
            description="What a run is: one greeting, kept in a state. Delete it at will.",
            execution_mode=ExecutionMode.REMOTE if is_elsewhere else None,
            source="tfe-ui",
        ),
    )
    version = await configurations.create(
        session, actor, workspace, NewConfiguration(auto_queue_runs=False, source="tfe-ui")
    )
    new = NewRun(
        configuration_version_id=version.id, message="Greet the world", source=creation.OUR_PAGES
    )
    return workspace, await creation.create_run(session, keyring, actor, workspace, new)


async def _free_name(session: AsyncSession, organization: Organization) -> str:
    name = func.lower(Workspace.name)
    query = select(name).where(Workspace.organization_id == organization.id, name.in_(_NAMES))
    taken = set(await session.scalars(query))
    free = next((each for each in _NAMES if each not in taken), None)
    if free is None:
        raise ConflictError(f"There are workspaces example to {_NAMES[-1]} already; delete one.")
    return free


def _packed() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(EXAMPLE.glob("*.tf")):
            tar.add(path, arcname=path.name, recursive=False)
    return packed.getvalue()
