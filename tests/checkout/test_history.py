"""The last commits of a branch, from a real git server."""

import pytest

from landform.checkout.history import recent_commits
from landform.kit.errors import NotFoundError, TooLargeError
from landform.vcs.git.program import GitFailedError, Limits
from tests.checkout.conftest import LOOPBACK, Scene


async def test_the_last_commits_tell_what_each_changed_and_its_tags(scene: Scene) -> None:
    shas = [scene.push({f"d{number}/a ü.tf": f"# {number}"}) for number in range(5)]
    scene.push({"d0/a ü.tf": None})
    found = await recent_commits(scene.credentials, "main", count=4, allow=LOOPBACK)
    assert [commit.sha for commit in found[1:]] == shas[:1:-1]
    assert [commit.paths for commit in found] == [
        frozenset({"d0/a ü.tf"}),
        *(frozenset({f"d{number}/a ü.tf"}) for number in (4, 3, 2)),
    ]
    assert (found[0].author, found[0].subject) == ("Ann", "Change")


async def test_the_first_commit_changed_everything_it_has(scene: Scene) -> None:
    scene.push({"a.tf": "", "b/c.tf": ""})
    found = await recent_commits(scene.credentials, "main", count=20, allow=LOOPBACK)
    assert found[-1].paths == frozenset({"a.tf", "b/c.tf"})


async def test_what_is_not_there_or_too_large_is_said(scene: Scene) -> None:
    scene.push({"a.tf": ""})
    with pytest.raises((GitFailedError, NotFoundError)):
        await recent_commits(scene.credentials, "gone", count=20, allow=LOOPBACK)
    with pytest.raises(TooLargeError):
        await recent_commits(
            scene.credentials, "main", count=20, allow=LOOPBACK, limits=Limits(fetched_bytes=10)
        )
