"""Who is in a group of the provider: asked each time, or refused with words."""

import pytest

from landform.kit.errors import InvalidError
from landform.vcs.changes import Person
from tests.vcs.contract.host import Host


async def test_who_is_in_a_group_is_asked_each_time(host: Host) -> None:
    if not host.group:
        pytest.skip("it cannot be asked")
    provider, repository = await host.opened()
    group = provider.check_group(f" {host.group} ")
    person = Person(id=host.person[0], login=host.person[1])
    host.let_in()
    assert await provider.is_in_group(repository, person, group)
    host.let_out()
    assert not await provider.is_in_group(repository, person, group)


async def test_nobody_is_in_a_group_by_a_name_alone(host: Host) -> None:
    if not host.group:
        pytest.skip("it cannot be asked")
    provider, repository = await host.opened()
    host.let_in()
    for person in (Person(login=host.person[1], name=host.person[1]), Person(id="999999")):
        assert not await provider.is_in_group(repository, person, host.group)


async def test_what_is_no_group_is_refused_and_where_there_are_none_that_is_said(
    host: Host,
) -> None:
    provider = await host.provider()
    words = "is written|is one of" if host.group else "cannot be asked who is in a group"
    for group in host.no_groups:
        with pytest.raises(InvalidError, match=words):
            provider.check_group(group)
