"""Who gets a workspace's SSH key: the attempts of its runs, and no others."""

import shlex

import pytest

from landform.contract import CREDENTIAL_FILES, Phase
from landform.kit.db import transaction
from landform.ssh_keys import service
from landform.ssh_keys.service import SshKeySettings
from landform.workspaces.models import Workspace
from landform.workspaces.module_keys import assign_key
from tests import factories
from tests.ssh_keys import samples
from tests.world import World

HOST = (
    "git.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
)


@pytest.fixture
async def key(world: World) -> str:
    """The private half of the key that the workspace has."""
    text = samples.make_key(*samples.ED25519)
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        settings = SshKeySettings(name="modules", private_key=text, known_hosts=HOST)
        row = await service.create_key(
            session, world.platform.keyring, world.owner, world.organization_id, settings
        )
        await assign_key(session, world.owner, workspace, row.id)
    return text


@pytest.mark.parametrize("phase", [Phase.PLAN, Phase.APPLY])
async def test_plan_and_apply_get_the_key_in_a_file_and_git_is_told_where(
    world: World, key: str, phase: Phase
) -> None:
    run_id = await world.create()
    if phase is Phase.APPLY:
        await world.plan(run_id)
        await world.confirm(run_id)
    given = (await world.must_begin(run_id, phase)).credentials
    [kept] = given.secrets
    assert samples.public_half_of(kept) == samples.public_half_of(key)
    assert given.files["ssh-key"] == kept
    assert HOST in given.files["ssh-known-hosts"].splitlines()
    words = shlex.split(given.environment["GIT_SSH_COMMAND"])
    assert words[words.index("-i") + 1] == f"{CREDENTIAL_FILES}/ssh-key"
    assert "StrictHostKeyChecking=yes" in words
    assert not samples.betrays(str(given.environment), key)


async def test_the_code_of_a_fork_gets_no_key(world: World, key: str) -> None:
    async with transaction(world.platform.sessions) as session:
        await factories.make_ingress(
            session, world.configuration_id, ref="refs/pull/1/head", from_stranger=True
        )
    job = await world.must_begin(await world.create(plan_only=True))
    assert (job.credentials.files, job.credentials.environment) == ({}, {})
    assert "without its SSH key" in job.notice


async def test_a_workspace_without_a_key_gets_none_of_another_s(world: World, key: str) -> None:
    other = await world.beside(name="other")
    job = await other.must_begin(await other.create())
    assert (job.credentials.files, job.credentials.environment) == ({}, {})


async def test_the_key_is_shown_in_no_log_of_the_job(world: World, key: str) -> None:
    job = await world.must_begin(await world.create())
    assert samples.betrays(str(job.credentials.files), key)
    assert not samples.betrays(f"{job!r} {job}", key)
