"""Statuses and comments arrive at a provider, and one comment stays one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from landform.vcs.facts import State, Status
from landform.vcs.reach import Reach
from tests.vcs.contract.conftest import HOSTS
from tests.vcs.contract.github import GitHubAppHost
from tests.vcs.contract.host import Host
from tests.vcs.contract.making import host_of

NAME = "Landform/acme/net"
WAYS: Final[dict[str, type[Host]]] = {**HOSTS, "github-app": GitHubAppHost}


@pytest.fixture(params=WAYS)
async def host(request: pytest.FixtureRequest, reach: Reach, tmp_path: Path) -> AsyncIterator[Host]:
    """Every provider, and each way in which one tells of runs."""
    async with host_of(WAYS[request.param], reach, tmp_path / "host") as made:
        yield made


async def test_a_status_is_shown_on_the_commit_in_the_providers_word(host: Host) -> None:
    provider, repository = await host.opened()
    for state in State:
        status = Status(state=state, name=state, description="x" * 900, url="https://l.test/r")
        await provider.set_commit_status(repository, host.first, status)
    wanted = [(host.words[state], f"Landform/{state}") for state in State]
    assert host.statuses(host.first) == wanted


async def test_the_newest_status_counts_also_when_it_says_the_same_again(host: Host) -> None:
    provider, repository = await host.opened()
    states = (State.PENDING, State.RUNNING, State.RUNNING, State.FAILED, State.PENDING)
    for state in (*states, State.SUCCEEDED):
        status = Status(state=state, name="acme/net", description=state, url="")
        await provider.set_commit_status(repository, host.first, status)
    assert host.statuses(host.first)[-1] == (host.words[State.SUCCEEDED], NAME)
    assert {name for _, name in host.statuses(host.first)} == {NAME}


async def test_a_pull_request_shows_the_status_of_its_newest_commit(host: Host) -> None:
    provider, repository = await host.opened()
    sha = host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    status = Status(state=State.SUCCEEDED, name="acme/net", description="d", url="")
    await provider.set_pull_request_status(repository, number, sha, status)
    await provider.set_commit_status(repository, sha, status)
    assert host.statuses(sha) == [(host.words[State.SUCCEEDED], NAME)]


async def test_a_comment_is_edited_in_place_and_written_anew_when_it_is_gone(host: Host) -> None:
    provider, repository = await host.opened()
    host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    made = await provider.upsert_comment(repository, number, "one")
    again = await provider.upsert_comment(
        repository, number, "two", comment_id=made, needs_attention=True
    )
    assert again == made
    assert host.comments(number) == ["two"]
    host.drop_comments(number)
    await provider.upsert_comment(repository, number, "three", comment_id=made)
    assert host.comments(number) == ["three"]


async def test_a_comment_too_long_for_the_provider_is_cut_and_says_so(host: Host) -> None:
    provider, repository = await host.opened()
    host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    await provider.upsert_comment(repository, number, "x" * 1_100_000)
    [text] = host.comments(number)
    assert text.startswith("xxx")
    assert text.endswith("the rest is in the run.")
