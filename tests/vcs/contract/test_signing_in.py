"""A connection gets its credentials, loses them, and shows them to nobody."""

import base64

import pytest
import structlog

from landform.checkout.service import check_out
from landform.kit.egress import Allow
from landform.kit.errors import InvalidError, LandformError
from landform.vcs import connections
from landform.vcs.errors import (
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.facts import State, Status
from landform.vcs.models import Connection, ConnectionStatus
from tests.standins.serving import Answer
from tests.vcs.contract.host import Host


async def test_a_person_signs_in_and_the_connection_works(peoples_host: Host) -> None:
    host = peoples_host
    row = await host.connect_for_people()
    assert row.status is ConnectionStatus.PENDING
    await host.come_back(await host.walk(row))
    assert (await host.row(row)).status is ConnectionStatus.CONNECTED
    provider = await host.provider(row)
    assert (await provider.repository(host.repository_id)).id == host.repository_id


async def test_a_person_who_declines_connects_nothing_and_is_told_so(peoples_host: Host) -> None:
    host = peoples_host
    row = await host.connect_for_people()
    host.decline()
    with pytest.raises(InvalidError, match=r"(?i)den|declin"):
        await host.come_back(await host.walk(row))
    assert (await host.row(row)).status is ConnectionStatus.PENDING


async def test_a_code_is_good_once(peoples_host: Host) -> None:
    host = peoples_host
    row = await host.connect_for_people()
    await host.come_back(back := await host.walk(row))
    with pytest.raises(InvalidError):
        await host.come_back(back)  # our own state is spent
    with pytest.raises(ProviderRefusedError):
        await (await host.provider(row)).exchange(back.code)


async def test_the_connection_says_who_it_is(host: Host) -> None:
    row = await host.connect()
    found = await connections.test_connection(host.ours.reach, host.ours.owner, row.id)
    assert found.identity in host.person[1]
    assert found.listing
    assert (await host.row(row)).status is ConnectionStatus.CONNECTED


async def test_a_token_that_ended_asks_for_a_person(host: Host) -> None:
    await check_end_of_token(host, await host.connect())


async def test_what_a_person_granted_and_ended_asks_for_them_again(peoples_host: Host) -> None:
    row = await peoples_host.connect_for_people()
    await peoples_host.come_back(await peoples_host.walk(row))
    await check_end_of_token(peoples_host, row)


async def check_end_of_token(host: Host, row: Connection) -> None:
    provider = await host.provider(row)
    host.end_tokens()
    with pytest.raises(SignInNeededError):
        await provider.repository(host.repository_id)
    broken = await host.row(row)
    assert broken.status is ConnectionStatus.NEEDS_RECONNECT
    assert broken.status_reason


FAILURES = (
    Answer(403, b'{"message": "no"}'),
    Answer(404, b'{"message": "Not found"}'),
    Answer(422, b'{"message": "no"}'),
    Answer(500, b"<html>oops</html>", {"Content-Type": "text/html"}),
    Answer(200, b"\xff not JSON", {"Content-Type": "application/json"}),
    Answer(401, b'{"message": "Bad credentials"}'),  # which ends the connection
)


async def test_the_token_is_in_no_failure_and_no_log(host: Host) -> None:
    token = host.token()
    row = await host.connect(client_secret=token)
    provider, repository = await host.provider(row), (await host.opened())[1]
    status = Status(state=State.FAILED, name="n", description="d", url="")
    shown = []
    with structlog.testing.capture_logs() as logs:
        for answer in FAILURES:
            host.api.plan("", answer=answer, times=100)
            with pytest.raises(LandformError) as failed:
                await provider.repository(host.repository_id)
            shown.append(str(failed.value))
            with pytest.raises(LandformError) as failed:
                await provider.set_commit_status(repository, host.first, status)
            shown.append(str(failed.value))
            host.api.forgive()
    shown += [str(logs), (await host.row(row)).status_reason]
    for known in (token, base64.b64encode(f":{token}".encode()).decode()):
        assert not [words for words in shown if known in words]


async def test_a_short_wait_is_waited_and_a_long_one_told(host: Host) -> None:
    provider, repository = await host.opened()
    host.api.plan("", answer=host.busy, headers={"Retry-After": "0.05"}, times=2)
    assert await provider.branch(repository, "main")
    host.api.plan("", answer=host.busy, headers={"Retry-After": "900"}, times=1)
    with pytest.raises(ProviderAwayError) as away:
        await provider.branch(repository, "main")
    assert away.value.retry_after_s == 900


async def test_a_read_that_failed_is_tried_again_and_a_write_is_not(host: Host) -> None:
    provider, repository = await host.opened()
    broken = Answer(502, b"")
    host.api.plan("", method="GET", answer=broken, times=2)
    assert await provider.branch(repository, "main")
    host.api.plan(host.status_path, method="POST", answer=broken, times=1)
    status = Status(state=State.PENDING, name="n", description="d", url="")
    with pytest.raises(ProviderAwayError):
        await provider.set_commit_status(repository, host.first, status)
    assert host.statuses(host.first) == []


async def test_what_may_not_be_done_does_not_break_the_connection(host: Host) -> None:
    row = await host.connect(client_secret=host.token(hooks=False))
    provider = await host.provider(row)
    repository = await provider.repository(host.repository_id)
    with pytest.raises(NotAllowedError):
        await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    assert (await host.row(row)).status is not ConnectionStatus.NEEDS_RECONNECT


async def test_git_fetches_the_private_repository_with_what_it_is_given(host: Host) -> None:
    provider, repository = await host.opened()

    async def credentials() -> object:
        return await provider.clone_credentials(repository)

    found = await check_out(
        credentials,  # type: ignore[arg-type]  # what it returns, mypy sees there
        host.first,
        ref="refs/heads/main",
        allow=Allow.parse("127.0.0.1"),
    )
    assert found.commit.message.strip() == "Begin"
    given = await provider.clone_credentials(repository)
    assert given.url.startswith(given.scope)
    assert given.password not in given.url
    assert given.password not in repr(given)
