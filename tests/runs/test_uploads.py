"""A configuration arrives, and what waited for it goes on."""

import asyncio

import pytest
from sqlalchemy import text

from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.configurations.service import NewConfiguration, create
from landform.contract import Artefact, Phase
from landform.identity.actor import Actor
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.runs.status import PhaseStatus
from landform.workspaces.models import ExecutionMode
from tests import factories
from tests.files import make_archive
from tests.world import World


async def configuration(world: World, configuration_id: str) -> ConfigurationVersion:
    async with world.platform.sessions() as session:
        return await session.get_one(ConfigurationVersion, configuration_id)


async def announce(world: World, actor: Actor) -> str:
    row = await world.on_workspace(create, actor, new=NewConfiguration())
    return row.id


async def test_an_upload_starts_the_run_that_waited_for_it(world: World) -> None:
    coming = await world.announce_configuration()
    run_id = await world.create(configuration_version_id=coming)
    assert await world.status(run_id) == "pending"
    archive = make_archive({"main.tf": "# this one\n"})
    await world.upload_configuration(coming, archive)
    job = await world.must_begin(run_id)
    assert await attempts.fetch(world.platform, job, Artefact.CONFIGURATION) == archive


async def test_an_upload_starts_every_plan_only_run_that_waited_for_it(world: World) -> None:
    coming = await world.announce_configuration(speculative=True)
    runs = [await world.create(configuration_version_id=coming) for _ in range(2)]
    await world.upload_configuration(coming)
    assert [await world.status(each) for each in runs] == ["plan_queued"] * 2


async def test_an_upload_queues_a_run_when_that_was_asked_for(world: World) -> None:
    coming = await world.announce_configuration(auto_queue_runs=True)
    await world.upload_configuration(coming)
    [run] = await world.runs()
    assert (run.configuration_version_id, run.status.value) == (coming, "plan_queued")
    assert run.created_by == world.owner.id


async def test_no_second_run_is_queued_beside_one_that_waited(world: World) -> None:
    coming = await world.announce_configuration(auto_queue_runs=True)
    run_id = await world.create(configuration_version_id=coming)
    await world.upload_configuration(coming)
    assert [run.id for run in await world.runs()] == [run_id]


async def test_a_team_s_upload_queues_a_run_too(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        team = await factories.make_team(session, await organization(world))
        await factories.grant(session, team, await world.workspace(), "plan")
    actor = factories.team_actor(team)
    await world.upload_configuration(await announce(world, actor))
    [run] = await world.runs()
    assert run.created_by == team.id


async def organization(world: World) -> Organization:
    async with world.platform.sessions() as session:
        return await session.get_one(Organization, world.organization_id)


async def test_an_upload_of_who_may_no_longer_plan_is_kept_and_queues_nothing(
    world: World,
) -> None:
    async with world.platform.sessions.begin() as session:
        planner = await factories.make_actor(session, await world.workspace(), "plan")
    coming = await announce(world, planner)
    async with world.platform.sessions.begin() as session:
        await session.execute(text("DELETE FROM team_workspaces"))
    await world.upload_configuration(coming)
    assert (await configuration(world, coming)).status is ConfigurationStatus.UPLOADED
    assert await world.runs() == []


async def test_an_upload_of_a_suspended_user_queues_nothing(world: World) -> None:
    coming = await world.announce_configuration(auto_queue_runs=True)
    async with world.platform.sessions.begin() as session:
        await session.execute(text("UPDATE users SET is_suspended = true"))
    await world.upload_configuration(coming)
    assert await world.runs() == []


async def test_an_upload_to_a_workspace_that_runs_elsewhere_is_kept_and_queues_nothing(
    world: World,
) -> None:
    local = await world.beside(execution_mode=ExecutionMode.LOCAL)
    coming = await local.announce_configuration(auto_queue_runs=True)
    await local.upload_configuration(coming)
    assert (await configuration(world, coming)).status is ConfigurationStatus.UPLOADED
    assert await local.runs() == []


async def test_what_is_no_archive_is_refused_and_the_reason_kept(world: World) -> None:
    coming = await world.announce_configuration()
    with pytest.raises(InvalidError, match="not a gzip file"):
        await world.upload_configuration(coming, b"<html>")
    row = await configuration(world, coming)
    assert row.status is ConfigurationStatus.ERRORED
    assert "Upload a directory as tar.gz" in row.error


async def test_a_run_whose_configuration_is_no_archive_ends_with_the_reason(world: World) -> None:
    coming = await world.announce_configuration()
    run_id = await world.create(configuration_version_id=coming)
    with pytest.raises(InvalidError):
        await world.upload_configuration(coming, b"<html>")
    run = await world.run(run_id)
    assert run.status.value == "errored"
    assert "not a gzip file" in run.error
    assert b"not a gzip file" in await world.log(run_id)
    for phase in Phase:
        assert (await world.phase(run_id, phase)).status is PhaseStatus.UNREACHABLE
        assert await world.is_sealed(run_id, phase)


async def test_a_configuration_is_uploaded_once(world: World) -> None:
    before = await world.snapshot()
    with pytest.raises(ConflictError):
        await world.upload_configuration(
            world.configuration_id, make_archive({"main.tf": "# another\n"})
        )
    assert await world.snapshot() == before
    path = (await configuration(world, world.configuration_id)).path
    assert await world.platform.store.get(path) == make_archive()


async def test_what_is_no_archive_does_not_spoil_one_that_was_uploaded(world: World) -> None:
    before = await world.snapshot()
    with pytest.raises(ConflictError):
        await world.upload_configuration(world.configuration_id, b"<html>")
    assert await world.snapshot() == before


async def test_the_same_upload_again_is_heard_once(world: World) -> None:
    archive = make_archive()
    coming = await world.announce_configuration(auto_queue_runs=True)
    await world.upload_configuration(coming, archive)
    before = await world.snapshot()
    await world.upload_configuration(coming, archive)
    assert await world.snapshot() == before


async def test_an_upload_that_broke_off_after_the_bytes_were_kept_can_be_repeated(
    world: World,
) -> None:
    archive = make_archive()
    coming = await world.announce_configuration()
    await world.platform.store.create((await configuration(world, coming)).path, archive)
    await world.upload_configuration(coming, archive)
    assert (await configuration(world, coming)).status is ConfigurationStatus.UPLOADED


async def test_of_two_uploads_at_once_one_counts(world: World) -> None:
    coming = await world.announce_configuration(auto_queue_runs=True)
    archives = [make_archive({"main.tf": f"# {n}\n"}) for n in range(3)]
    found = await asyncio.gather(
        *(world.upload_configuration(coming, each) for each in archives), return_exceptions=True
    )
    assert [type(each) for each in found].count(ConflictError) == 2
    kept = await world.platform.store.get((await configuration(world, coming)).path)
    assert kept == archives[found.index(None)]
    assert len(await world.runs()) == 1


async def test_an_upload_that_nobody_announced_is_refused(world: World) -> None:
    with pytest.raises(NotFoundError):
        await world.upload_configuration("cv-none")
