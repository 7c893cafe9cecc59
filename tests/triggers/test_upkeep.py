from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from landform.kit.clock import now
from landform.kit.db import transaction
from landform.triggers.looking import look_at_due
from landform.triggers.models import RepositoryWatch
from landform.triggers.upkeep import see_to_due
from landform.triggers.watching import enroll
from landform.vcs.models import Hook
from landform.vcs.sealing import open_hook_secrets
from landform.workspaces import repositories
from landform.workspaces.models import WorkspaceRepository
from tests.standins.azure_world import Subscription
from tests.standins.serving import Answer
from tests.triggers.scene import Scene

PUBLIC = "https://landform.example"


@pytest.fixture
def reachable(scene: Scene) -> Scene:
    """The scene, with a public address."""
    scene.repository.project.organization.subscriptions.clear()
    scene.azure.hooks.accepts_loopback = False
    scene.azure.hooks.needs_https = True
    scene.desk = replace(scene.desk, reach=replace(scene.desk.reach, public_url=PUBLIC))
    return scene


def subscriptions_of(scene: Scene, event: str) -> list[Subscription]:
    there = scene.repository.project.organization.subscriptions.values()
    return [one for one in there if one.document["eventType"] == event]


async def see_to(scene: Scene) -> None:
    await enroll(scene.desk)
    await look_at_due(scene.desk, every_s=30)
    async with transaction(scene.platform.sessions) as session:
        await session.execute(update(RepositoryWatch).values(next_upkeep_at=now()))
    await see_to_due(scene.desk)


async def hook_of(scene: Scene) -> Hook:
    async with transaction(scene.platform.sessions) as session:
        return (await session.scalars(select(Hook))).one()


async def test_one_hook_is_made_for_all_workspaces_of_a_repository(reachable: Scene) -> None:
    await reachable.link(await reachable.world.beside())
    await see_to(reachable)
    hook = await hook_of(reachable)
    subscriptions = reachable.repository.project.organization.subscriptions
    assert {one["id"] for one in hook.remote} == subscriptions.keys()
    urls = {one.document["consumerInputs"]["url"] for one in subscriptions.values()}
    assert urls == {f"{PUBLIC}/hooks/vcs/{hook.id}"}
    assert "git.push" in {one.document["eventType"] for one in subscriptions.values()}
    [secret] = open_hook_secrets(reachable.platform.keyring, hook)
    assert secret not in str([one.json() for one in subscriptions.values()])


async def test_a_hook_is_called_by_the_name_of_its_repository(reachable: Scene) -> None:
    await see_to(reachable)
    assert (await hook_of(reachable)).repository_name == "Acme/Cloud Team/_git/infra"


async def test_what_is_opened_before_the_hook_is_there_is_looked_for_at_once(
    reachable: Scene,
) -> None:
    await enroll(reachable.desk)
    assert await see_to_due(reachable.desk) == 0, "nobody knows yet what was there before"
    await look_at_due(reachable.desk, every_s=30)
    reachable.open_pull({"a.tf": "1"})
    assert await see_to_due(reachable.desk) == 1
    await look_at_due(reachable.desk, every_s=30)
    assert len(await reachable.runs()) == 1


async def test_seeing_to_it_again_makes_no_second_one(reachable: Scene) -> None:
    await see_to(reachable)
    subscriptions = reachable.repository.project.organization.subscriptions
    before = set(subscriptions)
    await see_to(reachable)
    assert set(subscriptions) == before


async def test_a_hook_that_was_switched_off_is_switched_on_and_the_gap_looked_at(
    reachable: Scene,
) -> None:
    await see_to(reachable)
    subscriptions = reachable.repository.project.organization.subscriptions
    for one in subscriptions.values():
        one.status = "disabledBySystem"
    async with transaction(reachable.platform.sessions) as session:
        later = now() + timedelta(hours=1)
        await session.execute(update(RepositoryWatch).values(next_look_at=later))
    await see_to(reachable)
    assert {one.status for one in subscriptions.values()} == {"enabled"}
    async with transaction(reachable.platform.sessions) as session:
        row = (await session.scalars(select(RepositoryWatch))).one()
    assert row.next_look_at <= now()


async def test_after_an_outage_hooks_come_back_and_each_missed_commit_is_planned_once(
    scene: Scene,
) -> None:
    await scene.hook()
    theirs = scene.repository.project.organization
    scene.answer(Answer(500))
    scene.push({"a.tf": "1"})
    scene.azure.sender.settle()
    for _ in range(7):
        scene.azure.clock.advance(hours=15)
        scene.azure.sender.probe(theirs)
    assert {one.status for one in subscriptions_of(scene, "git.push")} == {"disabledBySystem"}
    missed = scene.push({"a.tf": "2"})
    scene.received.clear()
    scene.answer(Answer(202))
    await see_to(scene)
    assert {one.status for one in theirs.subscriptions.values()} == {"enabled"}
    await look_at_due(scene.desk, every_s=30)
    await scene.run_jobs()
    [run] = await scene.runs()
    assert run.status.value == "plan_queued"
    assert missed == scene.repository.git.resolve("refs/heads/main")
    scene.push({"a.tf": "3"})
    assert await scene.receive() == 1
    await scene.run_jobs()
    await look_at_due(scene.desk, every_s=30)
    assert len(await scene.runs()) == 2


async def test_a_hook_somebody_deleted_is_made_again(reachable: Scene) -> None:
    await see_to(reachable)
    subscriptions = reachable.repository.project.organization.subscriptions
    count = len(subscriptions)
    subscriptions.popitem()
    await see_to(reachable)
    assert len(subscriptions) == count


async def test_at_another_address_of_ours_the_hooks_lead_there_and_nowhere_else(
    reachable: Scene,
) -> None:
    await see_to(reachable)
    moved = replace(reachable.desk.reach, public_url="https://elsewhere.example")
    reachable.desk = replace(reachable.desk, reach=moved)
    await see_to(reachable)
    subscriptions = reachable.repository.project.organization.subscriptions
    urls = {one.document["consumerInputs"]["url"] for one in subscriptions.values()}
    assert urls == {f"https://elsewhere.example/hooks/vcs/{(await hook_of(reachable)).id}"}


async def test_without_the_right_to_make_hooks_the_workspace_says_what_to_run(
    reachable: Scene,
) -> None:
    reachable.repository.project.organization.hook_rights.clear()
    await see_to(reachable)
    async with transaction(reachable.platform.sessions) as session:
        workspace = await reachable.world.workspace()
        row = await repositories.repository_of(session, reachable.world.owner, workspace)
    project = reachable.repository.project.id
    assert "az devops security permission update" in row.problem
    assert f"PublisherSecurity/{project}" in row.problem
    reachable.repository.project.organization.hook_rights.add(reachable.ann.id)
    await see_to(reachable)
    async with transaction(reachable.platform.sessions) as session:
        row = await session.get_one(WorkspaceRepository, reachable.world.workspace_id)
    assert row.problem == ""


async def test_the_hook_goes_with_the_last_workspace(reachable: Scene) -> None:
    other = await reachable.world.beside()
    await reachable.link(other)
    await see_to(reachable)
    subscriptions = reachable.repository.project.organization.subscriptions
    await reachable.world.on_workspace(repositories.disconnect)
    await see_to(reachable)
    assert subscriptions
    await other.on_workspace(repositories.disconnect)
    await see_to(reachable)
    assert not subscriptions
    async with transaction(reachable.platform.sessions) as session:
        assert not (await session.scalars(select(Hook))).all()
        assert not (await session.scalars(select(RepositoryWatch))).all()


async def test_a_server_nobody_can_reach_says_that_it_looks_by_itself(scene: Scene) -> None:
    await see_to(scene)
    async with transaction(scene.platform.sessions) as session:
        row = await session.get_one(WorkspaceRepository, scene.world.workspace_id)
    assert "LANDFORM_PUBLIC_URL" in row.problem
