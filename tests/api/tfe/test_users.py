from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from landform.identity import users
from landform.identity.actor import ActorKind
from landform.identity.passwords import hash_password
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import UnauthenticatedError
from tests.api.tfe.people import Site, detail, names, open_site, related

OLD, NEW = "correct horse battery", "staple of another kind"


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


async def test_a_site_admin_makes_a_second_person_who_can_then_do_something(site: Site) -> None:
    root = await site.user("root", is_site_admin=True)
    await site.organization("acme", root)
    made = await root.post("admin/users", "users", username="bob", email="bob@example.com")
    password = made["data"]["attributes"]["password"]
    assert made["data"]["attributes"]["is-admin"] is False
    async with transaction(site.sessions) as session:
        user = await users.sign_in(session, "bob", password)
        assert user.must_change_password
    kind = "organization-memberships"
    joined = await root.post(f"organizations/acme/{kind}", kind, email="bob@example.com")
    assert related(joined, "user")["id"] == made["data"]["id"]
    secret = (await root.post(f"users/{user.id}/authentication-tokens"))["data"]
    bob = site.with_token(secret["attributes"]["token"])
    assert (await bob.get("account/details"))["data"]["attributes"]["username"] == "bob"
    later = [await root.get("admin/users"), await root.get(f"users/{user.id}")]
    assert password not in str(later)
    assert "'password'" not in str(later)


async def test_a_user_to_be_made_needs_a_name_and_an_address_of_their_own(site: Site) -> None:
    root = await site.user("root", is_site_admin=True, email="root@example.com")
    for username, email, pointer in (
        ("ROOT", "new@example.com", "username"),
        ("no spaces", "new@example.com", "username"),
        ("bob", "", "email"),
        ("bob", "bob", "email"),
        ("bob", "Root@Example.com", "email"),
    ):
        refused = await root.post("admin/users", "users", 422, username=username, email=email)
        assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"
    await root.post("admin/users", "users", 422, username="bob")
    assert names(await root.get("admin/users"), "username") == ["root"]


async def test_only_a_site_admin_manages_users(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob", email="bob@example.com")
    organization = await site.organization("acme", ann)
    robot = await site.caller(ActorKind.ORGANIZATION, organization.id)
    for who in (ann, robot):
        await who.get("admin/users", 403)
        for email in ("bob@example.com", "new@example.com"):
            await who.post("admin/users", "users", 403, username="eve", email=email)
        for action in ("suspend", "unsuspend"):
            await who.post(f"admin/users/{bob.id}/actions/{action}", status=404)
            await who.post(f"admin/users/nobody/actions/{action}", status=404)
    for action in ("suspend", "unsuspend"):
        await ann.post(f"admin/users/{ann.id}/actions/{action}", status=403)
    await ann.get("account/details")
    await bob.get("account/details")


async def test_a_site_admin_cannot_lock_themselves_out(site: Site) -> None:
    root = await site.user("root", is_site_admin=True)
    refused = await root.post(f"admin/users/{root.id}/actions/suspend", status=422)
    assert detail(refused) == "You cannot suspend yourself."


async def test_users_are_listed_with_what_an_admin_needs(site: Site) -> None:
    root = await site.user("root", is_site_admin=True)
    await site.user("bob", email="bob@example.com", is_suspended=True)
    listed = await root.get("admin/users", **{"page[size]": "1"})
    assert listed["meta"]["pagination"]["total-count"] == 2
    [bob] = listed["data"]
    assert bob["attributes"]["email"] == "bob@example.com"
    assert bob["attributes"]["is-suspended"] is True
    await root.get("admin/users", 400, q="bob")


async def test_account_details_tell_users_their_address_and_what_they_may_do(site: Site) -> None:
    ann = await site.user("ann", email="ann@example.com")
    shown = await ann.get("account/details")
    attributes = shown["data"]["attributes"]
    assert attributes["email"] == "ann@example.com"
    assert attributes["is-service-account"] is False
    assert attributes["permissions"]["can-manage-user-tokens"] is True
    assert "is-suspended" not in attributes
    assert related(shown, "authenticated-resource") == {"type": "users", "id": ann.id}


async def test_a_user_reads_themselves_and_a_site_admin_everybody(site: Site) -> None:
    ann, bob = await site.user("ann", email="a@example.com"), await site.user("bob")
    root = await site.user("root", is_site_admin=True)
    await ann.get(f"users/{ann.id}")
    await bob.get(f"users/{ann.id}", 404)
    shown = await root.get(f"users/{ann.id}")
    assert shown["data"]["attributes"]["email"] == "a@example.com"
    assert "permissions" not in shown["data"]["attributes"]


async def signs_in(site: Site, name: str, password: str) -> bool:
    async with transaction(site.sessions) as session:
        try:
            await users.sign_in(session, name, password)
        except UnauthenticatedError:
            return False
        return True


async def test_a_user_who_knows_the_password_changes_it(site: Site) -> None:
    ann = await site.user("ann", password_hash=await hash_password(OLD))
    path, sent = "account/password", {"current_password": OLD, "password": NEW}
    wrong = {
        "current_password": {**sent, "current_password": "guess", "password_confirmation": NEW},
        "password_confirmation": {**sent, "password_confirmation": NEW + "?"},
        "password": {**sent, "password": "short", "password_confirmation": "short"},
    }
    for name, attributes in wrong.items():
        body = {"data": {"type": "users", "attributes": attributes}}
        refused = await ann.ask("PATCH", path, 422, body=body)
        assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{name}"
    assert await signs_in(site, "ann", OLD)
    body = {"data": {"type": "users", "attributes": {**sent, "password_confirmation": NEW}}}
    changed = await ann.ask("PATCH", path, 200, body=body)
    assert NEW not in str(changed)
    assert await signs_in(site, "ann", NEW)
    assert not await signs_in(site, "ann", OLD)


async def test_a_token_that_is_no_users_has_no_password_to_change(site: Site) -> None:
    organization = await site.organization("acme")
    robot = await site.caller(ActorKind.ORGANIZATION, organization.id)
    attributes = {"current_password": OLD, "password": NEW, "password_confirmation": NEW}
    body = {"data": {"type": "users", "attributes": attributes}}
    await robot.ask("PATCH", "account/password", 403, body=body)
