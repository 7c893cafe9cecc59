"""Hooks at a provider: made, repaired, removed, and one of each."""

import pytest

from landform.vcs.errors import NotAllowedError
from tests.vcs.contract.host import Host


async def test_there_is_one_hook_of_each_however_often_it_is_asked(host: Host) -> None:
    provider, repository = await host.opened()
    url = host.inbox("hook-1")
    first = await provider.ensure_hooks(repository, url=url, secret="s1")
    second = await provider.ensure_hooks(repository, url=url, secret="s2")
    assert {each.id for each in first} == {each.id for each in second} == set(host.hooks())
    assert len(first) == len(second) == host.hook_count
    seen = await provider.hooks(repository, url=url)
    assert {each.id for each in seen} == set(host.hooks())
    assert all(each.is_enabled and each.url == url for each in seen)


async def test_hooks_of_others_are_let_be(host: Host) -> None:
    provider, repository = await host.opened()
    await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    theirs = set(host.hooks())
    await provider.ensure_hooks(repository, url=host.inbox("hook-2"), secret="s")
    await provider.delete_hooks(repository, url=host.inbox("hook-2"))
    assert set(host.hooks()) == theirs
    assert await provider.hooks(repository, url=host.inbox("hook-2")) == []


async def test_a_hook_that_was_switched_off_is_seen_and_switched_on(host: Host) -> None:
    provider, repository = await host.opened()
    url = host.inbox("hook-1")
    [one, *_] = await provider.ensure_hooks(repository, url=url, secret="s")
    host.switch_off(one.id)
    seen = {each.id: each for each in await provider.hooks(repository, url=url)}
    assert not seen[one.id].is_enabled
    assert "switched it off" in seen[one.id].detail
    await provider.ensure_hooks(repository, url=url, secret="s")
    assert all(each.is_enabled for each in await provider.hooks(repository, url=url))
    assert len(host.hooks()) == host.hook_count


async def test_a_hook_that_somebody_removed_is_made_again(host: Host) -> None:
    provider, repository = await host.opened()
    url = host.inbox("hook-1")
    [one, *_] = await provider.ensure_hooks(repository, url=url, secret="s")
    host.remove_hook(one.id)
    assert len(await provider.ensure_hooks(repository, url=url, secret="s")) == host.hook_count
    assert len(host.hooks()) == host.hook_count


async def test_hooks_are_removed_and_those_already_gone_do_not_matter(host: Host) -> None:
    provider, repository = await host.opened()
    url = host.inbox("hook-1")
    [one, *_] = await provider.ensure_hooks(repository, url=url, secret="s")
    host.remove_hook(one.id)
    await provider.delete_hooks(repository, url=url)
    await provider.delete_hooks(repository, url=url)
    assert not host.hooks()


async def test_who_may_not_make_hooks_is_told_what_it_takes(host: Host) -> None:
    provider = await host.provider(client_secret=host.token(hooks=False))
    repository = await provider.repository(host.repository_id)
    with pytest.raises(NotAllowedError) as refused:
        await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    assert host.hook_advice in str(refused.value)
    assert not host.hooks()
