from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from landform.identity.actor import ActorKind
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from tests.api.tfe.people import Site, detail, ids, linkages, names, open_site, related


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


async def test_an_owner_makes_reads_changes_and_deletes_a_team(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    made = await ann.post(
        "organizations/acme/teams",
        "teams",
        name="dev",
        visibility="organization",
        organization_access={"manage-workspaces": True, "manage-projects": False},
    )
    attributes = made["data"]["attributes"]
    assert attributes["name"] == "dev"
    assert attributes["users-count"] == 0
    access = attributes["organization-access"]
    assert {name for name, value in access.items() if value} == {"manage-workspaces"}
    assert related(made, "organization") == {"id": "acme", "type": "organizations"}
    path = f"teams/{made['data']['id']}"
    changed = await ann.patch(
        path, "teams", name="devs", organization_access={"manage-teams": True}
    )
    on = {name for name, v in changed["data"]["attributes"]["organization-access"].items() if v}
    assert on == {"manage-workspaces", "manage-teams"}
    changed = await ann.patch(path, "teams", organization_access={"manage-workspaces": False})
    assert changed["data"]["attributes"]["organization-access"]["manage-workspaces"] is False
    assert changed["data"]["attributes"]["name"] == "devs"
    assert (await ann.get(path))["data"] == changed["data"]
    await ann.delete(path)
    await ann.get(path, 404)


async def test_teams_are_listed_searched_and_paged(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    for name in ("alpha", "beta", "alphabet"):
        await site.team(organization, name)
    path = "organizations/acme/teams"
    assert names(await ann.get(path)) == ["alpha", "alphabet", "beta", "owners"]
    assert names(await ann.get(path, q="ALPHA")) == ["alpha", "alphabet"]
    assert names(await ann.get(path, **{"filter[names]": "beta,alpha"})) == ["alpha", "beta"]
    second = await ann.get(path, **{"page[size]": "3", "page[number]": "2"})
    assert names(second) == ["owners"]
    assert second["meta"]["pagination"]["total-count"] == 4


async def test_members_join_by_username_or_id_and_leave(site: Site) -> None:
    ann, bob, eve = await site.user("ann"), await site.user("bob"), await site.user("eve")
    organization = await site.organization("acme", ann)
    await site.team(organization, "everybody", bob, eve)
    team = await site.team(organization, "dev")
    path = f"teams/{team.id}/relationships/users"
    await ann.post(path, data=linkages("users", "BOB", eve.id), status=204)
    shown = await ann.get(f"teams/{team.id}", include="users")
    assert ids({"data": related(shown, "users")}) == [bob.id, eve.id]
    assert [each["attributes"]["username"] for each in shown["included"]] == ["bob", "eve"]
    assert all("email" not in each["attributes"] for each in shown["included"])
    await ann.delete(path, data=linkages("users", "bob"))
    shown = await ann.get(f"teams/{team.id}")
    assert shown["data"]["attributes"]["users-count"] == 1


async def test_members_join_by_their_membership_and_leave(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob", email="bob@example.com")
    organization = await site.organization("acme", ann)
    await site.team(organization, "everybody", bob)
    team = await site.team(organization, "dev")
    listed = await ann.get("organizations/acme/organization-memberships", q="bob")
    [membership_id] = ids(listed)
    path = f"teams/{team.id}/relationships/organization-memberships"
    linkage = linkages("organization-memberships", membership_id)
    await ann.post(path, data=linkage, status=204)
    assert names(await ann.get(path), "email") == ["bob@example.com"]
    shown = await ann.get(f"teams/{team.id}", include="organization-memberships")
    assert ids({"data": shown["included"]}) == [membership_id]
    await ann.delete(path, data=linkage)
    assert ids(await ann.get(path)) == []


async def test_who_is_no_member_cannot_be_put_into_a_team(site: Site) -> None:
    ann = await site.user("ann")
    await site.user("mallory")
    team = await site.team(await site.organization("acme", ann), "dev")
    path = f"teams/{team.id}/relationships/users"
    for name in ("mallory", "nobody"):
        refused = await ann.post(path, data=linkages("users", name), status=422)
        assert detail(refused) == f"{name} must first become a member of the organization."


async def test_a_member_of_another_organization_only_is_not_found_by_name(site: Site) -> None:
    ann, zoe = await site.user("ann"), await site.user("zoe")
    team = await site.team(await site.organization("acme", ann), "dev")
    await site.organization("zoo", zoe)
    path = f"teams/{team.id}/relationships/users"
    refused = await ann.post(path, data=linkages("users", zoe.id), status=422)
    assert zoe.id in detail(refused)


async def test_the_last_owner_cannot_be_removed(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob")
    await site.organization("acme", ann, bob)
    [owners] = ids(await ann.get("organizations/acme/teams", q="owners"))
    path = f"teams/{owners}/relationships/users"
    await ann.delete(path, data=linkages("users", "bob"))
    refused = await ann.delete(path, 409, data=linkages("users", "ann"))
    assert "last owner" in detail(refused)
    shown = await ann.get(f"teams/{owners}")
    assert shown["data"]["attributes"]["users-count"] == 1
    assert all(shown["data"]["attributes"]["organization-access"].values())


async def test_the_owners_team_can_be_sent_back_as_it_is(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    [owners] = ids(await ann.get("organizations/acme/teams", q="owners"))
    changed = await ann.patch(f"teams/{owners}", "teams", name="owners", visibility="organization")
    assert changed["data"]["attributes"]["visibility"] == "organization"
    await ann.patch(f"teams/{owners}", "teams", 422, name="bosses")
    await ann.delete(f"teams/{owners}", 409)


async def test_a_plain_member_sees_visible_teams_and_changes_none(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob")
    organization = await site.organization("acme", ann)
    own = await site.team(organization, "bobs", bob)
    secret = await site.team(organization, "secret")
    seen = await site.team(organization, "seen", visibility="organization")
    assert names(await bob.get("organizations/acme/teams")) == ["bobs", "seen"]
    shown = await bob.get(f"teams/{own.id}")
    assert not any(shown["data"]["attributes"]["permissions"].values())
    await bob.get(f"teams/{secret.id}", 404)
    await bob.patch(f"teams/{secret.id}", "teams", 404, name="x")
    await bob.patch(f"teams/{seen.id}", "teams", 403, name="x")
    await bob.delete(f"teams/{seen.id}", 403)
    await bob.post("organizations/acme/teams", "teams", 403, name="x")
    for relationship, kind in (
        ("users", "users"),
        ("organization-memberships", "organization-memberships"),
    ):
        path = f"teams/{seen.id}/relationships/{relationship}"
        status = 403 if kind == "users" else 404
        await bob.post(path, data=linkages(kind, "ann"), status=status)
        await bob.delete(path, status, data=linkages(kind, "ann"))


async def test_a_plain_member_sees_no_membership_but_their_own_through_a_team(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob", email="bob@example.com")
    organization = await site.organization("acme", ann)
    team = await site.team(organization, "both", ann, bob)
    listed = await bob.get(f"teams/{team.id}/relationships/organization-memberships")
    assert names(listed, "email") == ["bob@example.com"]


async def test_a_stranger_finds_no_teams_at_all(site: Site) -> None:
    ann, mallory = await site.user("ann"), await site.user("mallory")
    team = await site.team(await site.organization("acme", ann), "seen", visibility="organization")
    await mallory.get("organizations/acme/teams", 404)
    await mallory.post("organizations/acme/teams", "teams", 404, name="x")
    await mallory.get(f"teams/{team.id}", 404)
    await mallory.delete(f"teams/{team.id}", 404)
    path = f"teams/{team.id}/relationships/users"
    await mallory.post(path, data=linkages("users", "mallory"), status=404)


async def test_who_manages_teams_cannot_give_more_than_that(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob")
    organization = await site.organization("acme", ann)
    await site.team(organization, "leads", bob, organization_access=["manage-teams"])
    await bob.post("organizations/acme/teams", "teams", name="dev")
    switches = {"manage-workspaces": True}
    await bob.post(
        "organizations/acme/teams", "teams", 403, name="more", organization_access=switches
    )


async def test_bad_settings_of_a_team_are_refused_by_name(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    path = "organizations/acme/teams"
    await ann.post(path, "teams", 422)
    for attributes, pointer in (
        ({"name": "has space"}, "name"),
        ({"name": "owners"}, "name"),
        ({"name": "a", "visibility": "public"}, "visibility"),
        ({"name": "a", "sso_team_id": "s" * 400}, "sso-team-id"),
        ({"name": "a", "organization_access": {"rule-all": True}}, "organization-access"),
    ):
        refused = await ann.post(path, "teams", 422, **attributes)
        assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_an_organization_token_manages_teams_but_not_the_owners(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob")
    organization = await site.organization("acme", ann)
    await site.team(organization, "everybody", bob)
    robot = await site.caller(ActorKind.ORGANIZATION, organization.id)
    made = await robot.post("organizations/acme/teams", "teams", name="dev")
    path = f"teams/{made['data']['id']}/relationships/users"
    await robot.post(path, data=linkages("users", "bob"), status=204)
    [owners] = ids(await robot.get("organizations/acme/teams", q="owners"))
    path = f"teams/{owners}/relationships/users"
    await robot.post(path, data=linkages("users", "bob"), status=403)
