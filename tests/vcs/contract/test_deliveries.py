"""What hooks deliver is proved, stored once, and says the same whoever sends it."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from landform.kit.db import transaction
from landform.kit.errors import MalformedError, UnauthenticatedError
from landform.kit.ids import new_id
from landform.vcs import deliveries
from landform.vcs.changes import Action, AnyChange, Comment, PullRequest, Push, TagPush
from landform.vcs.models import DeliveryRow, Hook
from landform.vcs.providers import READERS
from landform.vcs.sealing import seal_hook_secrets
from tests.standins.serving import Request
from tests.vcs.contract.host import Host

NEW, OLD = "the-new-secret", "the-old-secret"


@pytest.fixture
async def hook(host: Host) -> Hook:
    """A hook whose secret is being replaced: the provider has the new one."""
    row = await host.connect()
    hook_id = new_id("hook")
    made = Hook(
        id=hook_id,
        connection_id=row.id,
        repository_id=host.repository_id,
        sealed_secrets=seal_hook_secrets(host.ours.reach.keyring, hook_id, [NEW, OLD]),
    )
    async with transaction(host.ours.reach.sessions) as session:
        session.add(made)
    await ensure(host, made, NEW)
    return made


async def ensure(host: Host, hook: Hook, secret: str) -> None:
    """Give the hook at the provider this secret."""
    provider, repository = await host.opened()
    await provider.ensure_hooks(repository, url=host.inbox(hook.id), secret=secret)
    host.delivered()  # some send a test


async def receive(host: Host, hook: Hook, request: Request) -> bool:
    return await deliveries.receive(host.ours.reach, hook.id, request.headers, request.body)


async def rows(host: Host) -> list[DeliveryRow]:
    async with transaction(host.ours.reach.sessions) as session:
        return list((await session.scalars(select(DeliveryRow))).all())


async def said(host: Host, hook: Hook) -> list[AnyChange]:
    """Receive what was delivered, and read what was stored of it."""
    found: list[AnyChange] = []
    for request in host.delivered():
        before = {row.id for row in await rows(host)}
        assert await receive(host, hook, request)
        [row] = [row for row in await rows(host) if row.id not in before]
        taken = await deliveries.take(host.ours.reach, row.id)
        assert taken is not None
        assert taken.changes or taken.reason
        found += taken.changes
    return found


async def only(host: Host, hook: Hook, kind: type[Any]) -> Any:
    """Return the one change of this kind; others may have come with it."""
    found = [each for each in await said(host, hook) if isinstance(each, kind)]
    assert len(found) == 1, found
    return found[0]


def delivered_id(host: Host, sha: str) -> str:
    return sha[: host.delivered_id_length]


async def test_either_secret_proves_a_delivery_during_a_rotation(host: Host, hook: Hook) -> None:
    for secret in (NEW, OLD):
        await ensure(host, hook, secret)
        host.push({"a.tf": secret})
        [request] = host.delivered()
        assert await receive(host, hook, request)


async def test_whoever_knows_no_secret_is_refused_and_nothing_stored(
    host: Host, hook: Hook
) -> None:
    await ensure(host, hook, "a-guess")
    host.push({"a.tf": "1"})
    [request] = host.delivered()
    nameless = {"content-type": request.headers["content-type"]}
    for forged in (request, replace(request, headers=nameless)):
        with pytest.raises(UnauthenticatedError):
            await receive(host, hook, forged)
    assert await rows(host) == []


async def test_a_delivery_that_comes_again_is_stored_once(host: Host, hook: Hook) -> None:
    host.push({"a.tf": "1"})
    [request] = host.delivered()
    assert await receive(host, hook, request)
    assert not await receive(host, hook, request)
    assert len(await rows(host)) == 1
    host.push({"a.tf": "2"})
    [another] = host.delivered()
    assert await receive(host, hook, another)


async def test_a_push_is_read(host: Host, hook: Hook) -> None:
    after = host.push({"a.tf": "1"}, message="net: add\n\nmore")
    push = await only(host, hook, Push)
    assert (push.branch, push.before, push.after) == ("main", host.first, after)
    assert push.repository_id == host.repository_id
    assert push.by.id == host.person[0]
    assert push.message.startswith("net: add")


async def test_a_new_branch_has_no_before_and_a_deleted_one_no_after(
    host: Host, hook: Hook
) -> None:
    made = host.push({"a.tf": "1"}, branch="a/b")
    new = await only(host, hook, Push)
    host.delete_branch("a/b")
    gone = await only(host, hook, Push)
    assert (new.branch, new.before, new.after) == ("a/b", "", made)
    before = made if host.tells_where_deleted_branches_were else ""
    assert (gone.branch, gone.before, gone.after) == ("a/b", before, "")


async def test_a_tag_is_read_with_its_commit_or_what_leads_to_it(host: Host, hook: Hook) -> None:
    for name, message in (("v1.2.0", ""), ("v1.3.0", "One")):
        made = host.tag(name, host.first, message=message)
        tag = await only(host, hook, TagPush)
        told = made if host.tells_tag_objects else host.first
        assert (tag.tag, tag.object_id) == (name, told)
        assert tag.commit in ("", host.first)
        assert (made == host.first) is (not message)


async def test_a_pull_request_is_followed_from_its_opening_to_its_merge(
    host: Host, hook: Hook
) -> None:
    first = host.push({"a.tf": "1"}, branch="topic")
    await said(host, hook)
    number = host.open_pull("topic", title="Add subnet", draft=True)
    opened = await only(host, hook, PullRequest)
    assert (opened.number, opened.action, opened.title) == (number, Action.OPENED, "Add subnet")
    assert (opened.source_branch, opened.source_commit) == ("topic", delivered_id(host, first))
    assert (opened.target_branch, opened.repository_id) == ("main", host.repository_id)
    assert (opened.is_draft, opened.is_fork) == (True, False)
    assert opened.author.id == host.person[0]
    second = host.push({"a.tf": "2"}, branch="topic")
    updated = await only(host, hook, PullRequest)
    assert (updated.action, updated.source_commit) == (Action.UPDATED, delivered_id(host, second))
    host.close_pull(number)
    assert (await only(host, hook, PullRequest)).action is Action.CLOSED
    if host.reopens:
        host.reopen_pull(number)
        reopened = await said(host, hook)
        assert len(reopened) == int(host.tells_reopening)
        for each in reopened:
            assert isinstance(each, PullRequest)
            assert each.action in (Action.REOPENED, Action.UPDATED)
            assert each.source_commit == second
    else:
        number = host.open_pull("topic")
        await said(host, hook)
    merged = host.merge_pull(number)
    changes = await said(host, hook)
    [pull] = [each for each in changes if isinstance(each, PullRequest)]
    [push] = [each for each in changes if isinstance(each, Push)]
    assert (pull.action, pull.number) == (Action.MERGED, number)
    assert (push.branch, push.after) == ("main", merged)


async def test_a_title_that_changed_is_no_new_commit(host: Host, hook: Hook) -> None:
    source = host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    await said(host, hook)
    host.retitle(number, "Another")
    for each in await said(host, hook):
        assert isinstance(each, PullRequest)
        assert (each.action, each.source_commit) == (Action.UPDATED, delivered_id(host, source))


async def test_a_pull_request_of_a_stranger_is_known_for_a_fork(host: Host, hook: Hook) -> None:
    host.open_fork({"a.tf": "theirs"})
    found = await only(host, hook, PullRequest)
    assert (found.is_fork, found.repository_id) == (True, host.repository_id)


async def test_a_comment_is_read_with_who_wrote_it(host: Host, hook: Hook) -> None:
    host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    await said(host, hook)
    host.comment(number, "landform plan")
    found = await only(host, hook, Comment)
    assert (found.number, found.text) == (number, "landform plan")
    assert (found.by.id, found.repository_id) == (host.person[0], host.repository_id)
    assert found.comment_id


async def test_what_somebody_else_made_of_a_comment_is_no_command_of_its_author(
    host: Host, hook: Hook
) -> None:
    host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    host.comment(number, "well done")
    await said(host, hook)
    if host.edit_by_another(number, "landform apply"):
        assert await said(host, hook) == []


async def test_what_is_of_another_shape_is_malformed(host: Host, hook: Hook) -> None:
    host.push({"a.tf": "1"})
    [request] = host.delivered()
    for body in (b"", b"nonsense", b"[]", b"\xff", b"[" * 10_000):
        with pytest.raises(MalformedError):
            READERS[host.kind].read(request.headers, body)
