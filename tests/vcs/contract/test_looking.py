"""What there is at a provider is found, all of it, whatever it is called."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from landform.checkout.service import changed_paths
from landform.kit.errors import InvalidError
from landform.vcs.changes import Action
from landform.vcs.errors import NoSuchRepositoryError
from landform.vcs.facts import Listing, Repository
from landform.vcs.provider import VcsProvider
from tests.vcs.contract.host import Host

MANY = 105  # more than one page of anything
LINES = "resource\n" * 50


async def every(listing: Callable[..., Awaitable[Listing[Any]]], *given: Any, **more: Any) -> Any:
    """Read all pages."""
    found: list[Any] = []
    page = ""
    for _ in range(50):
        part = await listing(*given, page=page, **more)
        found += part.items
        page = part.following
        if not page:
            return found
    raise AssertionError("there is no end of pages")


async def paths_by_git(
    host: Host, provider: VcsProvider, repository: Repository, before: str, after: str
) -> frozenset[str]:
    """Ask git, as is done where the provider cannot tell."""
    return await changed_paths(
        lambda: provider.clone_credentials(repository),
        before,
        after,
        allow=host.ours.reach.services.http.allow,
    )


async def test_a_repository_is_the_same_by_every_name(host: Host) -> None:
    provider = await host.provider()
    found = [await provider.repository(form) for form in host.forms]
    assert {each.id for each in found} == {host.repository_id}
    assert len({each.identifier.lower() for each in found}) == 1
    again = await provider.repository(found[0].identifier)
    assert (again.id, again.default_branch) == (host.repository_id, "main")
    assert again.is_private


async def test_what_names_no_repository_of_this_place_is_refused(host: Host) -> None:
    provider = await host.provider()
    for name in host.others:
        with pytest.raises(InvalidError):
            await provider.repository(name)


async def test_what_is_not_there_is_not_found(host: Host) -> None:
    provider = await host.provider()
    with pytest.raises(NoSuchRepositoryError):
        await provider.repository(host.missing)


async def test_repositories_are_listed_by_page_and_found_by_search(host: Host) -> None:
    host.add_repositories([f"module-{number:03}" for number in range(MANY)])
    provider = await host.provider()
    names = [each.name for each in await every(provider.repositories)]
    assert len(names) == len(set(names)) == MANY + 1
    found = await every(provider.repositories, search="MODULE-09")
    assert sorted(each.name for each in found) == [f"module-09{digit}" for digit in range(10)]


async def test_branches_are_listed_by_page_and_found_by_exact_name(host: Host) -> None:
    provider, repository = await host.opened()
    for number in range(MANY):
        host.git.set_ref(f"refs/heads/b/{number:03}", host.first)
    listed = {each.name: each.commit for each in await every(provider.branches, repository)}
    wanted = {"main", *(f"b/{number:03}" for number in range(MANY))}
    assert listed == dict.fromkeys(wanted, host.first)
    some = await every(provider.branches, repository, search="B/00")
    assert {each.name for each in some} == {f"b/00{digit}" for digit in range(10)}
    assert await provider.branch(repository, "b/00") is None
    found = await provider.branch(repository, "b/007")
    assert found is not None
    assert (found.name, found.commit) == ("b/007", host.first)


async def test_an_annotated_tag_is_peeled_to_its_commit(host: Host) -> None:
    assert host.git.tag("v/1", host.first, message="One") != host.first
    host.git.tag("v/10", host.first)
    provider, repository = await host.opened()
    found = await provider.tag(repository, "v/1")
    assert found is not None
    assert (found.name, found.commit) == ("v/1", host.first)
    listed = await every(provider.tags, repository)
    assert {each.name: each.commit for each in listed} == dict.fromkeys(("v/1", "v/10"), host.first)
    assert await provider.tag(repository, "v") is None


async def test_a_commit_is_shown_with_its_author(host: Host) -> None:
    provider, repository = await host.opened()
    for name in (host.first, host.first[:12]):
        found = await provider.read_commit(repository, name)
        assert (found.sha, found.message.strip(), found.author_name) == (host.first, "Begin", "Ann")
        assert found.authored_at is not None
        assert found.authored_at.tzinfo is not None


async def test_pull_requests_are_read_as_they_now_are(host: Host) -> None:
    provider, repository = await host.opened()
    source = host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic", title="Add", draft=True)
    [found] = await provider.open_pull_requests(repository)
    one = await provider.pull_request(repository, number)
    assert found == replace(one, merge_base=found.merge_base)  # lists may leave that out
    assert (found.repository_id, found.number, found.title) == (host.repository_id, number, "Add")
    assert (found.source_branch, found.source_commit) == ("topic", source)
    assert (found.target_branch, found.action) == ("main", Action.OPENED)
    assert (found.is_draft, found.is_fork) == (True, False)
    assert found.author.id == host.person[0]
    assert found.url.startswith("http")
    host.close_pull(number)
    assert not await provider.open_pull_requests(repository)
    assert (await provider.pull_request(repository, number)).action is Action.CLOSED
    if host.reopens:
        host.reopen_pull(number)
    else:
        number = host.open_pull("topic")
    merged = host.merge_pull(number)
    after = await provider.pull_request(repository, number)
    assert after.action is Action.MERGED
    assert merged.startswith(after.merge_commit)


async def test_a_pull_request_from_another_repository_is_a_fork(host: Host) -> None:
    provider, repository = await host.opened()
    number = host.open_fork({"a.tf": "theirs"})
    found = await provider.pull_request(repository, number)
    assert (found.is_fork, found.repository_id) == (True, host.repository_id)
    assert await provider.pull_request_paths(repository, number) == frozenset({"a.tf"})


async def test_all_open_pull_requests_are_read_however_many_there_are(host: Host) -> None:
    provider, repository = await host.opened()
    host.push({"a.tf": "1"}, branch="topic")
    numbers = host.open_pulls("topic", host.page_of_pulls + 5)
    found = await provider.open_pull_requests(repository)
    assert {each.number for each in found} == numbers


async def test_every_changed_path_is_found_by_the_provider_or_else_by_git(host: Host) -> None:
    provider, repository = await host.opened()
    for count in (1, 101, 2001):
        await every_path_is_found(host, provider, repository, count)


async def every_path_is_found(
    host: Host, provider: VcsProvider, repository: Repository, count: int
) -> None:
    """Push so many new files to a branch of their own, and look for them in both ways."""
    paths = {f"net/{number:05}.tf": "" for number in range(count)}
    after = host.push(dict(paths), branch=f"topic-{count}")
    number = host.open_pull(f"topic-{count}")
    wanted = frozenset(paths)
    told = await provider.changed_paths(repository, host.first, after)
    if told is None:
        assert not host.compares or (count > 100 and not host.tells_paths_of_pushes)
        told = await paths_by_git(host, provider, repository, host.first, after)
    assert told == wanted
    told = await provider.pull_request_paths(repository, number)
    if told is None:
        assert count > host.most_paths_of_pulls > 0
        pull = await provider.pull_request(repository, number)
        told = await paths_by_git(host, provider, repository, pull.merge_base, pull.source_commit)
    assert told == wanted


async def test_a_moved_file_counts_at_both_places_and_a_deleted_one_at_its_own(
    host: Host,
) -> None:
    provider, repository = await host.opened()
    before = host.push({"a/old.tf": LINES, "gone.tf": "x"})
    after = host.push({"a/old.tf": None, "b/new.tf": LINES, "gone.tf": None})
    found = await provider.changed_paths(repository, before, after)
    if not host.compares:
        found = await paths_by_git(host, provider, repository, before, after)
    assert found == frozenset({"a/old.tf", "b/new.tf", "gone.tf"})


async def test_nobody_can_tell_what_a_new_branch_changed(host: Host) -> None:
    provider, repository = await host.opened()
    assert await provider.changed_paths(repository, "", host.first) is None
    assert await provider.changed_paths(repository, "f" * 40, host.first) is None
