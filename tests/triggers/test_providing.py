"""What a provider cannot tell of a pull request, git can."""

from pathlib import Path

from landform.runs.attempts import Platform
from landform.triggers.providing import Providing
from tests.standins.serving import Answer
from tests.triggers.scene import make_desk
from tests.vcs.contract.gitlab import GitLabHost
from tests.vcs.contract.host import Ours
from tests.world import World


async def test_a_merge_request_of_more_files_than_are_told_is_compared_by_git(
    platform: Platform, tmp_path: Path
) -> None:
    world = await World.make(platform)
    desk = make_desk(platform)
    reach = desk.reach
    host = GitLabHost(tmp_path / "gitlab", Ours(reach, world.organization_id, world.owner))
    row = await host.connect()
    paths = {f"net/{number:05}.tf": "" for number in range(1001)}
    host.push(dict(paths), branch="topic")
    number = host.open_pull("topic")
    host.push({"main.tf": "# moved on"})
    found = await Providing(desk, row.id, host.repository_id).pull_request_paths(number)
    assert found == frozenset(paths)
    host.push({"small.tf": "1"}, branch="small")
    number = host.open_pull("small")
    host.api.plan("/diffs", answer=Answer(200, b'"' + b"x" * (17 << 20) + b'"'))
    found = await Providing(desk, row.id, host.repository_id).pull_request_paths(number)
    assert found == frozenset({"small.tf"}), "of files so large that the answer is not read"
    await reach.services.http.close()
    host.close()
