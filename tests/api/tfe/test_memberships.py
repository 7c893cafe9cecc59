from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from landform.identity.actor import ActorKind
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from tests.api.tfe.people import (
    Caller,
    Site,
    described,
    detail,
    ids,
    linkages,
    names,
    open_site,
    related,
)

KIND = "organization-memberships"
LIST = f"organizations/acme/{KIND}"


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


async def membership_of(owner: Caller, name: str) -> str:
    [found] = ids(await owner.get(LIST, q=name))
    return found


async def test_a_user_is_brought_in_by_address_and_put_into_teams(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob", email="Bob@Example.com")
    organization = await site.organization("acme", ann)
    team = await site.team(organization, "dev")
    made = await ann.post(
        LIST,
        KIND,
        email="bob@example.com",
        relationships={"teams": {"data": linkages("teams", team.id)}},
    )
    assert made["data"]["attributes"]["status"] == "active"
    assert made["data"]["attributes"]["email"] == "Bob@Example.com"
    assert related(made, "user") == {"type": "users", "id": bob.id}
    assert related(made, "organization") == {"type": "organizations", "id": "acme"}
    assert related(made, "teams") == linkages("teams", team.id)
    path = f"{KIND}/{made['data']['id']}"
    shown = await ann.get(path, include="user,teams")
    assert described(shown["included"]) == {("users", bob.id), ("teams", team.id)}
    assert (await bob.get(path))["data"] == made["data"]
    await bob.get(f"teams/{team.id}")
    await ann.delete(path)
    await ann.get(path, 404)
    await bob.get(f"teams/{team.id}", 404)


async def test_an_address_nobody_has_is_refused_with_what_to_do(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    refused = await ann.post(LIST, KIND, 422, email="new@example.com")
    assert "Nobody here has the address new@example.com" in detail(refused)
    assert refused["errors"][0]["source"]["pointer"] == "/data/attributes/email"
    await ann.post(LIST, KIND, 422)
    await ann.post(LIST, KIND, 422, email="")


async def test_an_address_of_two_users_brings_in_neither(site: Site) -> None:
    ann = await site.user("ann")
    await site.user("bob", email="same@example.com")
    await site.user("eve", email="same@example.com")
    await site.organization("acme", ann)
    refused = await ann.post(LIST, KIND, 422, email="same@example.com")
    assert "Several users" in detail(refused)


async def test_nobody_is_a_member_twice(site: Site) -> None:
    ann = await site.user("ann")
    await site.user("bob", email="bob@example.com")
    await site.organization("acme", ann)
    await ann.post(LIST, KIND, email="bob@example.com")
    refused = await ann.post(LIST, KIND, 422, email="bob@example.com")
    assert "already" in detail(refused)


async def test_members_are_listed_by_name_address_and_status(site: Site) -> None:
    ann = await site.user("ann", email="ann@example.com")
    bob = await site.user("bob", email="bob@example.com")
    organization = await site.organization("acme", ann)
    await site.team(organization, "dev", bob)
    everybody = await ann.get(LIST, include="user")
    assert names(everybody, "email") == ["ann@example.com", "bob@example.com"]
    assert everybody["meta"]["pagination"]["total-count"] == 2
    assert described(everybody["included"]) == {("users", ann.id), ("users", bob.id)}
    assert names(await ann.get(LIST, q="BO"), "email") == ["bob@example.com"]
    wanted = {"filter[email]": "BOB@example.com"}
    assert names(await ann.get(LIST, **wanted), "email") == ["bob@example.com"]
    assert len(ids(await ann.get(LIST, **{"filter[status]": "active"}))) == 2
    invited = await ann.get(LIST, **{"filter[status]": "invited"})
    assert ids(invited) == []
    assert invited["meta"]["pagination"]["total-count"] == 0
    await ann.get(LIST, 400, **{"filter[status]": "asleep"})
    second = await ann.get(LIST, **{"page[size]": "1", "page[number]": "2"})
    assert names(second, "email") == ["bob@example.com"]


async def test_the_last_owner_cannot_be_removed_from_the_organization(site: Site) -> None:
    ann, root = await site.user("ann"), await site.user("root", is_site_admin=True)
    await site.organization("acme", ann)
    path = f"{KIND}/{await membership_of(ann, 'ann')}"
    await ann.delete(path, 403)
    refused = await root.delete(path, 409)
    assert "last owner" in detail(refused)
    await ann.get(path)


async def test_a_plain_member_sees_and_ends_only_their_own_membership(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob", email="bob@example.com")
    await site.user("eve", email="eve@example.com")
    organization = await site.organization("acme", ann)
    await site.team(organization, "dev", bob)
    await bob.get(LIST, 403)
    await bob.get(f"{KIND}/{await membership_of(ann, 'ann')}", 404)
    await bob.delete(f"{KIND}/{await membership_of(ann, 'ann')}", 404)
    [own] = ids(await bob.get(KIND))
    assert own == await membership_of(ann, "bob")
    await bob.delete(f"{KIND}/{own}")
    assert ids(await bob.get(KIND)) == []
    await bob.get("organizations/acme", 404)


@pytest.mark.parametrize("email", ["eve@example.com", "nobody@example.com"])
async def test_who_may_bring_nobody_in_does_not_learn_who_is_here(site: Site, email: str) -> None:
    ann, bob, mallory = await site.user("ann"), await site.user("bob"), await site.user("mallory")
    await site.user("eve", email="eve@example.com")
    organization = await site.organization("acme", ann)
    await site.team(organization, "dev", bob)
    await bob.post(LIST, KIND, 403, email=email)
    await mallory.post(LIST, KIND, 404, email=email)


async def test_a_stranger_sees_no_membership(site: Site) -> None:
    ann, mallory = await site.user("ann"), await site.user("mallory")
    await site.organization("acme", ann)
    path = f"{KIND}/{await membership_of(ann, 'ann')}"
    await mallory.get(LIST, 404)
    await mallory.get(path, 404)
    await mallory.delete(path, 404)


async def test_a_member_is_shown_the_teams_the_reader_may_know_of(site: Site) -> None:
    ann, bob, lead = await site.user("ann"), await site.user("bob"), await site.user("lead")
    organization = await site.organization("acme", ann)
    seen = await site.team(organization, "seen", bob, visibility="organization")
    secret = await site.team(organization, "secret", bob)
    await site.team(organization, "leads", lead, organization_access=["manage-membership"])
    path = f"{KIND}/{await membership_of(ann, 'bob')}"
    assert {each["id"] for each in related(await ann.get(path), "teams")} == {seen.id, secret.id}
    assert related(await lead.get(path), "teams") == linkages("teams", seen.id)


async def test_a_team_of_another_organization_takes_no_new_member(site: Site) -> None:
    ann = await site.user("ann")
    await site.user("bob", email="bob@example.com")
    await site.organization("acme", ann)
    foreign = await site.team(await site.organization("other", ann), "dev")
    teams = {"teams": {"data": linkages("teams", foreign.id)}}
    await ann.post(LIST, KIND, 422, email="bob@example.com", relationships=teams)
    assert ids(await ann.get(LIST, q="bob")) == []


async def test_tokens_of_teams_and_organizations_have_no_memberships(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    robot = await site.caller(ActorKind.ORGANIZATION, organization.id)
    assert ids(await robot.get(KIND)) == []
    assert len(ids(await robot.get(LIST))) == 1
