"""Tokens of teams and of the organization on their pages: when and from where they were used."""

import httpx2

from landform.access import tokens
from landform.access.directory import get_team
from landform.identity import tokens as login_tokens
from landform.identity.actor import Actor, ActorKind
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from tests import factories
from tests.web.pages import BASE, Site


async def use(site: Site, secret: str, address: str) -> int:
    """Show the token from that address; return what the API answers."""
    transport = httpx2.ASGITransport(app=site.app, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
        path = f"/api/v2/organizations/{site.world.organization}"
        answer = await http.get(path, headers={"Authorization": f"Bearer {secret}"})
        return answer.status_code


async def make(site: Site, owner: Actor) -> tuple[str, str, str, str]:
    """Make two teams with a token each, and the organization's; return team ids and secrets."""
    world = site.world
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        one = await factories.make_team(session, organization, "builders")
        other = await factories.make_team(session, organization, "readers")
        await tokens.issue_for_team(session, owner, other, description="theirs")
        _, secret = await tokens.issue_for_team(session, owner, one, description="nightly")
        _, whole = await tokens.issue_for_organization(session, owner, organization.id)
        return one.id, other.id, secret, whole


async def test_a_team_s_page_says_from_where_its_tokens_were_used_and_withdraws_them(
    site: Site,
) -> None:
    world = site.world
    one, other, secret, _ = await make(site, world.owner)
    here = f"/organizations/{world.organization}/teams/{one}"
    assert "never used" in await site.owner.get(here)
    assert await use(site, secret, "192.0.2.7") == 200
    page = await site.owner.get(here)
    assert "nightly" in page
    assert "from 192.0.2.7" in page
    async with transaction(world.platform.sessions) as session:
        ids = []
        for team_id in (one, other):
            team = await get_team(session, world.owner, team_id)
            ids += [each.id for each in await tokens.list_of_team(session, world.owner, team)]
    page = await site.owner.post(here, {"deed": "withdraw", "token": ids[1]}, of=here)
    assert "no such token" in page
    await site.owner.post(here, {"deed": "withdraw", "token": ids[0]}, of=here)
    assert "nightly" not in await site.owner.get(here)
    assert await use(site, secret, "192.0.2.7") == 401


async def test_the_organization_s_settings_say_from_where_its_token_was_used(site: Site) -> None:
    world = site.world
    *_, secret = await make(site, world.owner)
    here = f"/organizations/{world.organization}/settings"
    assert await use(site, secret, "2001:db8::7") == 200
    assert "from 2001:db8::7" in await site.owner.get(here)
    path = f"/api/v2/organizations/{world.organization}/authentication-token"
    async with transaction(world.platform.sessions) as session:
        _, own = await login_tokens.mint(
            session, world.owner, owner_kind=ActorKind.USER, owner_id=world.owner.id
        )
    answer = await site.nobody().get(path, headers={"Authorization": f"Bearer {own}"})
    assert answer.json()["data"]["attributes"]["last-used-from"] == "2001:db8::7"


async def test_who_may_not_manage_a_team_s_tokens_does_not_see_them(site: Site) -> None:
    world = site.world
    one, *_ = await make(site, world.owner)
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        user = await factories.make_user(session, "ann")
        await factories.make_member(session, organization.id, user)
        team = await get_team(session, world.owner, one)
        await factories.put_in(session, team, user)
        actor = actor_of(user)
    browser = await site.browser(actor)
    page = await browser.get(f"/organizations/{world.organization}/teams/{one}")
    assert "Team builders" in page
    assert "nightly" not in page
    page = await browser.get(f"/organizations/{world.organization}/settings")
    assert "API token" not in page.partition("<main")[2]
