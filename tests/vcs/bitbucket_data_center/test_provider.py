"""What is Bitbucket Data Center's own; the rest is asked of it by the contract."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landform.kit.errors import ConflictError, InvalidError, MalformedError
from landform.vcs import connections
from landform.vcs.changes import Delivery, Push, TagPush
from landform.vcs.errors import NotAllowedError, ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import ConnectionStatus
from landform.vcs.provider import Ask, Setup
from landform.vcs.providers.bitbucket_data_center import DataCenterDeliveries
from landform.vcs.providers.bitbucket_data_center.urls import api_of, path_of, web_of
from landform.vcs.reach import Reach
from tests.standins.repositories import ZEROS
from tests.standins.serving import Answer, Server
from tests.vcs.contract.bitbucket_data_center import DataCenterHost
from tests.vcs.contract.making import host_of

READER = DataCenterDeliveries()
WEB = "https://h.example/bitbucket"


@pytest.fixture
async def host(reach: Reach, tmp_path: Path) -> AsyncIterator[DataCenterHost]:
    async with host_of(DataCenterHost, reach, tmp_path / "host") as made:
        yield made


def read(event: str, body: bytes) -> Delivery:
    return READER.read({"x-event-key": event}, body)


@pytest.mark.parametrize(
    ("given", "web", "api"),
    [
        ({"endpoint": WEB}, WEB, f"{WEB}/rest/api/1.0"),
        ({"api_url": f"{WEB}/rest/api/1.0"}, WEB, f"{WEB}/rest/api/1.0"),
        ({"endpoint": WEB, "api_url": f"{WEB}/rest/api/latest"}, WEB, f"{WEB}/rest/api/latest"),
    ],
)
def test_the_server_is_where_the_connection_says(given: dict[str, str], web: str, api: str) -> None:
    kind, sign_in = Kind.BITBUCKET_DATA_CENTER, SignIn.TOKEN
    setup = Setup(connection_id="", organization_id="", kind=kind, sign_in=sign_in, **given)
    assert (web_of(setup), api_of(setup)) == (web, api)


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("OPS/infra", "/projects/OPS/repos/infra"),
        ("~ann/infra", "/projects/~ann/repos/infra"),
        (f"{WEB}/users/ann/repos/infra/browse", "/projects/~ann/repos/infra"),
        (f"{WEB}/scm/~ann/infra.git", "/projects/~ann/repos/infra"),
        ("ssh://git@h.example:7999/~ann/infra.git", "/projects/~ann/repos/infra"),
        (f"{WEB}/projects/OPS/repos/infra/pull-requests/3/overview", "/projects/OPS/repos/infra"),
    ],
)
def test_every_form_of_an_address_is_the_repository(reference: str, path: str) -> None:
    assert path_of(reference, web=WEB) == path


def test_an_address_of_another_server_is_refused() -> None:
    with pytest.raises(InvalidError, match=r"is to h\.example"):
        path_of("https://bitbucket.org/acme/infra", web=WEB)


async def test_a_refusal_that_names_us_is_of_a_permission_and_no_other_is(
    host: DataCenterHost,
) -> None:
    row = await host.connect(client_secret=host.token(hooks=False))
    await connections.test_connection(host.ours.reach, host.ours.owner, row.id)
    provider = await host.provider(row)
    repository = await provider.repository("OPS/infra")
    with pytest.raises(NotAllowedError, match="not permitted"):
        await provider.hooks(repository, url="https://x")
    assert (await host.row(row)).status is ConnectionStatus.CONNECTED
    host.end_tokens()
    with pytest.raises(SignInNeededError):
        await provider.hooks(repository, url="https://x")
    assert (await host.row(row)).status is ConnectionStatus.NEEDS_RECONNECT


async def test_a_comment_that_somebody_else_is_changing_is_changed_after_them(
    host: DataCenterHost,
) -> None:
    provider, repository = await host.opened()
    host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    made = await provider.upsert_comment(repository, number, "one")
    late = Answer(409, b'{"errors": [{"message": "out-of-date"}]}')
    host.api.plan("/comments/", method="PUT", answer=late, times=2)
    assert await provider.upsert_comment(repository, number, "two", comment_id=made) == made
    assert host.comments(number) == ["two"]
    host.api.plan("/comments/", method="PUT", answer=late, times=9)
    with pytest.raises(ProviderRefusedError, match="out-of-date"):
        await provider.upsert_comment(repository, number, "three", comment_id=made)


async def test_the_default_branch_is_found_on_servers_old_and_new(host: DataCenterHost) -> None:
    host.forge.repository("OPS", "empty")
    for is_old in (False, True):
        host.forge.is_old = is_old
        provider, repository = await host.opened()
        assert repository.default_branch == "main"
        assert (await provider.repository("OPS/empty")).default_branch == ""


async def test_lists_are_whole_however_small_the_server_makes_its_pages(
    host: DataCenterHost,
) -> None:
    host.forge.most = 7
    provider, repository = await host.opened()
    after = host.push({f"a/{n}.tf": "" for n in range(50)}, branch="topic")
    numbers = {host.open_pull("topic") for _ in range(16)}
    assert {each.number for each in await provider.open_pull_requests(repository)} == numbers
    for paths in (
        await provider.pull_request_paths(repository, 1),
        await provider.changed_paths(repository, host.first, after),
    ):
        assert paths is not None
        assert len(paths) == 50


async def test_repositories_of_one_project_are_listed_where_the_token_is_of_one(
    host: DataCenterHost,
) -> None:
    host.forge.repository("DEV", "app")
    listed = await (await host.provider()).repositories()
    assert {each.identifier for each in listed.items} == {"OPS/infra", "DEV/app"}
    [only] = (await (await host.provider(account="DEV")).repositories()).items
    assert only.identifier == "DEV/app"
    projects = await (await host.provider()).projects("")
    assert [each.id for each in projects.items] == ["DEV", "OPS"]


async def test_submodules_by_ssh_are_fetched_from_this_server(host: DataCenterHost) -> None:
    provider, repository = await host.opened()
    given = await provider.clone_credentials(repository)
    git = f"{host.forge.url}/scm/"
    assert given.url == f"{git}ops/infra.git"
    assert given.rewrites == {"ssh://git@bitbucket.example.com:7999/": git}


async def test_nobody_is_sent_to_the_server_to_sign_in(host: DataCenterHost) -> None:
    provider = await host.provider()
    with pytest.raises(ConflictError):
        provider.authorize_url(Ask())
    with pytest.raises(SignInNeededError):
        await provider.renew("")
    with pytest.raises(InvalidError, match="is not signed in to by oauth but by token"):
        await host.connect(SignIn.OAUTH, client_id="a", client_secret="b")


async def test_one_push_of_several_refs_is_as_many_changes(host: DataCenterHost) -> None:
    provider, repository = await host.opened()
    await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    second = host.git.commit("main", {"a.tf": "1"})
    tag = host.git.tag("v1", second, message="One")
    moved = [
        ("refs/heads/main", host.first, second),
        ("refs/tags/v1", ZEROS, tag),
        ("refs/heads/old", host.first, ZEROS),
    ]
    host.forge.pushed(host.repo, host.ann, moved)
    [request] = host.delivered()
    main, made, gone = READER.read(request.headers, request.body).changes
    assert isinstance(main, Push)
    assert isinstance(made, TagPush)
    assert isinstance(gone, Push)
    assert (main.before, main.after, main.message) == (host.first, second, "")
    assert (made.tag, made.object_id, made.commit) == ("v1", tag, "")
    assert (gone.branch, gone.before, gone.after) == ("old", host.first, "")


async def test_a_hook_that_keeps_failing_is_left_alone_for_a_while(host: DataCenterHost) -> None:
    provider, repository = await host.opened()
    ours = Server(lambda _: Answer(500))
    await provider.ensure_hooks(repository, url=f"{ours.url}/hook", secret="s")
    for number in range(7):
        host.push({"a.tf": str(number)})
        host.settle()
    assert len(ours.requests) == 5, "each was sent once, and the last two not at all"
    host.forge.clock.advance(seconds=11)
    host.push({"a.tf": "again"})
    host.settle()
    assert len(ours.requests) == 6
    ours.close()


@pytest.mark.parametrize("body", [b"{}", b'{"pullRequest": {}}', b'{"changes": 1}'])
@pytest.mark.parametrize("event", ["repo:refs_changed", "pr:opened", "pr:comment:added"])
def test_a_payload_that_lacks_what_it_must_have_is_malformed(event: str, body: bytes) -> None:
    with pytest.raises(MalformedError):
        read(event, body)


def test_what_means_nothing_says_so() -> None:
    assert "test" in read("diagnostics:ping", b'{"test": true}').nothing_because
    assert "repo:forked" in read("repo:forked", b"{}").nothing_because
    note = {"ref": {"id": "refs/notes/x", "displayId": "x", "type": "NOTE"}}
    hashes = {"fromHash": ZEROS, "toHash": "a" * 40}
    repository = {"slug": "infra", "project": {"key": "OPS"}}
    said = {"repository": repository, "changes": [{**note, **hashes}]}
    assert "neither" in read("repo:refs_changed", json.dumps(said).encode()).nothing_because


@pytest.mark.parametrize("signature", ["", "00", "sha256=", "sha1=00", "sha256=é"])
def test_whoever_knows_no_secret_proves_nothing(signature: str) -> None:
    assert not READER.verify({"x-hub-signature": signature}, b"{}", ["s"])
    assert not READER.verify({}, b"{}", [])
