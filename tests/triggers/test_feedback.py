from typing import Any

from landform.contract import LogStream, Outcome
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.triggers.feedback import tell_due
from landform.triggers.models import RunFeedback
from tests.standins.azure_reviews import latest
from tests.standins.serving import Answer
from tests.triggers.scene import Scene


def statuses(scene: Scene, sha: str) -> dict[tuple[str, str], dict[str, Any]]:
    return latest(list(reversed(scene.repository.commit_statuses.get(sha, []))))


async def planned(scene: Scene, output: bytes = b"No changes.\n", **result: Any) -> str:
    """Bring the newest run to the end of its plan; return its id."""
    await scene.take()
    await scene.run_jobs()
    run = (await scene.runs())[-1]
    job = await scene.world.must_begin(run.id)
    await scene.world.append(job, 0, output, LogStream.TEXT)
    await scene.world.finish(job, **result)
    return run.id


async def feedback_of(scene: Scene, run_id: str) -> RunFeedback:
    async with transaction(scene.platform.sessions) as session:
        return await session.get_one(RunFeedback, run_id)


async def test_a_commit_carries_the_status_of_its_run_from_step_to_step(scene: Scene) -> None:
    sha = scene.push({"a.tf": "1"})
    await scene.take()
    await tell_due(scene.desk)
    [(context, status)] = statuses(scene, sha).items()
    assert context == ("Landform", f"{scene.world.organization}/{await name_of(scene)}")
    assert (status["state"], status["description"]) == ("pending", "Waits for its turn.")
    run_id = await planned(scene, has_changes=True)
    await tell_due(scene.desk)
    assert statuses(scene, sha)[context]["description"].startswith("Waits to be confirmed")
    await scene.world.confirm(run_id)
    await scene.world.apply(run_id)
    await tell_due(scene.desk)
    assert statuses(scene, sha)[context]["state"] == "succeeded"
    assert (await feedback_of(scene, run_id)).next_at is None


async def test_nothing_is_told_twice(scene: Scene) -> None:
    sha = scene.push({"a.tf": "1"})
    await scene.take()
    assert await tell_due(scene.desk) == 1
    assert await tell_due(scene.desk) == 0
    assert len(scene.repository.commit_statuses[sha]) == 1


async def test_a_pull_request_has_a_status_of_its_iteration_and_one_comment(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await planned(scene, b"Terraform will perform the following actions:\n  + one\n")
    await tell_due(scene.desk)
    assert pull.statuses[-1]["iterationId"] == 1
    assert pull.statuses[-1]["state"] == "succeeded"
    [thread] = pull.threads
    assert thread["status"] == "closed", "an open thread would block a policy"
    assert "+ one" in thread["comments"][0]["content"]
    scene.push({"a.tf": "2"}, branch="topic")
    await planned(scene, b"Terraform will perform the following actions:\n  + two\n")
    await tell_due(scene.desk)
    assert pull.statuses[-1]["iterationId"] == 2
    [thread] = pull.threads
    [comment] = thread["comments"]
    assert "+ two" in comment["content"]


async def test_each_workspace_has_a_comment_of_its_own(scene: Scene) -> None:
    other = await scene.world.beside()
    await scene.link(other)
    pull = scene.open_pull({"a.tf": "1"})
    await scene.take()
    await scene.run_jobs()
    for world in (scene.world, other):
        [run] = await world.runs()
        await world.plan(run.id)
    await tell_due(scene.desk)
    assert len(pull.threads) == 2


async def test_a_failed_plan_leaves_its_comment_open(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await planned(scene, b"Error: no such thing\n", outcome=Outcome.ERRORED)
    await tell_due(scene.desk)
    assert pull.threads[0]["status"] == "active"
    assert pull.statuses[-1]["state"] == "failed"


async def test_a_comment_somebody_deleted_is_written_anew(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await planned(scene)
    await tell_due(scene.desk)
    pull.threads[0]["comments"][0]["isDeleted"] = True
    scene.push({"a.tf": "2"}, branch="topic")
    await planned(scene)
    await tell_due(scene.desk)
    assert len(pull.threads) == 2


async def test_a_provider_that_is_away_is_told_later_and_once(scene: Scene) -> None:
    sha = scene.push({"a.tf": "1"})
    await scene.take()
    [run] = await scene.runs()
    scene.azure.server.plan("statuses$", method="POST", answer=Answer(503, b"{}"), times=1)
    await tell_due(scene.desk)
    told = await feedback_of(scene, run.id)
    assert told.told_status == ""
    assert told.attempts == 1
    assert told.problem
    assert await tell_due(scene.desk) == 0, "it is not asked again at once"
    async with transaction(scene.platform.sessions) as session:
        (await session.get_one(RunFeedback, run.id)).next_at = now()
    assert await tell_due(scene.desk) == 1
    assert len(scene.repository.commit_statuses[sha]) == 1


async def test_without_the_right_to_comment_statuses_are_told_all_the_same(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    run_id = await planned(scene)
    scene.azure.server.plan(
        "threads", method="POST", answer=Answer(403, b'{"message": "TF401027: no permission"}')
    )
    await tell_due(scene.desk)
    assert pull.statuses[-1]["state"] == "succeeded"
    assert (await feedback_of(scene, run_id)).problem


async def name_of(scene: Scene) -> str:
    return (await scene.world.workspace()).name
