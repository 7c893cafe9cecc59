import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from landform.kit.clock import now
from landform.kit.db import transaction
from landform.triggers import watching
from landform.triggers.looking import look_at_due
from landform.triggers.models import RepositoryWatch
from landform.triggers.watching import after, enroll
from landform.workspaces import repositories
from tests.standins.serving import Answer
from tests.triggers.scene import Scene


async def look(scene: Scene) -> int:
    """Look now, as if the time had come."""
    await enroll(scene.desk)
    async with transaction(scene.platform.sessions) as session:
        await session.execute(update(RepositoryWatch).values(next_look_at=now()))
    return await look_at_due(scene.desk, every_s=30)


async def watches(scene: Scene) -> Any:
    async with transaction(scene.platform.sessions) as session:
        return (await session.scalars(select(RepositoryWatch))).all()


async def test_what_was_there_before_starts_nothing(scene: Scene) -> None:
    scene.open_pull({"a.tf": "1"})
    await look(scene)
    await look(scene)
    assert not await scene.runs()


async def test_a_push_that_no_delivery_told_of_is_found(scene: Scene) -> None:
    await look(scene)
    sha = scene.push({"a.tf": "1"})
    await look(scene)
    [run] = await scene.runs()
    await scene.run_jobs()
    assert await scene.world.status(run.id) == "plan_queued"
    assert sha == scene.repository.git.resolve("refs/heads/main")


async def test_a_push_before_the_first_look_is_found_too(scene: Scene) -> None:
    scene.push({"a.tf": "1"})
    await look(scene)
    assert len(await scene.runs()) == 1


async def test_what_was_delivered_and_found_starts_one_run_whichever_is_first(
    scene: Scene,
) -> None:
    scene.push({"a.tf": "1"})
    await look(scene)
    await scene.take()
    scene.push({"a.tf": "2"})
    await scene.take()
    await look(scene)
    assert len(await scene.runs()) == 2


async def test_of_two_processes_that_look_at_once_one_starts_the_run(scene: Scene) -> None:
    await look(scene)
    scene.push({"a.tf": "1"})
    async with transaction(scene.platform.sessions) as session:
        await session.execute(update(RepositoryWatch).values(next_look_at=now()))
    looked = await asyncio.gather(*(look_at_due(scene.desk, every_s=30) for _ in range(3)))
    assert sum(looked) == 1
    assert len(await scene.runs()) == 1


async def test_three_pushes_between_two_looks_are_one_run_of_the_newest(scene: Scene) -> None:
    for n in range(3):
        scene.push({"a.tf": str(n)})
    await look(scene)
    await scene.take()
    assert len(await scene.runs()) == 1


async def test_pull_requests_are_found_followed_and_seen_to_end(scene: Scene) -> None:
    await look(scene)
    pull = scene.open_pull({"a.tf": "1"})
    await look(scene)
    scene.push({"a.tf": "2"}, branch="topic")
    await look(scene)
    old, new = await scene.runs()
    assert (old.status.value, new.status.value) == ("canceled", "pending")
    scene.azure.people.abandon(pull, scene.ann)
    await look(scene)
    assert [run.status.value for run in await scene.runs()] == ["canceled", "canceled"]


async def test_a_new_tag_is_found_and_an_old_one_is_not(scene: Scene) -> None:
    await scene.link(tags_regex="^v")
    people = scene.azure.people
    sha = scene.repository.git.resolve("refs/heads/main")
    people.tag(scene.repository, scene.ann, "v1", sha)
    await look(scene)
    people.tag(scene.repository, scene.ann, "v2", sha, message="Annotated")
    await look(scene)
    await look(scene)
    assert len(await scene.runs()) == 1


async def test_workspaces_of_one_repository_are_looked_at_together(scene: Scene) -> None:
    for _ in range(3):
        await scene.link(await scene.world.beside())
    await look(scene)
    asked = len(scene.azure.server.asked("GET", "/refs$"))
    assert await look(scene) == 1
    assert len(scene.azure.server.asked("GET", "/refs$")) == asked + 1


async def test_a_repository_that_cannot_be_looked_at_is_asked_less_and_less_often(
    scene: Scene,
) -> None:
    await look(scene)
    scene.azure.server.plan("repositories/", answer=Answer(404, b"{}"), times=1)
    await look(scene)
    [row] = await watches(scene)
    assert (row.failures, bool(row.problem)) == (1, True)
    assert row.next_look_at > now()
    await look(scene)
    [row] = await watches(scene)
    assert (row.failures, row.problem) == (0, "")


async def test_a_renamed_repository_is_still_the_same_one(scene: Scene) -> None:
    await look(scene)
    scene.repository.name = "platform"
    scene.push({"a.tf": "1"})
    await look(scene)
    async with transaction(scene.platform.sessions) as session:
        workspace = await scene.world.workspace()
        row = await repositories.repository_of(session, scene.world.owner, workspace)
    assert row.identifier.endswith("platform")
    assert len(await scene.runs()) == 1


def test_repositories_that_are_due_together_are_not_all_due_together_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = now()
    monkeypatch.setattr(watching, "now", lambda: moment)
    pauses = [(after(100) - moment).total_seconds() for _ in range(200)]
    assert 79 < min(pauses) < 90
    assert 110 < max(pauses) < 122
