"""People and groups pushed as Entra and Okta push them, and leavers who are out at once."""

from typing import Any

import pytest

from landform.identity import sessions, users
from landform.identity.actor import SYSTEM
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from tests import factories
from tests.api.tfe.server import mint
from tests.directories.conftest import GROUP, Pusher

OFF: tuple[Any, ...] = (
    {"op": "Replace", "path": "active", "value": "False"},  # Entra, of old
    {"op": "replace", "path": "active", "value": False},
    {"op": "replace", "value": {"active": False}},  # Okta
)


async def sign_in(directory: Pusher, user: User) -> tuple[str, dict[str, str]]:
    """Give the user a browser and a token; return the cookie and the header."""
    world = directory.server.world
    async with transaction(world.platform.sessions) as session:
        cookie = await sessions.open_session(session, await session.get_one(User, user.id))
    return cookie, {"Authorization": f"Bearer {await mint(world, actor_of(user))}"}


async def test_a_person_is_made_found_and_shown(directory: Pusher) -> None:
    made = await directory.push("ann")
    assert made["userName"] == "ann@acme.example"
    assert made["active"] is True
    assert made["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    for wanted in (
        'userName eq "ANN@acme.example"',
        'username EQ "ann@acme.example"',
        'externalId eq "x-ann"',
        f'id eq "{made["id"]}"',
        'emails.value eq "ann@acme.example"',
    ):
        found = await directory.ask("GET", "Users", filter=wanted)
        assert [each["id"] for each in found["Resources"]] == [made["id"]], wanted
    none = await directory.ask("GET", "Users", filter='userName eq "bob@acme.example"')
    assert (none["totalResults"], none["Resources"]) == (0, [])
    assert await directory.ask("GET", f"Users/{made['id']}") == made
    user = await directory.user("ann@acme.example")
    assert (user.username, user.is_site_admin) == ("ann", False)
    assert await directory.is_member(user)


async def test_the_same_person_is_not_made_twice(directory: Pusher) -> None:
    await directory.push("ann")
    assert (await directory.push("ANN", 409))["scimType"] == "uniqueness"


async def test_lists_come_in_pages(directory: Pusher) -> None:
    for number in range(5):
        await directory.push(f"u{number}")
    seen = []
    for start in (1, 3, 5):
        page = await directory.ask("GET", "Users", startIndex=start, count=2)
        assert (page["totalResults"], page["startIndex"]) == (5, start)
        seen += [each["userName"][:2] for each in page["Resources"]]
    assert seen == ["u0", "u1", "u2", "u3", "u4"]
    page = await directory.ask("GET", "Users", count=0)
    assert (page["totalResults"], page["Resources"]) == (5, [])
    assert (await directory.ask("GET", "Users", startIndex=-3, count=1))["startIndex"] == 1


@pytest.mark.parametrize("off", OFF, ids=["entra", "plain", "okta"])
async def test_who_leaves_is_out_at_once_and_for_good(
    directory: Pusher, of_site: Pusher, off: Any
) -> None:
    for pusher, name in ((directory, "ann"), (of_site, "bob")):
        made = await pusher.push(name)
        user = await pusher.user(f"{name}@acme.example")
        cookie, header = await sign_in(pusher, user)
        http = pusher.server.http
        assert (await http.get("/api/v2/account/details", headers=header)).status_code == 200
        changed = await pusher.change(f"Users/{made['id']}", off)
        assert changed["active"] is False
        assert await pusher.credentials(user) == 0
        assert (await http.get("/api/v2/account/details", headers=header)).status_code == 401
        page = await http.get("/account/tokens", headers={"Cookie": f"landform_session={cookie}"})
        assert page.headers["location"].startswith("/login")
        assert not await pusher.is_member(user)
        # Back again: they can sign in, but nothing of before works.
        on = {"op": "Replace", "path": "active", "value": "True"}
        assert (await pusher.change(f"Users/{made['id']}", on))["active"] is True
        assert not (await pusher.user(user.email)).is_suspended
        assert (await http.get("/api/v2/account/details", headers=header)).status_code == 401


async def test_who_is_deleted_is_out_and_can_be_pushed_again(directory: Pusher) -> None:
    made = await directory.push("ann")
    user = await directory.user("ann@acme.example")
    _, header = await sign_in(directory, user)
    await directory.ask("DELETE", f"Users/{made['id']}", 204)
    http = directory.server.http
    assert (await http.get("/api/v2/account/details", headers=header)).status_code == 401
    assert (await directory.user("ann@acme.example")).is_suspended
    await directory.ask("GET", f"Users/{made['id']}", 404)
    await directory.ask("DELETE", f"Users/{made['id']}", 404)
    await directory.push("ann")
    again = await directory.user("ann@acme.example")
    assert (again.id, again.is_suspended) == (user.id, False)


async def test_of_a_user_who_was_there_an_organization_s_directory_says_only_if_they_belong(
    directory: Pusher,
) -> None:
    world = directory.server.world
    async with transaction(world.platform.sessions) as session:
        ann = await factories.make_user(session, "annie", email="ann@acme.example")
    made = await directory.push("ann", displayName="Mallory")
    assert await directory.is_member(ann)
    _, header = await sign_in(directory, ann)
    path = f"Users/{made['id']}"
    address = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "evil@x.example"}
    await directory.change(path, address, OFF[1])
    user = await directory.user("ann@acme.example")
    assert (user.username, user.is_suspended) == ("annie", False)
    assert not await directory.is_member(ann)
    http = directory.server.http
    assert (await http.get("/api/v2/account/details", headers=header)).status_code == 200


async def test_no_directory_has_a_site_admin(directory: Pusher, of_site: Pusher) -> None:
    world = directory.server.world
    async with transaction(world.platform.sessions) as session:
        await factories.make_user(session, "root", email="root@acme.example", is_site_admin=True)
    for pusher in (directory, of_site):
        assert "site admin" in (await pusher.push("root", 409))["detail"]
    made = await of_site.push("ann")
    async with transaction(world.platform.sessions) as session:
        ann = await session.get_one(User, (await of_site.user("ann@acme.example")).id)
        ann.is_site_admin = True
    await of_site.change(f"Users/{made['id']}", OFF[1], status=409)
    await of_site.ask("DELETE", f"Users/{made['id']}", 409)
    assert not (await of_site.user("ann@acme.example")).is_suspended


async def test_who_an_admin_suspended_is_not_let_in_by_a_directory(of_site: Pusher) -> None:
    made = await of_site.push("ann")
    async with transaction(of_site.server.world.platform.sessions) as session:
        user = await session.get_one(User, (await of_site.user("ann@acme.example")).id)
        await users.suspend(session, SYSTEM, user)
    for operation in (OFF[1], {"op": "replace", "path": "active", "value": True}):
        shown = await of_site.change(f"Users/{made['id']}", operation)
    assert shown["active"] is False
    assert (await of_site.user("ann@acme.example")).is_suspended


async def test_attributes_change_by_patch_and_put_as_both_send_them(directory: Pusher) -> None:
    made = await directory.push("ann")
    path = f"Users/{made['id']}"
    shown = await directory.change(
        path,
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "lee@acme.example"},
        {"op": "Replace", "path": "userName", "value": "lee@acme.example"},
        {"op": "Replace", "value": {"displayName": "Ann Lee", "name.givenName": "Ann"}},
        {
            "op": "Add",
            "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "value": "R&D",
        },
    )
    assert shown["userName"] == shown["emails"][0]["value"] == "lee@acme.example"
    assert shown["displayName"] == "Ann Lee"
    body = {"userName": "ann.lee@acme.example", "emails": [{"value": "ann.lee@acme.example"}]}
    shown = await directory.ask("PUT", path, body={"schemas": [], "active": True, **body})
    assert shown["userName"] == "ann.lee@acme.example"
    assert "externalId" not in shown
    await directory.push("bob")
    taken = {"op": "replace", "path": "userName", "value": "bob@acme.example"}
    assert (await directory.change(path, taken, status=409))["scimType"] == "uniqueness"
    address = {"op": "replace", "value": {"emails": [{"value": "bob@acme.example"}]}}
    await directory.change(path, address, status=409)


async def test_groups_are_teams_with_the_members_they_are_told(directory: Pusher) -> None:
    ann, bob = await directory.push("ann"), await directory.push("bob")
    people = [await directory.user(f"{name}@acme.example") for name in ("ann", "bob")]
    made = await directory.ask(
        "POST",
        "Groups",
        201,
        {
            "schemas": [GROUP],
            "displayName": "Platform Team",
            "externalId": "g1",
            "members": [{"value": ann["id"]}],
        },
    )
    assert made["members"] == [{"value": ann["id"], "display": "ann@acme.example"}]
    assert await directory.teams(people[0]) == {"Platform-Team"}
    path = f"Groups/{made['id']}"
    # Entra.
    await directory.change(path, {"op": "Add", "path": "members", "value": [{"value": bob["id"]}]})
    assert await directory.teams(people[1]) == {"Platform-Team"}
    gone = {"op": "Remove", "path": "members", "value": [{"value": ann["id"]}]}
    await directory.change(path, gone)
    assert await directory.teams(people[0]) == set()
    # Okta.
    both = {"op": "replace", "path": "members", "value": [{"value": ann["id"]}]}
    await directory.change(path, both)
    assert [await directory.teams(each) for each in people] == [{"Platform-Team"}, set()]
    one = {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'}
    renamed = {"op": "replace", "value": {"id": made["id"], "displayName": "Platform"}}
    shown = await directory.change(path, one, renamed)
    assert (shown["displayName"], shown["members"]) == ("Platform", [])
    found = await directory.ask(
        "GET", "Groups", filter='displayName eq "platform"', excludedAttributes="members"
    )
    assert found["totalResults"] == 1
    assert "members" not in found["Resources"][0]
    await directory.change(path, {"op": "add", "path": "members", "value": {"value": ann["id"]}})
    await directory.ask("DELETE", path, 204)
    assert await directory.teams(people[0]) == set()
    await directory.ask("GET", path, 404)


async def test_whom_somebody_put_into_a_team_by_hand_stays_in_it(directory: Pusher) -> None:
    world = directory.server.world
    made = await directory.push("ann")
    ann = await directory.user("ann@acme.example")
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        await factories.make_team(session, organization, "ops", members=[ann])
    body = {"displayName": "ops", "members": [{"value": made["id"]}]}
    group = await directory.ask("POST", "Groups", 201, body)
    nobody = {"op": "replace", "path": "members", "value": []}
    await directory.change(f"Groups/{group['id']}", nobody)
    assert await directory.teams(ann) == {"ops"}


async def test_who_comes_back_is_in_their_groups_again(directory: Pusher) -> None:
    made = await directory.push("ann")
    body = {"displayName": "ops", "members": [{"value": made["id"]}]}
    await directory.ask("POST", "Groups", 201, body)
    ann = await directory.user("ann@acme.example")
    path = f"Users/{made['id']}"
    await directory.change(path, OFF[0])
    assert await directory.teams(ann) == set()
    await directory.change(path, {"op": "replace", "path": "active", "value": True})
    assert await directory.teams(ann) == {"ops"}


async def test_nobody_becomes_an_owner_by_a_directory(directory: Pusher) -> None:
    for name in ("owners", "OWNERS", "-owners-"):
        refused = await directory.ask("POST", "Groups", 409, {"displayName": name})
        assert "Owners are not pushed" in refused["detail"]


async def test_the_last_owner_who_leaves_is_shut_out_or_said_to_be_one(
    directory: Pusher, of_site: Pusher
) -> None:
    world = directory.server.world
    async with transaction(world.platform.sessions) as session:
        owner = await session.get_one(User, world.owner.id)
        owner.email = "owner@acme.example"
    made = await directory.push("owner")
    refused = await directory.change(f"Users/{made['id']}", OFF[1], status=409)
    assert "last owner" in refused["detail"]
    made = await of_site.push("owner")
    await of_site.change(f"Users/{made['id']}", OFF[1])
    assert (await of_site.user("owner@acme.example")).is_suspended


async def test_a_directory_sees_and_changes_only_its_own(
    directory: Pusher, of_site: Pusher
) -> None:
    made = await directory.push("ann")
    group = await directory.ask("POST", "Groups", 201, {"displayName": "ops"})
    for path in (f"Users/{made['id']}", f"Groups/{group['id']}"):
        await of_site.ask("GET", path, 404)
        await of_site.ask("DELETE", path, 404)
        await of_site.change(path, {"op": "replace", "path": "active", "value": False}, status=404)
    assert (await of_site.ask("GET", "Users"))["totalResults"] == 0
    await of_site.ask("POST", "Groups", 403, {"displayName": "x"})
    assert (await of_site.ask("GET", "Groups"))["totalResults"] == 0
    stranger = await of_site.push("bob")
    unknown = {"op": "add", "path": "members", "value": [{"value": stranger["id"]}]}
    await directory.change(f"Groups/{group['id']}", unknown, status=400)


async def test_a_token_that_is_not_a_directory_s_opens_nothing(directory: Pusher) -> None:
    api = Pusher(directory.server, directory.server.owner.token)
    for token in ("", "x", "lfd_x", directory.server.owner.token):
        api.token = token
        for path in ("Users", "Groups", "ServiceProviderConfig", "Schemas"):
            await api.ask("GET", path, 401)
        await api.push("ann", 401)
    header = {"Authorization": f"Bearer {directory.token}"}
    answer = await directory.server.http.get("/api/v2/account/details", headers=header)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"userName": ""}, 400),
        ({"userName": 7}, 400),
        ({"userName": "x" * 300}, 400),
        ({"userName": "a\0b"}, 400),
        ({"userName": "ann", "active": "maybe"}, 400),
        ({"userName": "ann", "emails": "a@b"}, 400),
        ({"userName": "ann", "emails": [7]}, 400),
        ([], 400),
        (7, 400),
    ],
)
async def test_a_person_that_makes_no_sense_is_refused_in_scim_s_form(
    directory: Pusher, body: Any, status: int
) -> None:
    await directory.ask("POST", "Users", status, body)
    assert (await directory.ask("GET", "Users"))["totalResults"] == 0


@pytest.mark.parametrize(
    "operations",
    [
        7,
        [7],
        [{}],
        [{"op": "move", "path": "active"}],
        [{"op": "replace", "value": 7}],
        [{"op": "replace", "path": 7, "value": 7}],
        [{"op": "replace", "path": "active", "value": 7}],
        [{"op": "replace", "path": "userName", "value": {}}],
        [{"op": "remove", "path": "userName"}],
        [{"op": "replace", "path": "active", "value": True}] * 1001,
    ],
)
async def test_a_patch_that_makes_no_sense_is_refused_and_changes_nothing(
    directory: Pusher, operations: Any
) -> None:
    made = await directory.push("ann")
    path = f"Users/{made['id']}"
    await directory.ask("PATCH", path, 400, {"Operations": operations})
    assert (await directory.ask("GET", path))["userName"] == made["userName"]


@pytest.mark.parametrize(
    "wanted",
    ['userName sw "a"', 'password eq "x"', "userName", '(userName eq "a")', "\\", '"' * 400],
)
async def test_a_filter_that_is_not_offered_is_refused_with_words(
    directory: Pusher, wanted: str
) -> None:
    for path in ("Users", "Groups"):
        refused = await directory.ask("GET", path, 400, filter=wanted)
        assert refused["scimType"] == "invalidFilter"


async def test_what_is_not_there_or_not_json_is_answered_in_scim_s_form(directory: Pusher) -> None:
    await directory.ask("GET", "Bulk", 404)
    await directory.ask("GET", "Users/nobody", 404)
    await directory.ask("GET", "Users", 400, startIndex="x")
    await directory.ask("PUT", "Users", 405, {})
    config = await directory.ask("GET", "ServiceProviderConfig")
    assert config["patch"]["supported"] is True
    assert len((await directory.ask("GET", "ResourceTypes"))["Resources"]) == 2
    for each in (await directory.ask("GET", "Schemas"))["Resources"]:
        assert (await directory.ask("GET", f"Schemas/{each['id']}"))["name"] == each["name"]
    http = directory.server.http
    for content, kind in ((b"{", "application/json"), (b"{}", "text/plain"), (b"[" * 9999, "")):
        answer = await http.post(
            "/scim/v2/Users",
            content=content,
            headers={"Authorization": f"Bearer {directory.token}", "Content-Type": kind},
        )
        assert answer.status_code == 400, answer.text


async def test_a_site_admin_makes_and_removes_directories(directory: Pusher) -> None:
    server = directory.server
    async with transaction(server.world.platform.sessions) as session:
        admin = await factories.make_user(session, is_site_admin=True)
    header = {"Authorization": f"Bearer {await mint(server.world, actor_of(admin))}"}

    async def ask(method: str, path: str, status: int, **attributes: Any) -> Any:
        body = {"data": {"type": "directories", "attributes": attributes}} if attributes else None
        answer = await server.http.request(
            method, f"/api/v2/admin/directories{path}", json=body, headers=header
        )
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    await ask("POST", "", 422, name=" ")
    await ask("POST", "", 422, name="Okta", organization="nowhere")
    made = await ask("POST", "", 201, name="Okta", organization=server.world.organization)
    token = made["data"]["attributes"]["token"]
    pusher = Pusher(server, token)
    await pusher.push("ann")
    listed = await ask("GET", "", 200)
    assert token not in str(listed)
    assert [each["attributes"]["name"] for each in listed["data"]] == ["Entra", "Okta"]
    await ask("DELETE", f"/{made['data']['id']}", 204)
    await pusher.ask("GET", "Users", 401)
    assert await pusher.is_member(await pusher.user("ann@acme.example"))
