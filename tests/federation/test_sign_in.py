"""Signing in through a provider: who it becomes, what they may do, and how providers differ."""

import pytest
from sqlalchemy import select, text

from landform.access.memberships import remove_member
from landform.access.models import Membership, Team, TeamMember
from landform.federation import discovery
from landform.federation.kinds import Kind
from landform.identity.actor import SYSTEM
from landform.identity.models import User
from landform.identity.passwords import hash_password
from landform.identity.policy import set_policy
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.organizations.models import Organization
from tests import factories
from tests.federation.door import Door, Doorway
from tests.standins.identity_provider import Account, IdentityProvider
from tests.web.pages import text_of


async def make_team(door: Doorway, name: str, group: str | None) -> Team:
    world = door.site.world
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        team = await factories.make_team(session, organization, name)
        team.sso_team_id = group
        return team


async def teams_of(door: Doorway, user: User) -> set[str]:
    query = select(Team.name).join(TeamMember).where(TeamMember.user_id == user.id)
    async with transaction(door.site.world.platform.sessions) as session:
        return set(await session.scalars(query))


async def test_the_sign_in_page_has_a_button_for_each_provider_that_is_on(door: Door) -> None:
    other = await door.add("Elsewhere")
    await door.add("Switched off", is_enabled=False)
    page = (await door.site.nobody().get("/login?then=/app/a")).text
    assert f'href="/login/with/{door.provider_id}?then=%2Fapp%2Fa"' in page
    assert f"/login/with/{other}" in page
    assert "Switched off" not in page
    assert "Or with a user name" in text_of(page)


async def test_somebody_new_becomes_a_user_and_is_the_same_one_the_next_time(
    door: Door, idp: IdentityProvider
) -> None:
    idp.account.claims["preferred_username"] = "Ann.Lee@example.com"
    user = await door.must_sign_in()
    assert (user.username, user.email, user.password_hash) == ("Ann.Lee", "ann@example.com", None)
    assert not user.is_site_admin
    idp.account.claims |= {"email": "ann.smith@example.com", "preferred_username": "smith"}
    assert (await door.must_sign_in()).id == user.id
    told = await door.told("SignedInThrough")
    assert [each.subject_id for each in told] == [user.id] * 2
    assert [each.payload["how"] for each in await door.told("IdentityLinked")] == ["new"]


async def test_a_name_that_somebody_has_is_not_theirs_to_sign_in_as(
    door: Door, idp: IdentityProvider
) -> None:
    admin = await door.user("admin", is_site_admin=True)
    idp.account.claims["preferred_username"] = "admin"
    user = await door.must_sign_in()
    assert user.id != admin.id
    assert user.username.startswith("admin-")


async def test_who_has_the_verified_address_of_a_user_is_that_user(
    door: Door, idp: IdentityProvider
) -> None:
    ann = await door.user("ann", email="Ann@Example.com")
    assert (await door.must_sign_in()).id == ann.id
    assert [each.payload["how"] for each in await door.told("IdentityLinked")] == ["email"]
    idp.account = Account("sub-2", {"email": "ann@example.com", "email_verified": True})
    answer = await door.sign_in()
    assert (answer.status_code, "not linked by its address" in answer.text) == (403, True)


async def test_a_signed_in_user_links_an_account_and_unlinks_it(
    door: Door, idp: IdentityProvider
) -> None:
    idp.account.claims["email_verified"] = False
    browser = await door.site.browser(door.site.world.owner)
    answer = await door.link(browser)
    assert answer.headers["location"] == "/account/identities"
    page = await browser.get("/account/identities")
    assert "Linked." in page
    assert "ann@example.com" in page
    assert (await door.must_sign_in()).id == door.site.world.owner.id
    (identity,) = await door.identities()
    path = f"/account/identities/{identity.id}/delete"
    page = await browser.post(path, of="/account/identities")
    assert "your only way to sign in" in page
    async with transaction(door.site.world.platform.sessions) as session:
        user = await session.get_one(User, door.site.world.owner.id)
        user.password_hash = await hash_password("a password of my own")
    assert "Unlinked." in await browser.post(path, of="/account/identities")
    assert await door.identities() == []


async def test_groups_are_teams_and_are_looked_at_anew_each_time(
    door: Door, idp: IdentityProvider
) -> None:
    await make_team(door, "builders", "eng")
    await make_team(door, "readers", "everyone")
    await make_team(door, "nobody", None)
    by_hand = await make_team(door, "chosen", "chosen")
    idp.account.claims["groups"] = ["eng", "everyone", "unknown"]
    user = await door.must_sign_in()
    assert await teams_of(door, user) == {"builders", "readers"}
    async with transaction(door.site.world.platform.sessions) as session:
        await factories.put_in(session, by_hand, await session.get_one(User, user.id))
        assert await session.scalar(select(Membership.id).where(Membership.user_id == user.id))
    idp.account.claims["groups"] = ["everyone", "chosen"]
    await door.must_sign_in()
    assert await teams_of(door, user) == {"readers", "chosen"}
    idp.account.claims["groups"] = []
    await door.must_sign_in()
    assert await teams_of(door, user) == {"chosen"}, "who was put in by hand stays"


async def test_who_was_taken_out_by_hand_comes_back_with_the_group(
    door: Door, idp: IdentityProvider
) -> None:
    team = await make_team(door, "builders", "eng")
    idp.account.claims["groups"] = ["eng"]
    user = await door.must_sign_in()
    async with transaction(door.site.world.platform.sessions) as session:
        membership = await session.scalar(select(Membership).where(Membership.user_id == user.id))
        assert membership is not None
        await remove_member(session, SYSTEM, membership)
    assert await teams_of(door, user) == set()
    await door.must_sign_in()
    assert await teams_of(door, user) == {team.name}
    idp.account.claims["groups"] = []
    await door.must_sign_in()
    assert await teams_of(door, user) == set()


async def test_the_last_owner_stays_one(door: Door, idp: IdentityProvider) -> None:
    async with transaction(door.site.world.platform.sessions) as session:
        organization = await factories.make_organization(session, "lonely")
        owners = await factories.owners_of(session, organization)
        owners.sso_team_id = "bosses"
    idp.account.claims["groups"] = ["bosses"]
    user = await door.must_sign_in()
    assert await teams_of(door, user) == {"owners"}
    idp.account.claims["groups"] = []
    await door.must_sign_in()
    assert await teams_of(door, user) == {"owners"}


async def test_a_prefix_tells_the_groups_of_two_providers_apart(
    door: Door, idp: IdentityProvider
) -> None:
    await make_team(door, "builders", "acme:eng")
    idp.account.claims["groups"] = ["eng", "acme:eng-not"]
    user = await door.must_sign_in()
    assert await teams_of(door, user) == set()
    await door.change(group_prefix="acme:")
    await door.must_sign_in()
    assert await teams_of(door, user) == {"builders"}


async def test_claims_that_the_token_leaves_out_are_asked_for(
    door: Door, idp: IdentityProvider
) -> None:
    await make_team(door, "builders", "eng")
    idp.account.claims |= {"groups": ["eng"]}
    idp.only_userinfo = {"groups", "email", "email_verified"}
    user = await door.must_sign_in()
    assert user.email == "ann@example.com"
    assert await teams_of(door, user) == {"builders"}


async def test_only_people_of_certain_domains_or_groups_come_in(
    door: Door, idp: IdentityProvider
) -> None:
    await door.change(allowed_domains=["@Acme.example", "acme.test"])
    answer = await door.sign_in()
    assert (answer.status_code, "certain domains" in answer.text) == (403, True)
    idp.account.claims |= {"email": "ann@acme.example", "groups": ["a", "b"]}
    await door.must_sign_in()
    await door.change(required_groups=["c", "d"])
    answer = await door.sign_in()
    assert (answer.status_code, "certain groups" in answer.text) == (403, True)
    idp.account.claims["groups"] = ["d"]
    await door.must_sign_in()
    assert (await door.told("ProviderSignInRefused"))[0].payload["reason"]


async def test_where_no_users_are_made_only_users_come_in(
    door: Door, idp: IdentityProvider
) -> None:
    await door.change(creates_users=False)
    answer = await door.sign_in()
    assert (answer.status_code, "no account here" in answer.text) == (403, True)
    ann = await door.user("ann", email="ann@example.com")
    assert (await door.must_sign_in()).id == ann.id


async def test_entra_s_word_for_more_groups_than_it_tells_lets_nobody_lose_theirs(
    door: Door, idp: IdentityProvider
) -> None:
    await make_team(door, "builders", "eng")
    idp.account.claims["groups"] = ["eng"]
    user = await door.must_sign_in()
    del idp.account.claims["groups"]
    idp.account.claims["_claim_names"] = {"groups": "src1"}
    answer = await door.sign_in()
    assert (answer.status_code, "more groups than" in answer.text) == (403, True)
    assert await teams_of(door, user) == {"builders"}


async def test_keys_that_were_rotated_are_fetched_again(
    door: Door, idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.must_sign_in()
    await door.must_sign_in()
    assert len(idp.server.asked("GET", "/jwks")) == 1
    idp.rotate()
    answer = await door.sign_in()
    assert answer.status_code == 401, "not again at once: a stranger could have us ask for ever"
    assert len(idp.server.asked("GET", "/jwks")) == 1
    monkeypatch.setattr(discovery, "KEYS_AGAIN_S", 0.0)
    await door.must_sign_in()
    assert len(idp.server.asked("GET", "/jwks")) == 2


async def test_github_says_who_it_is_by_its_api(door: Door, idp: IdentityProvider) -> None:
    await make_team(door, "builders", "acme/platform")
    await make_team(door, "everybody", "acme")
    door.provider_id = await door.add("GitHub", Kind.GITHUB, required_groups=["acme"])
    idp.account = Account("583231", {"login": "octocat", "email": "public@example.com"})
    answer = await door.sign_in()
    assert (answer.status_code, "certain groups" in answer.text) == (403, True)
    idp.organizations = [{"login": "acme"}]
    idp.teams = [{"slug": f"team-{n}", "organization": {"login": "acme"}} for n in range(100)]
    idp.teams.append({"slug": "platform", "organization": {"login": "acme"}})
    idp.addresses = [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": "octo@example.com", "primary": True, "verified": True},
    ]
    user = await door.must_sign_in()
    assert (user.username, user.email) == ("octocat", "octo@example.com")
    assert await teams_of(door, user) == {"builders", "everybody"}


async def test_passwords_can_be_switched_off_but_for_one_admin(door: Door) -> None:
    for name in ("boss2", "ann"):
        await door.user(
            name,
            is_site_admin=name == "boss2",
            password_hash=await hash_password("correct horse battery"),
        )
    sessions = door.site.world.platform.sessions
    async with transaction(sessions) as session:
        for helper, why in (("", "Name the site admin"), ("ann", "could not help")):
            with pytest.raises(InvalidError, match=why):
                await set_policy(session, door.admin, is_on=False, break_glass=helper)
    browser = await door.site.browser(door.admin)
    form = {"local": "off", "break_glass": "boss2"}
    assert "password is off" in await browser.post("/site/sign-in", form)
    http = door.site.nobody()
    assert "In an emergency" in (await http.get("/login")).text
    ways = {"ann": 401, "boss2": 303}
    for name, status in ways.items():
        fields = {"username": name, "password": "correct horse battery"}
        assert (await http.post("/login", data=fields)).status_code == status
    path = f"/site/sign-in/{door.provider_id}"
    page = await browser.post(path, {"deed": "delete"})
    assert "the only other way" in page
    assert "password is on" in await browser.post("/site/sign-in", {"local": "on"})
    assert "was removed" in await browser.post(path, {"deed": "delete"})


async def test_a_site_admin_sets_a_provider_up_on_its_page_and_nobody_else_does(
    door: Door, idp: IdentityProvider
) -> None:
    browser = await door.site.browser(door.admin)
    fields = {
        "kind": "google",
        "name": "Google",
        "issuer": "https://accounts.google.com",
        "client_id": "x.apps.googleusercontent.com",
        "client_secret": "hunter2-of-google",
        "scopes": "openid email",
        "creates_users": "yes",
        "is_enabled": "yes",
    }
    new = "/site/sign-in/new?kind=google"
    page = await browser.post("/site/sign-in/new", fields, of=new, status=422)
    assert "Anybody can have an account at Google" in page
    page = await browser.post(
        "/site/sign-in/new", fields | {"allowed_domains": "acme.example\r\n"}, of=new
    )
    assert "/login/callback/idp-" in page
    assert "hunter2" not in page
    async with transaction(door.site.world.platform.sessions) as session:
        dump = (await session.execute(text("SELECT * FROM identity_providers"))).all()
        assert "hunter2" not in str(dump)
    owner = door.site.owner
    for path in ("/site/sign-in", f"/site/sign-in/{door.provider_id}"):
        await owner.get(path, status=403)
    assert "Sign-in of this site" not in await owner.get("/account/tokens")


async def test_what_lets_the_whole_world_in_is_refused(door: Door) -> None:
    with pytest.raises(InvalidError, match="every tenant"):
        await door.add("E", Kind.ENTRA_ID, issuer="https://login.microsoftonline.com/common/v2.0")
    with pytest.raises(InvalidError, match="another provider"):
        await door.change(issuer="https://elsewhere.example")
    with pytest.raises(InvalidError, match="openid"):
        await door.change(scopes="profile email")


async def test_who_is_suspended_does_not_come_in(door: Door) -> None:
    user = await door.must_sign_in()
    async with transaction(door.site.world.platform.sessions) as session:
        row = await session.get_one(User, user.id)
        row.is_suspended = True
    answer = await door.sign_in()
    assert (answer.status_code, "suspended" in answer.text) == (403, True)
    assert actor_of(user).id == user.id
