"""What is Bitbucket Cloud's own; the rest is asked of it by the contract of all providers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from landform.checkout.service import check_out
from landform.kit.errors import MalformedError
from landform.vcs import connections
from landform.vcs.changes import Delivery, Push, TagPush
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError, SignInNeededError
from landform.vcs.facts import State, Status
from landform.vcs.kinds import SignIn
from landform.vcs.provider import Ask
from landform.vcs.providers.bitbucket import BitbucketDeliveries
from landform.vcs.reach import Reach
from tests.standins.repositories import ZEROS
from tests.standins.serving import Answer, Request, Server, json_answer
from tests.vcs.contract.bitbucket import BitbucketHost
from tests.vcs.contract.making import host_of

READER = BitbucketDeliveries()


@pytest.fixture
async def host(reach: Reach, tmp_path: Path) -> AsyncIterator[BitbucketHost]:
    async with host_of(BitbucketHost, reach, tmp_path / "host") as made:
        yield made


def read(event: str, **said: Any) -> Delivery:
    body = {"repository": {"uuid": "{r}", "name": "infra"}, "actor": {"uuid": "{a}"}, **said}
    return READER.read({"x-event-key": event}, json.dumps(body).encode())


async def test_an_api_token_is_shown_with_the_email_it_belongs_to(host: BitbucketHost) -> None:
    token = host.forge.token(host.ann, email="ann@example.com")
    row = await host.connect(client_secret=token, username="ann@example.com")
    found = await connections.test_connection(host.ours.reach, host.ours.owner, row.id)
    assert found.identity == "ann"
    provider = await host.provider(row)
    repository = await provider.repository("acme/infra")

    async def credentials() -> Any:
        return await provider.clone_credentials(repository)

    got = await check_out(credentials, host.first, allow=host.ours.reach.services.http.allow)
    assert got.commit.sha == host.first
    alone = await host.provider(client_secret=token)
    with pytest.raises(SignInNeededError):
        await alone.repository("acme/infra")


async def test_repositories_are_listed_by_workspace_and_found_without(host: BitbucketHost) -> None:
    provider = await host.provider(account="")
    with pytest.raises(ProviderRefusedError, match="name it in the connection's account"):
        await provider.repositories()
    found = await provider.repository("acme/infra")
    assert (await provider.repository(found.id)).identifier == "acme/infra"
    [project] = (await (await host.provider()).projects("acme")).items
    assert (project.id, project.name) == ("OPS", "Operations")
    listed = await (await host.provider()).repositories("acme", "OPS")
    assert [each.name for each in listed.items] == ["infra"]


async def test_words_of_a_search_are_no_query(host: BitbucketHost) -> None:
    provider = await host.provider()
    assert not (await provider.repositories(search='" OR name ~ "infra')).items
    repository = await provider.repository("acme/infra")
    assert await provider.branch(repository, 'x" OR name = "main') is None


async def test_abbreviated_commits_are_made_whole_also_of_forks(host: BitbucketHost) -> None:
    provider, repository = await host.opened()
    ours = host.push({"a.tf": "1"}, branch="topic")
    host.open_pull("topic")
    number = host.open_fork({"b.tf": "1"})
    theirs = host.repo.pulls[number].sha
    found = {
        each.number: each.source_commit for each in await provider.open_pull_requests(repository)
    }
    assert found == {1: ours, number: theirs}
    assert (await provider.pull_request(repository, number)).source_commit == theirs


async def test_a_status_is_told_of_an_abbreviated_commit_too_and_names_keep_apart(
    host: BitbucketHost,
) -> None:
    provider, repository = await host.opened()
    for end in ("one", "two"):
        name = f"organization-with-a-long-name/workspace-{end}"
        status = Status(state=State.PENDING, name=name, description="d", url="")
        await provider.set_commit_status(repository, host.first[:12], status)
    told = host.repo.statuses[host.first].values()
    assert [each["name"][-3:] for each in told] == ["one", "two"]
    assert all(each["url"].startswith("http") for each in told)


async def test_a_comment_has_no_html_which_would_be_shown_as_it_is_written(
    host: BitbucketHost,
) -> None:
    provider, repository = await host.opened()
    host.push({"a.tf": "1"}, branch="topic")
    number = host.open_pull("topic")
    plan = "# line\n" * 9000
    folded = f"Head\n\n<details><summary>What was said</summary>\n\n```\n{plan}```\n\n</details>\n"
    await provider.upsert_comment(repository, number, folded)
    [text] = host.comments(number)
    assert text.startswith("Head\n\n**What was said**\n\n```\n")
    assert "<" not in text
    assert text.count("```") == 2, "the rest would be shown as if it were the plan"
    assert len(text) <= 32_768


async def test_the_next_page_is_of_the_same_server(host: BitbucketHost) -> None:
    provider, repository = await host.opened()
    other = Server(lambda _: json_answer({"values": []}))
    said = json_answer({"values": [], "next": f"{other.url}/2.0/more"})
    host.api.plan("/pullrequests$", answer=said, times=1)
    with pytest.raises(ProviderAwayError, match="another server"):
        await provider.open_pull_requests(repository)
    host.api.plan("/refs/branches$", answer=said, times=1)
    listing = await provider.branches(repository)
    await provider.branches(repository, page=listing.following or "page=2")
    await provider.branches(repository, page=f"{other.url}/x?page=2")
    assert not other.requests
    other.close()


async def test_a_refresh_token_is_taken_for_good_once(host: BitbucketHost) -> None:
    row = await host.connect_for_people()
    await host.come_back(await host.walk(row))
    provider = await host.provider(row)
    [first] = host.forge.oauth.refresh_tokens
    second = await provider.renew(first)
    assert host.forge.oauth.who(second.value) is host.ann
    with pytest.raises(SignInNeededError, match="Connect again"):
        await provider.renew(first)


async def test_a_consumer_with_a_wrong_secret_is_a_setting_to_mend(host: BitbucketHost) -> None:
    given = host.application("https://landform.test/callback/v1/vcs/contract")
    row = await host.connect(
        SignIn.OAUTH, callback="contract", client_id=given["client_id"], client_secret="wrong"
    )
    back = await host.walk(row)
    with pytest.raises(ProviderRefusedError) as refused:
        await host.come_back(back)
    assert refused.value.code == "unauthorized_client"
    assert "code_challenge" not in (await host.provider(row)).authorize_url(Ask(challenge="c"))


async def test_the_connection_says_when_its_scopes_lack_hooks(host: BitbucketHost) -> None:
    whole = await (await host.provider()).capabilities()
    some = await (await host.provider(client_secret=host.token(hooks=False))).capabilities()
    assert (whole.hooks, some.hooks) == (True, False)
    assert "Webhooks" in some.lacking["hooks"]


async def test_a_token_of_nobody_is_known_by_its_workspace(host: BitbucketHost) -> None:
    provider = await host.provider()
    host.api.plan("/user$", answer=Answer(403, b"{}"))
    assert (await provider.capabilities()).identity == "acme"


async def test_one_push_of_several_refs_is_as_many_changes(host: BitbucketHost) -> None:
    provider, repository = await host.opened()
    await provider.ensure_hooks(repository, url=host.inbox("hook-1"), secret="s")
    second = host.git.commit("main", {"a.tf": "1"})
    host.git.tag("v1", second, message="One")
    moved = [
        ("refs/heads/main", host.first, second),
        ("refs/tags/v1", ZEROS, host.git.resolve("refs/tags/v1")),
        ("refs/heads/old", host.first, ZEROS),
    ]
    host.forge.pushed(host.repo, host.ann, moved)
    [request] = host.delivered()
    main, tag, gone = READER.read(request.headers, request.body).changes
    assert isinstance(main, Push)
    assert isinstance(tag, TagPush)
    assert isinstance(gone, Push)
    assert (main.before, main.after) == (host.first, second)
    assert (tag.tag, tag.commit) == ("v1", second)
    assert (gone.branch, gone.before, gone.after) == ("old", host.first, "")


async def test_what_is_not_taken_comes_twice_more_and_is_one_delivery(host: BitbucketHost) -> None:
    provider, repository = await host.opened()
    answers = iter([Answer(503), Answer(503), Answer(202)])
    came: list[Request] = []

    def receive(request: Request) -> Answer:
        came.append(request)
        return next(answers)

    ours = Server(receive)
    await provider.ensure_hooks(repository, url=f"{ours.url}/hook", secret="s")
    host.push({"a.tf": "1"})
    host.settle()
    ours.close()
    assert [each.headers["x-attempt-number"] for each in came] == ["1", "2", "3"]
    assert len({READER.delivery_id(each.headers, each.body) for each in came}) == 1


@pytest.mark.parametrize("body", [b"{}", b'{"repository": {}}', b'{"repository": 1}'])
@pytest.mark.parametrize(
    "event", ["repo:push", "pullrequest:created", "pullrequest:comment_created"]
)
def test_a_payload_that_lacks_what_it_must_have_is_malformed(event: str, body: bytes) -> None:
    with pytest.raises(MalformedError):
        READER.read({"x-event-key": event}, body)


def test_what_means_nothing_says_so() -> None:
    assert "repo:fork" in read("repo:fork").nothing_because
    mark = {"old": None, "new": {"type": "bookmark", "name": "b", "target": {"hash": "a" * 40}}}
    assert "neither" in read("repo:push", push={"changes": [mark]}).nothing_because


@pytest.mark.parametrize("signature", ["", "00", "sha256=", "sha1=00", "sha256=é"])
def test_whoever_knows_no_secret_proves_nothing(signature: str) -> None:
    assert not READER.verify({"x-hub-signature": signature}, b"{}", ["s"])
    assert not READER.verify({}, b"{}", [])
