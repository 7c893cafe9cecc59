"""Azure DevOps is read, told and hooked as its API is, by every page."""

import asyncio
import re
from collections.abc import Sequence

import pytest

from landform.kit.errors import InvalidError, NotFoundError
from landform.vcs.errors import NotAllowedError, ProviderAwayError, SignInNeededError
from landform.vcs.facts import Repository, State, Status
from landform.vcs.kinds import Kind
from landform.vcs.models import ConnectionStatus
from landform.vcs.provider import VcsProvider
from tests.standins.serving import html_answer, json_answer
from tests.vcs.scene import Scene

URL = "https://landform.test/hooks/vcs/hook-1"
PENDING = Status(state=State.PENDING, name="acme/net", description="Planning", url="https://l.test")


async def infra(provider: VcsProvider, scene: Scene) -> Repository:
    return await provider.repository(scene.repository.id)


async def test_an_empty_repository_has_no_default_branch(scene: Scene) -> None:
    scene.acme.repository("Cloud Team", "fresh")
    provider = await scene.provider()
    assert (await provider.repository("Acme/Cloud Team/fresh")).default_branch == ""


async def test_more_than_a_thousand_refs_are_read(scene: Scene) -> None:
    for number in range(1005):
        scene.repository.git.git("update-ref", f"refs/heads/b{number:04}", scene.first_commit)
    provider = await scene.provider()
    repository = await infra(provider, scene)
    first = await provider.branches(repository)
    rest = await provider.branches(repository, page=first.following)
    assert (len(first.items), len(rest.items)) == (1000, 6)
    assert await provider.branch(repository, "b1004") is not None


async def test_a_status_is_shown_on_the_commit_and_on_the_iteration(scene: Scene) -> None:
    people = scene.azure.people
    first = people.push(scene.repository, scene.ann, {"n.tf": ""}, branch="topic")
    pull = people.open_pull(scene.repository, scene.ann, "topic")
    second = people.push(scene.repository, scene.ann, {"n.tf": "2"}, branch="topic")
    provider = await scene.provider()
    repository = await infra(provider, scene)
    await provider.set_commit_status(repository, second, PENDING)
    for sha in (first, second):
        await provider.set_pull_request_status(repository, pull.id, sha, PENDING)
    (status,) = scene.repository.commit_statuses[second]
    assert status["context"] == {"genre": "Landform", "name": "acme/net"}
    assert [each["iterationId"] for each in pull.statuses] == [1, 2]
    assert {each["state"] for each in pull.statuses} == {"pending"}


async def test_a_status_of_a_commit_that_was_pushed_over_is_left_out(scene: Scene) -> None:
    people = scene.azure.people
    people.push(scene.repository, scene.ann, {"n.tf": ""}, branch="topic")
    pull = people.open_pull(scene.repository, scene.ann, "topic")
    provider = await scene.provider()
    repository = await infra(provider, scene)
    await provider.set_pull_request_status(repository, pull.id, "f" * 40, PENDING)
    assert pull.statuses == []


async def test_a_comment_is_edited_in_place_and_blocks_nobody(scene: Scene) -> None:
    people = scene.azure.people
    people.push(scene.repository, scene.ann, {"n.tf": ""}, branch="topic")
    pull = people.open_pull(scene.repository, scene.ann, "topic")
    provider = await scene.provider()
    repository = await infra(provider, scene)
    made = await provider.upsert_comment(repository, pull.id, "one")
    again = await provider.upsert_comment(
        repository, pull.id, "two", comment_id=made, needs_attention=True
    )
    assert made == again
    (thread,) = pull.threads
    assert [each["content"] for each in thread["comments"]] == ["two"]
    assert thread["status"] in (1, "active")
    anew = await provider.upsert_comment(repository, pull.id, "three", comment_id="999:1")
    assert anew != made


async def test_there_is_one_hook_for_each_event_however_often_it_is_asked(scene: Scene) -> None:
    provider = await scene.provider()
    repository = await infra(provider, scene)
    first = await provider.ensure_hooks(repository, url=URL, secret="s1")
    second = await provider.ensure_hooks(repository, url=URL, secret="s2")
    assert {each.id for each in first} == {each.id for each in second}
    assert len(scene.acme.subscriptions) == len(second) == 4
    for one in scene.acme.subscriptions.values():
        assert one.secrets == {"basicAuthPassword": "s2"}
        assert "branch" not in one.inputs
    versions = {
        one.document["eventType"]: one.document["resourceVersion"]
        for one in scene.acme.subscriptions.values()
    }
    assert versions["ms.vss-code.git-pullrequest-comment-event"] == "2.0"


async def test_who_may_not_make_hooks_is_told_the_command_that_allows_it(scene: Scene) -> None:
    bob = scene.acme.identity("Bob", hooks=False)
    provider = await scene.provider(pat=scene.pat(who=bob))
    repository = await infra(provider, scene)
    with pytest.raises(NotAllowedError) as refused:
        await provider.ensure_hooks(repository, url=URL, secret="s")
    line = (
        f"az devops security permission update --organization {scene.azure.url}/Acme"
        " --namespace-id cb594ebe-87dd-4fc9-ac2c-6a10a4c92046"
        f" --subject {bob.mail} --token PublisherSecurity/{scene.repository.project.id}"
        " --allow-bit 7"
    )
    assert str(refused.value).endswith(line)


async def test_a_service_principal_is_named_by_its_descriptor_in_that_command(
    scene: Scene,
) -> None:
    account = "11111111-2222-3333-4444-555555555555"
    robot = scene.acme.identity("Robot", hooks=False, account=account)
    provider = await scene.provider(pat=scene.pat(who=robot))
    repository = await infra(provider, scene)
    with pytest.raises(NotAllowedError, match=rf"--subject aad\.{robot.id} --token"):
        await provider.ensure_hooks(repository, url=URL, secret="s")


SIGNED_OUT = {
    "sign-in page": html_answer(203, "Sign In"),
    "redirect": html_answer(302, "", {"Location": "https://elsewhere.example/_signin?realm=x"}),
    "TF400813": json_answer({"message": "TF400813: The user is not authorized."}, 401),
}


@pytest.mark.parametrize("form", SIGNED_OUT)
async def test_every_form_of_being_signed_out_breaks_the_connection(
    scene: Scene, form: str
) -> None:
    row = await scene.connect(client_secret=scene.pat())
    provider = await scene.provider_of(row)
    scene.azure.server.plan("", answer=SIGNED_OUT[form], times=10)
    with pytest.raises(SignInNeededError):
        await provider.repositories()
    broken = await scene.row(row.id)
    assert broken.status is ConnectionStatus.NEEDS_RECONNECT
    assert "make a new one" in broken.status_reason


async def test_what_the_scopes_do_not_allow_does_not_break_the_connection(scene: Scene) -> None:
    scene.azure.people.push(scene.repository, scene.ann, {"n.tf": ""}, branch="topic")
    pull = scene.azure.people.open_pull(scene.repository, scene.ann, "topic")
    row = await scene.connect(client_secret=scene.pat("vso.code", "vso.code_status"))
    provider = await scene.provider_of(row)
    with pytest.raises(NotAllowedError, match="scopes"):
        await provider.upsert_comment(await infra(provider, scene), pull.id, "text")
    await provider.repositories()
    assert (await scene.row(row.id)).status is not ConnectionStatus.NEEDS_RECONNECT


async def test_a_token_goes_to_no_other_place(scene: Scene) -> None:
    pat = scene.pat()
    provider = await scene.provider(pat=pat)
    away = html_answer(302, "", {"Location": f"{scene.azure.vssps_url}/_signin"})
    scene.azure.server.plan("", answer=away, times=10)
    with pytest.raises(SignInNeededError) as failure:
        await provider.repositories()
    assert scene.azure.vssps.requests == []
    assert pat not in str(failure.value)


async def test_what_is_not_there_and_what_may_not_be_seen_are_the_same(scene: Scene) -> None:
    scene.repository.readers = set()
    provider = await scene.provider()
    with pytest.raises(NotFoundError, match="TF401019"):
        await provider.repository(scene.repository.id)
    with pytest.raises(InvalidError, match="github"):
        await provider.repository("https://github.com/acme/infra")


async def test_a_busy_service_is_waited_for_and_writes_are_not_doubled(scene: Scene) -> None:
    provider = await scene.provider()
    repository = await infra(provider, scene)
    busy = json_answer({"message": "TF400733: over the limit"}, 429)
    scene.azure.server.plan("refs", answer=busy, headers={"Retry-After": "0.05"}, times=2)
    assert await provider.branch(repository, "main") is not None
    scene.azure.server.plan("statuses", answer=json_answer({"message": "oops"}, 503))
    with pytest.raises(ProviderAwayError, match="503"):
        await provider.set_commit_status(repository, scene.first_commit, PENDING)
    assert len(scene.azure.server.asked("POST", "statuses")) == 1


async def test_a_slowing_answer_of_200_slows_the_client(scene: Scene) -> None:
    provider = await scene.provider()
    repository = await infra(provider, scene)
    scene.azure.server.plan("refs", headers={"Retry-After": "20"})
    await provider.branch(repository, "main")
    asked = len(scene.azure.server.requests)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await provider.branch(repository, "main")
    assert len(scene.azure.server.requests) == asked


async def test_a_server_is_asked_in_the_newest_version_it_knows(scene: Scene) -> None:
    scene.azure.newest_version = (6, 0)
    row = await scene.connect(
        kind=Kind.AZURE_DEVOPS_SERVER, client_secret=scene.pat(), api_url=scene.azure.url
    )
    provider = await scene.provider_of(row)
    await provider.repositories()
    await provider.repositories()
    assert _versions(scene) == ["7.1", "7.0", "6.0", "6.0"]


async def test_git_gets_the_credentials_for_the_whole_organization_and_no_more(
    scene: Scene,
) -> None:
    pat = scene.pat()
    provider = await scene.provider(pat=f" {pat}\n")
    found = await provider.clone_credentials(await infra(provider, scene))
    assert found.url == scene.repository.web_url
    assert found.scope == f"{scene.azure.url}/Acme/"
    assert (found.username, found.password) == ("landform", pat)
    assert found.rewrites == {"git@ssh.dev.azure.com:v3/Acme/": found.scope}
    assert pat not in repr(found)


async def test_the_connection_says_who_it_is_and_what_it_may(scene: Scene) -> None:
    provider = await scene.provider()
    found = await provider.capabilities()
    assert (found.identity, found.listing) == ("Ann", True)
    assert [each.name for each in (await provider.organizations()).items] == ["Acme"]


def _versions(scene: Scene) -> Sequence[str]:
    asked = scene.azure.server.asked("GET", "repositories")
    return [re.sub("-preview", "", each.query["api-version"]) for each in asked]
