import secrets
from typing import Any

from landform.contract import Category, Credentials
from landform.kit.db import transaction
from landform.variables.service import VariableSettings, create_variable
from landform.workspaces.models import Workspace
from tests.triggers.scene import Scene


def started(rows: list[dict[str, Any]]) -> list[str]:
    return [row["run_id"] for row in rows if row["run_id"]]


async def test_an_opened_pull_request_is_planned_speculatively(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"}, title="Add a subnet")
    await scene.take()
    [run] = await scene.runs()
    assert (run.plan_only, run.message) == (True, "Add a subnet")
    await scene.run_jobs()
    assert await scene.world.status(run.id) == "plan_queued"
    assert pull.id == 1


async def test_votes_titles_and_drafts_start_nothing_and_a_new_commit_one_run(
    scene: Scene,
) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await scene.take()
    people, ann = scene.azure.people, scene.ann
    people.vote(pull, ann)
    people.retitle(pull, ann, "Another title")
    people.set_draft(pull, ann, draft=True)
    rows = await scene.take()
    assert {row["reason"] for row in rows} == {"No new commit; what was planned still holds."}
    scene.push({"a.tf": "2"}, branch="topic")
    assert len(started(await scene.take())) == 1
    assert len(await scene.runs()) == 2


async def test_a_merge_attempt_is_not_a_merge(scene: Scene) -> None:
    scene.open_pull({"a.tf": "1"})
    await scene.take()
    [run] = await scene.runs()
    assert run.status.value == "pending", "git.pullrequest.merged came, and was no merge"


async def test_a_new_commit_takes_the_place_of_a_plan_that_waits(scene: Scene) -> None:
    scene.open_pull({"a.tf": "1"})
    await scene.take()
    scene.push({"a.tf": "2"}, branch="topic")
    await scene.take()
    old, new = await scene.runs()
    assert (old.status.value, new.status.value) == ("canceled", "pending")


async def test_an_abandoned_pull_request_cancels_and_a_reactivated_one_plans(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await scene.take()
    scene.azure.people.abandon(pull, scene.ann)
    [row] = await scene.take()
    [run] = await scene.runs()
    assert (row["run_id"], row["reason"]) == (run.id, "Pull request 1 was closed.")
    assert run.status.value == "canceled"
    scene.azure.people.reactivate(pull, scene.ann)
    assert len(started(await scene.take())) == 1


async def test_a_completed_pull_request_is_merged_and_its_push_is_planned(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await scene.take()
    scene.azure.people.complete(pull, scene.ann)
    rows = await scene.take()
    assert "Pull request 1 was merged." in {row["reason"] for row in rows}
    speculative, real = await scene.runs()
    assert (speculative.status.value, real.plan_only) == ("canceled", False)


async def test_an_update_that_arrives_after_the_end_starts_nothing(scene: Scene) -> None:
    pull = scene.open_pull({"a.tf": "1"})
    await scene.take()
    scene.azure.people.vote(pull, scene.ann)
    scene.azure.sender.settle()
    [late] = list(scene.received)
    scene.received.clear()
    scene.azure.people.abandon(pull, scene.ann)
    await scene.take()
    assert not started(await scene.act_on(late))


async def test_a_fork_is_not_planned_until_the_workspace_allows_it(scene: Scene) -> None:
    pull = scene.open_fork({"evil.tf": "1"})
    rows = await scene.take()
    assert not started(rows)
    assert "from a fork" in rows[0]["reason"]
    await scene.link(forks_enabled=True)
    scene.azure.people.abandon(pull, scene.ann)
    await scene.take()
    scene.azure.people.reactivate(pull, scene.ann)
    assert len(started(await scene.take())) == 1
    await scene.run_jobs()
    [run] = await scene.runs()
    assert run.status.value == "plan_queued", run.error


async def test_a_fork_that_is_planned_gets_no_secret_and_its_log_says_so(scene: Scene) -> None:
    world = scene.world
    await scene.link(forks_enabled=True)
    secret = f"canary-{secrets.token_hex(8)}"
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        for key, value, sensitive in (
            ("password", secret, True),
            ("region", "here", False),
            ("TFC_WORKLOAD_IDENTITY_AUDIENCE", "somewhere", False),
        ):
            settings = VariableSettings(
                key=key, value=value, sensitive=sensitive, category=Category.ENV
            )
            await create_variable(session, world.platform.keyring, world.owner, workspace, settings)
    scene.open_fork({"evil.tf": "1"})
    await scene.take()
    await scene.run_jobs()
    [run] = await scene.runs()
    job = await world.must_begin(run.id)
    assert secret not in job.model_dump_json()
    assert (job.token, job.credentials, "fork" in job.notice) == ("", Credentials(), True)
    assert "region" in {one.key for one in job.variables}


async def test_a_pull_request_of_2001_files_is_judged_by_all_of_them(scene: Scene) -> None:
    other = await scene.world.beside(trigger_prefixes=["zz"])
    await scene.link(other)
    scene.open_pull({f"docs/{n}.md": "x" for n in range(2000)} | {"zz/last.tf": "x"})
    rows = await scene.take()
    assert other.workspace_id in {row["workspace_id"] for row in rows if row["run_id"]}


async def test_a_pull_request_into_another_branch_starts_nothing(scene: Scene) -> None:
    scene.push({"r.tf": "1"}, branch="release")
    await scene.take()
    scene.open_pull({"a.tf": "1"}, target="release")
    rows = await scene.take()
    assert not started(rows)


async def test_without_speculative_plans_a_pull_request_starts_nothing(scene: Scene) -> None:
    quiet = await scene.world.beside(speculative_enabled=False)
    await scene.link(quiet)
    scene.open_pull({"a.tf": "1"})
    rows = await scene.take()
    reasons = [row["reason"] for row in rows if row["workspace_id"] == quiet.workspace_id]
    assert "Speculative plans are off for the workspace." in reasons
    assert not await quiet.runs()
