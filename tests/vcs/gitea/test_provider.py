"""What is Gitea's own; the rest is asked of it by the contract of all providers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from landform.kit.errors import InvalidError, MalformedError
from landform.vcs.changes import Delivery, Push
from landform.vcs.errors import NotAllowedError, ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.provider import Ask, Setup
from landform.vcs.providers.gitea import GiteaDeliveries
from landform.vcs.providers.gitea.urls import api_of, path_of, web_of
from landform.vcs.reach import Reach
from tests.standins.serving import Answer
from tests.vcs.contract.gitea import GiteaHost
from tests.vcs.contract.making import host_of

READER = GiteaDeliveries()
REPOSITORY = {"id": 1, "name": "infra", "full_name": "acme/infra"}
WEB = "https://h.example/git"


@pytest.fixture
async def host(reach: Reach, tmp_path: Path) -> AsyncIterator[GiteaHost]:
    async with host_of(GiteaHost, reach, tmp_path / "host") as made:
        yield made


def read(event: str, **said: Any) -> Delivery:
    body = {"repository": REPOSITORY, "sender": {"id": 3, "login": "ann"}, **said}
    return READER.read({"x-gitea-event": event}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "web", "api"),
    [
        ({"endpoint": WEB}, WEB, f"{WEB}/api/v1"),
        ({"api_url": f"{WEB}/api/v1"}, WEB, f"{WEB}/api/v1"),
        ({"endpoint": WEB, "api_url": "https://api.h/v1"}, WEB, "https://api.h/v1"),
    ],
)
def test_the_server_is_where_the_connection_says_also_below_a_path(
    given: dict[str, str], web: str, api: str
) -> None:
    setup = Setup(
        connection_id="", organization_id="", kind=Kind.GITEA, sign_in=SignIn.TOKEN, **given
    )
    assert (web_of(setup), api_of(setup)) == (web, api)


@pytest.mark.parametrize(
    "reference",
    [
        "acme/infra",
        f"{WEB}/acme/infra.git",
        f"{WEB}/acme/infra/pulls/3",
        "git@h.example:acme/infra.git",
        "forgejo@h.example:acme/infra.git",
        "ssh://git@h.example:2222/acme/infra.git",
    ],
)
def test_addresses_below_a_path_are_of_the_repository(reference: str) -> None:
    assert path_of(reference, web=WEB) == "/repos/acme/infra"


def test_an_address_of_another_server_is_refused() -> None:
    with pytest.raises(InvalidError, match=r"is to h\.example"):
        path_of("https://codeberg.org/acme/infra", web=WEB)


async def test_a_refresh_token_is_good_once_and_brings_the_next(host: GiteaHost) -> None:
    row = await host.connect_for_people()
    back = await host.walk(row)
    await host.come_back(back)
    provider = await host.provider(row)
    [first] = host.forge.oauth.refresh_tokens
    second = await provider.renew(first)
    assert second.refresh_token in host.forge.oauth.refresh_tokens
    assert host.forge.oauth.who(second.value) is host.ann
    with pytest.raises(SignInNeededError, match="Connect again"):
        await provider.renew(first)
    with pytest.raises(SignInNeededError):
        await provider.renew("")


async def test_a_code_is_worth_nothing_without_its_verifier(host: GiteaHost) -> None:
    row = await host.connect_for_people()
    back = await host.walk(row)
    with pytest.raises(ProviderRefusedError) as refused:
        await (await host.provider(row)).exchange(back.code, verifier="another")
    assert refused.value.code == "unauthorized_client"


async def test_the_scopes_asked_for_are_no_more_than_is_needed(host: GiteaHost) -> None:
    provider = await host.provider(await host.connect_for_people())
    url = provider.authorize_url(Ask(state="s"))
    assert "scope=read%3Auser+read%3Aorganization+write%3Arepository+write%3Aissue" in url


async def test_lists_are_whole_however_small_the_server_makes_its_pages(host: GiteaHost) -> None:
    host.forge.most = 7
    provider, repository = await host.opened()
    host.push({f"a/{n}.tf": "" for n in range(50)}, branch="topic")
    numbers = {host.open_pull("topic") for _ in range(16)}
    assert {each.number for each in await provider.open_pull_requests(repository)} == numbers
    paths = await provider.pull_request_paths(repository, 1)
    assert paths is not None
    assert len(paths) == 50


async def test_a_hook_that_lacks_an_event_is_mended(host: GiteaHost) -> None:
    provider, repository = await host.opened()
    url = host.inbox("hook-1")
    await provider.ensure_hooks(repository, url=url, secret="s")
    [hook] = host.repo.hooks.values()
    hook["events"] = ["push"]
    [seen] = await provider.hooks(repository, url=url)
    assert not seen.is_enabled
    assert "pull_request_comment" in seen.detail
    [mended] = await provider.ensure_hooks(repository, url=url, secret="s")
    assert mended.is_enabled


async def test_a_token_that_may_not_read_its_user_is_told_so(host: GiteaHost) -> None:
    words = b'{"message": "token does not have at least one of required scope(s): [read:user]"}'
    provider = await host.provider()
    host.api.plan("/user$", answer=Answer(403, words))
    with pytest.raises(NotAllowedError, match="read:user"):
        await provider.capabilities()


@pytest.mark.parametrize("body", [b"{}", b'{"ref": 1}', b'{"repository": {}}'])
@pytest.mark.parametrize("event", ["push", "delete", "pull_request", "issue_comment"])
def test_a_payload_that_lacks_what_it_must_have_is_malformed(event: str, body: bytes) -> None:
    with pytest.raises(MalformedError):
        READER.read({"x-gitea-event": event}, body)


def test_a_comment_that_somebody_else_changed_is_no_command_of_its_author() -> None:
    comment = {"id": 7, "body": "landform apply", "user": {"id": 9, "login": "eve"}}
    issue = {"number": 1}
    said = {"action": "edited", "issue": issue, "comment": comment, "is_pull": True}
    assert "somebody else" in read("issue_comment", **said).nothing_because
    [own] = read("issue_comment", **said, sender={"id": 9, "login": "eve"}).changes
    assert own.by.id == "9"


def test_what_means_nothing_says_so() -> None:
    tag = read("delete", ref="v1", ref_type="tag")
    issue = read("issue_comment", action="created", issue={"number": 1}, comment={"id": 1})
    assert (tag.changes, issue.changes) == ((), ())
    assert "push tells" in tag.nothing_because
    assert "on an issue" in issue.nothing_because
    assert "release" in read("release").nothing_because


def test_a_deleted_branch_is_told_without_where_it_was() -> None:
    [gone] = read("delete", ref="a/b", ref_type="branch").changes
    assert isinstance(gone, Push)
    assert (gone.branch, gone.before, gone.after) == ("a/b", "", "")


@pytest.mark.parametrize("signature", ["", "sha256=00", "é"])
def test_whoever_knows_no_secret_proves_nothing(signature: str) -> None:
    assert not READER.verify({"x-gitea-signature": signature}, b"{}", ["s"])
    assert not READER.verify({}, b"{}", [])
