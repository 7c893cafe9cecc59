from sqlalchemy import select

from landform.kit.db import transaction
from landform.kit.events import EventRow
from landform.triggers.models import SeenRef
from tests.standins.repositories import ZEROS, RefUpdate
from tests.standins.serving import Answer
from tests.triggers.scene import Scene


async def test_a_push_starts_a_run_of_that_very_commit(scene: Scene) -> None:
    sha = scene.push({"main.tf": "# second\n"}, message="net: add subnet")
    [row] = await scene.take()
    [run] = await scene.runs()
    assert (row["run_id"], row["workspace_id"]) == (run.id, scene.world.workspace_id)
    assert row["reason"] == "Push to branch main. Any file counts."
    assert (run.message, run.source) == ("net: add subnet", "tfe-configuration-version")
    assert await scene.world.status(run.id) == "pending", "its commit is not here yet"
    assert await scene.run_jobs() == 1
    assert await scene.world.status(run.id) == "plan_queued"
    assert sha in scene.repository.git.log(ZEROS, "refs/heads/main")


async def test_a_fetch_with_a_connection_s_credential_is_told_once_for_all_workspaces(
    scene: Scene,
) -> None:
    other = await scene.world.beside()
    await scene.link(other)
    sha = scene.push({"main.tf": "# second\n"})
    await scene.take()
    await scene.run_jobs()
    async with transaction(scene.world.platform.sessions) as session:
        query = select(EventRow).where(EventRow.name == "CommitFetched")
        [told] = (await session.scalars(query)).all()
    assert told.subject_id == scene.connection_id
    assert told.payload["commit_sha"] == sha
    mine = [scene.world.workspace_id, other.workspace_id]
    assert told.payload["workspace_ids"] == sorted(mine)


async def test_a_delivery_that_comes_twice_starts_one_run(scene: Scene) -> None:
    scene.push({"main.tf": "# second\n"})
    scene.azure.sender.settle()
    [request] = list(scene.received)
    await scene.take()
    [again] = await scene.act_on(request)
    assert again["reason"] == "This was acted on before."
    assert len(await scene.runs()) == 1


async def test_several_refs_in_one_push_are_each_acted_on(scene: Scene) -> None:
    other = await scene.world.beside()
    await scene.link(other, branch="release")
    git, before = scene.repository.git, scene.repository.git.resolve("refs/heads/main")
    main = git.commit("main", {"a.tf": "1"})
    release = git.commit("release", {"b.tf": "1"})
    scene.azure.people.pushed(
        scene.repository,
        scene.ann,
        [
            RefUpdate("refs/heads/main", before, main),
            RefUpdate("refs/heads/release", ZEROS, release),
        ],
    )
    rows = await scene.take()
    started = {row["workspace_id"] for row in rows if row["run_id"]}
    assert started == {scene.world.workspace_id, other.workspace_id}
    assert len(rows) == 4, "each ref has a word for each workspace"


async def test_a_push_without_commits_in_it_is_planned_all_the_same(scene: Scene) -> None:
    before = scene.repository.git.resolve("refs/heads/main")
    after = scene.repository.git.commit("main", {"a.tf": "1"}, message="said by git only")
    scene.azure.people.pushed(
        scene.repository,
        scene.ann,
        [RefUpdate("refs/heads/main", before, after)],
        with_commits=False,
    )
    await scene.take()
    await scene.run_jobs()
    [run] = await scene.runs()
    assert run.message == "said by git only"


async def test_a_forced_push_is_planned_and_one_back_to_an_older_commit_too(scene: Scene) -> None:
    first = scene.repository.git.resolve("refs/heads/main")
    second = scene.push({"a.tf": "1"})
    third = scene.push({"b.tf": "1"}, onto=first)
    scene.repository.git.set_ref("refs/heads/main", second)
    scene.azure.people.pushed(
        scene.repository, scene.ann, [RefUpdate("refs/heads/main", third, second)]
    )
    rows = await scene.take()
    assert [bool(row["run_id"]) for row in rows] == [True, True, True]


async def test_a_deleted_branch_starts_nothing_and_made_again_it_does(scene: Scene) -> None:
    await scene.link(branch="release")
    sha = scene.push({"a.tf": "1"}, branch="release")
    scene.azure.people.delete_ref(scene.repository, scene.ann, "refs/heads/release")
    scene.repository.git.set_ref("refs/heads/release", sha)
    scene.azure.people.pushed(
        scene.repository, scene.ann, [RefUpdate("refs/heads/release", ZEROS, sha)]
    )
    rows = await scene.take()
    assert [bool(row["run_id"]) for row in rows] == [True, False, True]
    assert rows[1]["reason"] == "Branch release was deleted."


async def test_deliveries_in_the_wrong_order_end_with_the_newest_commit(scene: Scene) -> None:
    scene.push({"a.tf": "0"})
    await scene.take()
    scene.push({"a.tf": "1"})
    newest = scene.push({"a.tf": "2"})
    rows = await scene.take(reverse=True)
    async with transaction(scene.platform.sessions) as session:
        seen = await session.get(
            SeenRef, (scene.connection_id, scene.repository.id, "refs/heads/main")
        )
    assert seen is not None
    assert seen.commit == newest
    assert [bool(row["run_id"]) for row in rows] == [True, False]


async def test_a_push_that_was_overtaken_is_said_to_be(scene: Scene) -> None:
    scene.push({"a.tf": "0"})
    await scene.take()
    scene.push({"a.tf": "1"})
    scene.azure.sender.settle()
    [stale] = list(scene.received)
    scene.received.clear()
    scene.push({"a.tf": "2"})
    [newer] = await scene.take()
    [older] = await scene.act_on(stale)
    assert newer["run_id"]
    assert older["reason"] == "The branch has moved on since; its newest push counts."


async def test_files_decide_where_a_workspace_says_so_among_2001_of_them(scene: Scene) -> None:
    watching = await scene.world.beside(trigger_prefixes=["zz"])
    elsewhere = await scene.world.beside(trigger_prefixes=["live"])
    for world in (watching, elsewhere):
        await scene.link(world)
    scene.push({"main.tf": "# known\n"})
    await scene.take()
    scene.push({f"docs/{n}.md": "x" for n in range(2000)} | {"zz/last.tf": "x"})
    rows = await scene.take()
    by_workspace = {row["workspace_id"]: row for row in rows}
    assert by_workspace[watching.workspace_id]["run_id"]
    refused = by_workspace[elsewhere.workspace_id]
    assert refused["run_id"] is None
    assert refused["reason"].endswith("None of 2001 changed files is in live.")


async def test_an_annotated_tag_is_planned_at_its_commit(scene: Scene) -> None:
    await scene.link(tags_regex=r"^v\d+$")
    sha = scene.push({"main.tf": "# tagged\n"})
    people = scene.azure.people
    tag = people.tag(scene.repository, scene.ann, "v1", sha, message="One")
    people.tag(scene.repository, scene.ann, "other", sha)
    assert tag != sha
    rows = await scene.take()
    assert [bool(row["run_id"]) for row in rows] == [False, True, False]
    await scene.run_jobs()
    [run] = await scene.runs()
    assert await scene.world.status(run.id) == "plan_queued"


async def test_a_commit_that_cannot_be_fetched_ends_its_runs_with_the_reason(scene: Scene) -> None:
    scene.push({"main.tf": "# second\n"})
    await scene.take()
    scene.azure.tokens.revoke(scene.pat)
    await scene.run_jobs()
    [run] = await scene.runs()
    assert run.status.value == "errored"
    assert "could not be fetched" in run.error
    assert scene.pat not in run.error


async def test_a_provider_that_is_away_is_tried_again_later(scene: Scene) -> None:
    scene.push({"main.tf": "# second\n"})
    await scene.take()
    scene.azure.server.plan("_git/infra/info/refs", answer=_unavailable(), times=1)
    await scene.run_jobs()
    [run] = await scene.runs()
    assert run.status.value == "pending"
    [job] = await scene.jobs()
    assert job["attempt"] == 1


async def test_six_workspaces_wait_for_one_fetch(scene: Scene) -> None:
    worlds = [await scene.world.beside() for _ in range(5)]
    for world in worlds:
        await scene.link(world)
    scene.push({"main.tf": "# second\n"})
    rows = await scene.take()
    assert len({row["run_id"] for row in rows}) == 6
    fetches = len(scene.azure.server.asked("POST", "git-upload-pack"))
    assert await scene.run_jobs() == 1
    assert len(scene.azure.server.asked("POST", "git-upload-pack")) <= fetches + 2
    for world in (scene.world, *worlds):
        [run] = await world.runs()
        assert run.status.value == "plan_queued"


def _unavailable() -> Answer:
    return Answer(503, b"busy")
