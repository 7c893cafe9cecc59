from datetime import timedelta

import pytest
from sqlalchemy import select

from landform.kit import clock
from landform.kit.db import transaction
from landform.vcs.changes import Person
from landform.vcs.errors import (
    NotAllowedError,
    ProviderRefusedError,
)
from landform.vcs.facts import State, Status
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.provider import Setup, Token
from landform.vcs.providers.github.urls import api_of
from landform.vcs.sealing import seal_token
from tests.standins.github_apps import App
from tests.standins.serving import Answer
from tests.vcs.github.conftest import Place

HOOK = "http://127.0.0.1:1/hooks/vcs/hook-1"


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


async def test_a_status_is_cut_to_what_fits(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    status = Status(state=State.FAILED, name="acme/net", description="x" * 200, url="")
    await provider.set_commit_status(repository, place.first, status)
    [told] = place.repo.statuses[place.first]
    assert len(told["description"]) == 140


async def test_a_hook_that_lacks_an_event_counts_as_off(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    await provider.ensure_hooks(repository, url=HOOK, secret="s")
    [hook] = place.repo.hooks.values()
    hook["events"] = ["push"]
    assert not (await provider.hooks(repository, url=HOOK))[0].is_enabled
    await provider.ensure_hooks(repository, url=HOOK, secret="t")
    assert (await provider.hooks(repository, url=HOOK))[0].is_enabled


async def test_what_is_not_allowed_is_no_limit(place: Place) -> None:
    provider = await place.provider()
    refused = Answer(403, b'{"message": "SAML enforcement"}', {"X-GitHub-SSO": "required"})
    place.hub.server.plan("/repos/acme/infra$", answer=refused, times=1)
    with pytest.raises(NotAllowedError, match="single sign-on"):
        await place.repository(provider)


async def test_the_connection_says_who_it_is_and_what_its_scopes_lack(place: Place) -> None:
    whole = await (await place.provider()).capabilities()
    assert (whole.identity, whole.hooks, whole.statuses) == ("ann", True, True)
    token = place.hub.token(place.ann, "repo:status")
    some = await (await place.provider(client_secret=token)).capabilities()
    assert (some.hooks, some.statuses, some.comments) == (False, True, False)
    assert "admin:repo_hook" in some.lacking["hooks"]


def key_of(app: App) -> dict[str, str]:
    return {"client_id": app.client_id, "private_key": app.pem}


async def test_an_app_signs_in_by_its_key_and_again_when_its_token_ends(place: Place) -> None:
    app = place.hub.apps.register(place.repo.owner)
    place.hub.apps.install(app, place.repo.owner)
    provider = await place.provider(SignIn.GITHUB_APP, **key_of(app))
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


async def test_an_app_of_several_owners_needs_the_name_of_one(place: Place) -> None:
    app = place.hub.apps.register(place.repo.owner)
    for owner in (place.ann, place.repo.owner):
        place.hub.apps.install(app, owner)
    with pytest.raises(ProviderRefusedError, match="name one"):
        await place.repository(await place.provider(SignIn.GITHUB_APP, **key_of(app)))
    provider = await place.provider(SignIn.GITHUB_APP, account="acme", **key_of(app))
    assert await place.repository(provider)


async def test_an_app_with_a_wrong_key_says_what_to_look_at(place: Place) -> None:
    app, other = (place.hub.apps.register(place.repo.owner, name=name) for name in ("a", "b"))
    place.hub.apps.install(app, place.repo.owner)
    given = {"client_id": app.client_id, "private_key": other.pem}
    provider = await place.provider(SignIn.GITHUB_APP, **given)
    with pytest.raises(ProviderRefusedError, match="the key one of its keys"):
        await place.repository(provider)


async def test_an_app_says_which_permissions_it_lacks(place: Place) -> None:
    granted = {"metadata": "read", "contents": "read", "statuses": "write", "issues": "read"}
    app = place.hub.apps.register(place.repo.owner, permissions=granted)
    place.hub.apps.install(app, place.repo.owner)
    found = await (await place.provider(SignIn.GITHUB_APP, **key_of(app))).capabilities()
    assert (found.identity, found.listing) == ("acme", True)
    assert (found.hooks, found.statuses, found.comments) == (False, True, False)
    assert "Webhooks: read and write" in found.lacking["hooks"]


async def test_a_team_of_github_is_asked_for_and_an_app_without_members_says_what_it_lacks(
    place: Place,
) -> None:
    place.hub.teams["acme/ops"] = {place.ann.id}
    ann, bob = (Person(id=str(place.hub.account(name).id)) for name in ("ann", "bob"))
    provider = await place.provider()
    repository = await place.repository(provider)
    assert await provider.is_in_group(repository, ann, "team:acme/ops")
    assert not await provider.is_in_group(repository, bob, "team:acme/ops")
    assert not await provider.is_in_group(repository, ann, "team:acme/none")
    app = place.hub.apps.register(place.repo.owner, permissions={"metadata": "read"})
    place.hub.apps.install(app, place.repo.owner)
    lesser = await place.provider(SignIn.GITHUB_APP, **key_of(app))
    with pytest.raises(NotAllowedError, match="not accessible"):
        await lesser.is_in_group(repository, ann, "team:acme/ops")


async def test_a_name_that_changed_hands_is_in_no_group(place: Place) -> None:
    provider = await place.provider()
    repository = await place.repository(provider)
    gone = Person(id=str(place.ann.id), login="ann")
    place.repo.roles[place.ann.id] = "admin"
    place.ann.id += 5000  # somebody else took the name
    place.repo.roles[place.ann.id] = "admin"
    assert not await provider.is_in_group(repository, gone, "permission:write")
