from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from landform.identity.actor import ActorKind
from landform.identity.models import ApiToken
from landform.kit.clock import now, rfc3339
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from tests.api.tfe.people import Caller, Site, detail, ids, names, open_site, related

KIND = "authentication-tokens"


@pytest.fixture
async def site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    async with open_site(app, sessions, database_url, keyring) as opened:
        yield opened


def secret_of(document: Any) -> str:
    return str(document["data"]["attributes"]["token"])


async def test_a_user_makes_lists_reads_and_withdraws_tokens(site: Site) -> None:
    ann = await site.user("ann")
    path = f"users/{ann.id}/{KIND}"
    expiry = rfc3339(now() + timedelta(days=1))
    made = await ann.post(path, KIND, description="laptop", expired_at=expiry)
    secret = secret_of(made)
    assert made["data"]["attributes"]["expired-at"] == expiry
    assert related(made, "created-by") == {"type": "users", "id": ann.id}
    laptop = site.with_token(secret)
    assert (await laptop.get("account/details"))["data"]["id"] == ann.id
    listed = await ann.get(path)
    assert names(listed, "description") == ["laptop", ""]
    one = await ann.get(f"{KIND}/{made['data']['id']}", include="created-by")
    assert one["data"]["attributes"]["last-used-at"] is not None
    assert one["included"][0]["attributes"]["username"] == "ann"
    assert secret not in str(listed) + str(one)
    assert "'token'" not in str(listed) + str(one)
    await ann.delete(f"{KIND}/{made['data']['id']}")
    await laptop.get("account/details", 401)
    await ann.get(f"{KIND}/{made['data']['id']}", 404)


async def test_a_token_is_made_of_an_empty_body_or_one_without_a_type(site: Site) -> None:
    ann = await site.user("ann")
    path = f"users/{ann.id}/{KIND}"
    assert secret_of(await ann.post(path))
    body = {"data": {"attributes": {"description": "ci"}}}
    made = await ann.ask("POST", path, 201, body=body)
    assert made["data"]["attributes"]["description"] == "ci"


@pytest.mark.parametrize("expiry", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "tomorrow"])
async def test_an_expiry_that_has_passed_or_is_no_moment_is_refused(
    site: Site, expiry: str
) -> None:
    ann = await site.user("ann")
    refused = await ann.post(f"users/{ann.id}/{KIND}", KIND, 422, expired_at=expiry)
    assert refused["errors"][0]["source"]["pointer"] == "/data/attributes/expired-at"


async def test_nobody_makes_or_sees_tokens_of_another_user(site: Site) -> None:
    ann, bob = await site.user("ann"), await site.user("bob")
    made = await ann.post(f"users/{ann.id}/{KIND}", KIND)
    await bob.post(f"users/{ann.id}/{KIND}", KIND, 403)
    await bob.get(f"users/{ann.id}/{KIND}", 404)
    await bob.get(f"{KIND}/{made['data']['id']}", 404)
    await bob.delete(f"{KIND}/{made['data']['id']}", 404)
    await site.with_token(secret_of(made)).get("account/details")


async def test_a_team_has_one_nameless_token_which_a_new_one_replaces(site: Site) -> None:
    ann = await site.user("ann")
    team = await site.team(await site.organization("acme", ann), "dev")
    path = f"teams/{team.id}/authentication-token"
    await ann.get(path, 404)
    first = await ann.post(path, KIND)
    robot = site.with_token(secret_of(first))
    who = await robot.get("account/details")
    assert who["data"]["attributes"]["is-service-account"] is True
    assert related(who, "authenticated-resource") == {"type": "teams", "id": team.id}
    second = await ann.post(path, KIND)
    await robot.get("account/details", 401)
    shown = await ann.get(path)
    assert shown["data"]["id"] == second["data"]["id"]
    assert related(shown, "team") == {"type": "teams", "id": team.id}
    assert "token" not in shown["data"]["attributes"]
    await ann.delete(path)
    await ann.delete(path, 404)
    await site.with_token(secret_of(second)).get("account/details", 401)


async def test_a_team_has_any_number_of_named_tokens(site: Site) -> None:
    ann = await site.user("ann")
    team = await site.team(await site.organization("acme", ann), "dev")
    path = f"teams/{team.id}/{KIND}"
    made = [await ann.post(path, KIND, description=name) for name in ("ci", "cron")]
    nameless = await ann.post(f"teams/{team.id}/authentication-token", KIND)
    await ann.post(path, KIND, 409, description="ci")
    await ann.post(path, KIND, 422)
    listed = await ann.get(path, **{"page[size]": "2"})
    assert names(listed, "description") == ["", "cron"]
    assert listed["meta"]["pagination"]["total-count"] == 3
    for each in (*made, nameless):
        assert secret_of(each) not in str(listed)
    await ann.delete(f"{KIND}/{made[0]['data']['id']}")
    await site.with_token(secret_of(made[0])).get("account/details", 401)
    await site.with_token(secret_of(made[1])).get("account/details")


async def test_an_organization_has_one_token_which_a_new_one_replaces(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    path = "organizations/acme/authentication-token"
    await ann.get(path, 404)
    first = await ann.post(path, KIND)
    robot = site.with_token(secret_of(first))
    who = await robot.get("account/details")
    assert related(who, "authenticated-resource") == {"type": "organizations", "id": "acme"}
    second = await ann.post(path, KIND)
    await robot.get("account/details", 401)
    shown = await ann.get(path)
    assert shown["data"]["id"] == second["data"]["id"]
    assert "token" not in shown["data"]["attributes"]
    await ann.delete(path)
    await ann.delete(path, 404)
    await site.with_token(secret_of(second)).get("account/details", 401)


async def test_asking_for_the_audit_token_leaves_the_organizations_own_alone(site: Site) -> None:
    ann = await site.user("ann")
    await site.organization("acme", ann)
    path = "organizations/acme/authentication-token"
    made = await ann.post(path, KIND)
    for method in ("GET", "POST", "DELETE"):
        refused = await ann.ask(method, path, 422, parameters={"token": "audit-trails"})
        assert "audit-trails" in detail(refused)
    await site.with_token(secret_of(made)).get("account/details")


async def test_what_an_organization_makes_names_it_as_the_maker(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    team = await site.team(organization, "dev")
    robot = await site.caller(ActorKind.ORGANIZATION, organization.id)
    made = await robot.post(f"teams/{team.id}/authentication-token", KIND)
    assert related(made, "created-by") == {"type": "organizations", "id": "acme"}


async def test_who_does_not_manage_teams_or_own_gets_no_token_of_theirs(site: Site) -> None:
    ann, bob, mallory = await site.user("ann"), await site.user("bob"), await site.user("mallory")
    organization = await site.organization("acme", ann)
    team = await site.team(organization, "dev", bob)
    made = await ann.post(f"teams/{team.id}/authentication-token", KIND)
    whole = await ann.post("organizations/acme/authentication-token", KIND)
    for who, status in ((bob, 403), (mallory, 404)):
        await refused_everything(who, f"teams/{team.id}/authentication-token", status)
        await who.get(f"teams/{team.id}/{KIND}", status)
        await who.post(f"teams/{team.id}/{KIND}", KIND, status, description="x")
        await refused_everything(who, "organizations/acme/authentication-token", status)
        for token in (made, whole):
            await who.get(f"{KIND}/{token['data']['id']}", status)
            await who.delete(f"{KIND}/{token['data']['id']}", status)
    for token in (made, whole):
        await site.with_token(secret_of(token)).get("account/details")


async def refused_everything(who: Caller, path: str, status: int) -> None:
    await who.get(path, status)
    await who.post(path, KIND, status)
    await who.delete(path, status)


async def test_who_manages_teams_gets_no_token_of_the_owners(site: Site) -> None:
    ann, lead = await site.user("ann"), await site.user("lead")
    organization = await site.organization("acme", ann)
    await site.team(
        organization, "leads", lead, organization_access=["manage-teams", "access-secret-teams"]
    )
    [owners] = ids(await ann.get("organizations/acme/teams", q="owners"))
    await lead.post(f"teams/{owners}/authentication-token", KIND, 403)
    await lead.get(f"teams/{owners}/{KIND}", 403)
    await lead.post("organizations/acme/authentication-token", KIND, 403)


async def test_a_team_token_makes_no_token_of_a_user(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    team = await site.team(organization, "dev", ann)
    for kind, owner in ((ActorKind.TEAM, team.id), (ActorKind.ORGANIZATION, organization.id)):
        robot = await site.caller(kind, owner)
        await robot.post(f"users/{ann.id}/{KIND}", KIND, 403)
        await robot.post(f"users/{owner}/{KIND}", KIND, 403)
        await robot.get(f"users/{ann.id}/{KIND}", 404)


async def test_tokens_of_a_suspended_user_are_refused_at_once(site: Site) -> None:
    root, bob = await site.user("root", is_site_admin=True), await site.user("bob")
    other = site.with_token(secret_of(await bob.post(f"users/{bob.id}/{KIND}", KIND)))
    path = f"admin/users/{bob.id}/actions"
    suspended = await root.post(f"{path}/suspend", status=200)
    assert suspended["data"]["attributes"]["is-suspended"] is True
    for each in (bob, other):
        refused = await each.get("account/details", 401)
        assert detail(refused) == "The user bob is suspended."
    await root.post(f"{path}/unsuspend", status=200)
    await other.get("account/details")


async def test_tokens_of_an_organization_live_no_longer_than_it_says(site: Site) -> None:
    ann = await site.user("ann")
    organization = await site.organization("acme", ann)
    team = await site.team(organization, "ops", ann)
    paths = (f"teams/{team.id}/authentication-token", "organizations/acme/authentication-token")
    endless = [site.with_token(secret_of(await ann.post(path))) for path in paths]
    shown = await ann.patch("organizations/acme", "organizations", max_token_days=30)
    assert shown["data"]["attributes"]["max-token-days"] == 30
    for caller in endless:
        await caller.get("organizations/acme")
    too_late = rfc3339(now() + timedelta(days=31))
    soon = rfc3339(now() + timedelta(days=1))
    for path in paths:
        refused = await ann.post(path, KIND, 422, expired_at=too_late)
        assert "live at most 30 days" in detail(refused)
        made = await ann.post(path)
        ends = datetime.fromisoformat(made["data"]["attributes"]["expired-at"])
        assert timedelta(days=29) < ends - now() <= timedelta(days=30)
        made = await ann.post(path, KIND, expired_at=soon)
        assert made["data"]["attributes"]["expired-at"] == soon
        caller = site.with_token(secret_of(made))
        await caller.get("organizations/acme")
        async with transaction(site.sessions) as session:
            token = await session.get_one(ApiToken, made["data"]["id"])
            token.created_at = now() - timedelta(days=20)
        await caller.get("organizations/acme")
        await ann.patch("organizations/acme", "organizations", max_token_days=10)
        assert "older than the 10 days" in detail(await caller.get("organizations/acme", 401))
        await ann.patch("organizations/acme", "organizations", max_token_days=0)
        await caller.get("organizations/acme")
        await ann.patch("organizations/acme", "organizations", max_token_days=30)
    for days in (-1, 100_000):
        await ann.patch("organizations/acme", "organizations", 422, max_token_days=days)


async def test_an_old_token_of_a_user_opens_no_organization_that_takes_newer_ones_only(
    site: Site,
) -> None:
    ann = await site.user("ann")
    for name in ("acme", "globex"):
        await site.organization(name, ann)
    made = await ann.post(f"users/{ann.id}/{KIND}", KIND)
    old = site.with_token(secret_of(made))
    async with transaction(site.sessions) as session:
        token = await session.get_one(ApiToken, made["data"]["id"])
        token.created_at = now() - timedelta(days=20)
    await ann.patch("organizations/acme", "organizations", max_token_days=21)
    await old.get("organizations/acme")
    await ann.patch("organizations/acme", "organizations", max_token_days=20)
    await old.get("organizations/acme", 404)
    await old.get("organizations/acme/workspaces", 404)
    listed = await old.get("organizations")
    assert [each["id"] for each in listed["data"]] == ["globex"]
    await old.get("organizations/globex")
    await ann.get("organizations/acme")
