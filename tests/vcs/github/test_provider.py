from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey
from sqlalchemy import select

from landform.kit import clock
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.vcs.changes import Action
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.facts import State, Status
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.provider import Setup, Token
from landform.vcs.providers.github.urls import api_of
from landform.vcs.sealing import seal_token
from tests.standins.serving import Answer
from tests.vcs.github.conftest import Place

HOOK = "http://127.0.0.1:1/hooks/vcs/hook-1"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("endpoint", "api"),
    [
        ("", "https://api.github.com"),
        ("https://github.com", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://git.example.com/", "https://git.example.com/api/v3"),
    ],
)
def test_the_api_is_where_the_kind_of_host_has_it(endpoint: str, api: str) -> None:
    setup = Setup(
        connection_id="",
        organization_id="",
        kind=Kind.GITHUB,
        sign_in=SignIn.TOKEN,
        endpoint=endpoint,
    )
    assert api_of(setup) == api


async def test_a_repository_is_the_same_by_every_name(place: Place) -> None:
    provider = await place.provider()
    names = (
        str(place.repo.id),
        "acme/infra",
        "Acme/Infra",
        f"{place.hub.url}/acme/infra",
        f"{place.hub.url}/acme/infra.git",
        f"{place.hub.url}/acme/infra/tree/main/live",
        "git@127.0.0.1:acme/infra.git",
        "ssh://git@127.0.0.1/acme/infra.git",
    )
    found = {(await provider.repository(name)).id for name in names}
    assert found == {str(place.repo.id)}


@pytest.mark.parametrize("name", ["", "infra", "https://gitlab.com/acme/infra", "a/b/../c", "../x"])
async def test_what_names_no_repository_of_this_host_is_refused(place: Place, name: str) -> None:
    provider = await place.provider()
    with pytest.raises(InvalidError):
        await provider.repository(name)


async def test_what_is_not_there_or_may_not_be_seen_is_not_found(place: Place) -> None:
    provider = await place.provider()
    with pytest.raises(NoSuchRepositoryError):
        await provider.repository("acme/nothing")


async def test_branches_are_read_page_by_page_and_found_by_exact_name(place: Place) -> None:
    for number in range(101):
        place.repo.git.set_ref(f"refs/heads/b/{number:03}", place.first)
    provider = await place.provider()
    repository = await place.repository(provider)
    first = await provider.branches(repository)
    second = await provider.branches(repository, page=first.following)
    assert (len(first.items), len(second.items), second.following) == (100, 2, "")
    assert await provider.branch(repository, "b/00") is None
    found = await provider.branch(repository, "b/007")
    assert found is not None
    assert found.commit == place.first


async def test_an_annotated_tag_is_peeled_to_its_commit(place: Place) -> None:
    assert place.repo.git.tag("v1", place.first, message="One") != place.first
    provider = await place.provider()
    repository = await place.repository(provider)
    found = await provider.tag(repository, "v1")
    listed = await provider.tags(repository)
    assert found == listed.items[0]
    assert found is not None
    assert found.commit == place.first


async def test_a_commit_is_shown_with_its_author(place: Place) -> None:
    provider = await place.provider()
    found = await provider.read_commit(await place.repository(provider), place.first)
    assert (found.message, found.author_name) == ("Begin", "Ann")
    assert found.authored_at is not None


async def test_changed_paths_are_told_only_where_github_can(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    hub, repo, ann = place.hub, place.repo, place.ann
    second = hub.push(repo, ann, {"a.tf": "one\ntwo\nthree\n"})
    third = hub.push(repo, ann, {"a.tf": None, "b.tf": "one\ntwo\nthree\n"})
    paths = await provider.changed_paths(repository, place.first, second)
    assert paths == frozenset({"a.tf"})
    moved = await provider.changed_paths(repository, second, third)
    assert moved == frozenset({"a.tf", "b.tf"})
    assert await provider.changed_paths(repository, third, second) is None, "it goes back"
    many = hub.push(repo, ann, {f"docs/{number}.md": "x" for number in range(301)})
    assert await provider.changed_paths(repository, third, many) is None, "300 are all it names"
    gone = await provider.changed_paths(repository, "d" * 40, many)
    assert gone is None


async def test_every_file_of_a_pull_request_is_read(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    files = {f"docs/{number}.md": "x" for number in range(2000)} | {"zz/last.tf": "x"}
    place.hub.push(place.repo, place.ann, files, branch="topic")
    pull = place.hub.open_pull(place.repo, place.ann, "topic")
    paths = await provider.pull_request_paths(repository, pull.number)
    assert paths is not None
    assert (len(paths), "zz/last.tf" in paths) == (2001, True)


async def test_pull_requests_are_read_as_they_are(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    place.hub.push(place.repo, place.ann, {"a.tf": "1"}, branch="topic")
    pull = place.hub.open_pull(place.repo, place.ann, "topic", title="Add")
    [found] = await provider.open_pull_requests(repository)
    assert (found.number, found.title, found.source_branch) == (1, "Add", "topic")
    assert (found.source_commit, found.is_fork) == (pull.sha, False)
    place.hub.close_pull(pull, place.ann)
    assert not await provider.open_pull_requests(repository)
    assert (await provider.pull_request(repository, 1)).action is Action.CLOSED


async def test_a_status_is_shown_on_the_commit_and_cut_to_what_fits(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    status = Status(state=State.FAILED, name="acme/net", description="x" * 200, url="")
    await provider.set_commit_status(repository, place.first, status)
    [told] = place.repo.statuses[place.first]
    assert (told["state"], told["context"]) == ("failure", "Landform/acme/net")
    assert len(told["description"]) == 140


async def test_a_comment_is_edited_in_place_and_written_anew_when_it_is_gone(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    place.hub.push(place.repo, place.ann, {"a.tf": "1"}, branch="topic")
    place.hub.open_pull(place.repo, place.ann, "topic")
    first = await provider.upsert_comment(repository, 1, "one")
    assert await provider.upsert_comment(repository, 1, "two", comment_id=first) == first
    assert place.repo.comments[int(first)]["body"] == "two"
    place.repo.comments.clear()
    again = await provider.upsert_comment(repository, 1, "x" * 70_000, comment_id=first)
    assert len(place.repo.comments[int(again)]["body"]) == 65_536


async def test_there_is_one_working_hook_however_often_it_is_asked(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    [made] = await provider.ensure_hooks(repository, url=HOOK, secret="s")
    [again] = await provider.ensure_hooks(repository, url=HOOK, secret="t")
    assert made.id == again.id
    [hook] = place.repo.hooks.values()
    assert (hook["secret"], hook["active"]) == ("t", True)
    hook["active"] = False
    assert not (await provider.hooks(repository, url=HOOK))[0].is_enabled
    hook |= {"active": True, "events": ["push"]}
    assert not (await provider.hooks(repository, url=HOOK))[0].is_enabled
    await provider.ensure_hooks(repository, url=HOOK, secret="t")
    assert (await provider.hooks(repository, url=HOOK))[0].is_enabled
    await provider.delete_hooks(repository, url=HOOK)
    await provider.delete_hooks(repository, url=HOOK)
    assert not place.repo.hooks


async def test_who_may_not_make_hooks_is_told_what_it_takes(place: Place) -> None:
    token = place.hub.token(place.ann, hooks=False)
    provider = await place.provider(client_secret=token)
    repository = await place.repository(provider)
    with pytest.raises(NotAllowedError, match="admin:repo_hook"):
        await provider.ensure_hooks(repository, url=HOOK, secret="s")


async def test_a_dead_token_asks_for_a_person(place: Place) -> None:
    provider = await place.provider()
    place.hub.tokens.clear()
    with pytest.raises(SignInNeededError):
        await provider.repository("acme/infra")


async def test_a_limit_is_waited_for_when_it_is_short_and_told_when_it_is_long(
    place: Place,
) -> None:
    provider = await place.provider()
    busy = Answer(403, b'{"message": "secondary rate limit"}', {"Retry-After": "0.1"})
    place.hub.server.plan("/repos/acme/infra$", answer=busy, times=2)
    assert await place.repository(provider)
    spent = Answer(403, b"{}", {"x-ratelimit-remaining": "0", "Retry-After": "900"})
    place.hub.server.plan("/repos/acme/infra$", answer=spent, times=1)
    with pytest.raises(ProviderAwayError) as away:
        await place.repository(provider)
    assert away.value.retry_after_s == 900


async def test_what_is_not_allowed_is_no_limit(place: Place) -> None:
    provider = await place.provider()
    refused = Answer(403, b'{"message": "SAML enforcement"}', {"X-GitHub-SSO": "required"})
    place.hub.server.plan("/repos/acme/infra$", answer=refused, times=1)
    with pytest.raises(NotAllowedError, match="single sign-on"):
        await place.repository(provider)


async def test_a_write_that_failed_is_not_sent_again(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    place.hub.server.plan("statuses", method="POST", answer=Answer(502, b""), times=1)
    status = Status(state=State.PENDING, name="n", description="d", url="")
    with pytest.raises(ProviderAwayError):
        await provider.set_commit_status(repository, place.first, status)
    assert place.first not in place.repo.statuses


async def test_the_connection_says_who_it_is_and_what_its_scopes_lack(place: Place) -> None:
    whole = await (await place.provider()).capabilities()
    assert (whole.identity, whole.hooks, whole.statuses) == ("ann", True, True)
    token = place.hub.token(place.ann, "repo:status")
    some = await (await place.provider(client_secret=token)).capabilities()
    assert (some.hooks, some.statuses, some.comments) == (False, True, False)
    assert "admin:repo_hook" in some.lacking["hooks"]


async def test_an_app_signs_in_by_its_key_and_again_when_its_token_ends(
    place: Place, key: rsa.RSAPrivateKey
) -> None:
    place.hub.app_key = RSAKey.import_key(pem(key))
    place.hub.installations.append(place.repo.owner)
    provider = await place.provider(
        SignIn.GITHUB_APP, client_id=place.hub.app_id, private_key=pem(key)
    )
    assert (await place.repository(provider)).id == str(place.repo.id)
    listing = await provider.repositories()
    assert [each.identifier for each in listing.items] == ["acme/infra"]
    first = await provider.clone_credentials(await place.repository(provider))
    assert (first.username, first.password[:4]) == ("x-access-token", "ghs_")
    async with transaction(place.reach.sessions) as session:
        row = (await session.scalars(select(Connection))).one()
        nearly = Token(value=first.password, expires_at=clock.now() + timedelta(minutes=1))
        row.sealed_token = seal_token(place.reach.keyring, row.id, nearly)
    second = await provider.clone_credentials(await place.repository(provider))
    assert second.password != first.password


async def test_an_app_of_several_owners_needs_the_name_of_one(
    place: Place, key: rsa.RSAPrivateKey
) -> None:
    place.hub.app_key = RSAKey.import_key(pem(key))
    place.hub.installations += [place.ann, place.repo.owner]
    given = {"client_id": place.hub.app_id, "private_key": pem(key)}
    with pytest.raises(ProviderRefusedError, match="name one"):
        await place.repository(await place.provider(SignIn.GITHUB_APP, **given))
    provider = await place.provider(SignIn.GITHUB_APP, account="acme", **given)
    assert await place.repository(provider)


async def test_an_app_with_a_wrong_key_says_what_to_look_at(
    place: Place, key: rsa.RSAPrivateKey
) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    place.hub.app_key = RSAKey.import_key(pem(other))
    place.hub.installations.append(place.repo.owner)
    provider = await place.provider(
        SignIn.GITHUB_APP, client_id=place.hub.app_id, private_key=pem(key)
    )
    with pytest.raises(ProviderRefusedError, match="the key one of its keys"):
        await place.repository(provider)


async def test_a_person_signs_in_and_errors_with_status_200_are_errors(place: Place) -> None:
    provider = await place.provider(SignIn.OAUTH, client_id="Iv1.oauth", client_secret="app-secret")
    place.hub.codes["good"] = place.ann
    token = await provider.exchange("good", verifier="v")
    assert token.value in place.hub.tokens
    with pytest.raises(ProviderRefusedError) as refused:
        await provider.exchange("good")
    assert refused.value.code == "bad_verification_code"
