"""Who the people and groups of a provider are here, on a page."""

import re
from html import unescape

import pytest

from landform.access.models import Team
from landform.access.permissions import Permission
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.vcs import connections
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.settings import ConnectionSettings
from tests import factories
from tests.web.pages import Site


async def connect(site: Site, kind: Kind = Kind.AZURE_DEVOPS) -> str:
    """Make a connection; return the path of its people."""
    world = site.world
    settings = ConnectionSettings(name="theirs", client_secret="s3cret", account="acme")
    async with transaction(world.platform.sessions) as session:
        row = await connections.create_connection(
            session,
            world.platform.keyring,
            world.owner,
            world.organization_id,
            settings,
            kind=kind,
            sign_in=SignIn.TOKEN,
            base="http://landform.test",
        )
    return f"/organizations/{world.organization}/vcs/{row.id}/people"


@pytest.fixture
async def crew(site: Site) -> Team:
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        return await factories.make_team(session, organization, "crew")


def known(page: str) -> str:
    found = re.search(r'name="known" value="([\w-]+)"', page)
    assert found is not None
    return found[1]


async def test_an_owner_says_who_somebody_is_and_takes_it_back(site: Site) -> None:
    path = await connect(site)
    assert "Nobody is known yet" in await site.owner.get(path)
    given = {"deed": "introduce", "person_id": "guid-1", "name": "Ann"}
    page = await site.owner.post(path, {**given, "username": site.world.owner.name})
    assert f"is {site.world.owner.name}" in page
    assert "guid-1" in page
    again = await site.owner.post(path, {**given, "username": site.world.owner.name})
    assert "is known already" in again
    missing = await site.owner.post(path, {**given, "username": "nobody-there"})
    assert "There is no user nobody-there" in missing
    gone = await site.owner.post(path, {"deed": "forget", "known": known(page)})
    assert "Nobody is known yet" in gone


async def test_a_group_counts_as_a_team_until_it_is_removed(site: Site, crew: Team) -> None:
    path = await connect(site)
    given = {"deed": "admit", "team": crew.id}
    wrong = await site.owner.post(path, {**given, "group": "Operators"})
    assert "team:PROJECT/TEAM" in wrong
    page = await site.owner.post(path, {**given, "group": "team:Cloud Team/Operators"})
    assert "team:Cloud Team/Operators" in page
    assert "counts as crew" in page
    gone = await site.owner.post(path, {"deed": "dismiss", "known": known(page)})
    assert "None yet" in gone


async def test_of_a_provider_that_cannot_be_asked_only_people_are_named(site: Site) -> None:
    page = await site.owner.get(await connect(site, Kind.BITBUCKET))
    assert "cannot be asked who is in a group" in page
    assert "Have a group count" not in page


async def test_who_manages_connections_but_is_no_owner_sees_the_list_and_changes_nothing(
    site: Site,
) -> None:
    path = await connect(site)
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        user = await factories.make_user(session)
        switches = ["manage-vcs-settings"]
        await factories.make_team(
            session, organization, organization_access=switches, members=[user]
        )
    browser = await site.browser(actor_of(user))
    page = await browser.get(path)
    assert "Say who somebody is" not in page
    given = {"deed": "introduce", "person_id": "x", "username": site.world.owner.name}
    of = f"/organizations/{site.world.organization}/vcs/new"
    refused = await browser.post(path, given, of=of, status=403)
    assert Permission.MANAGE_OWNERS in unescape(refused)
