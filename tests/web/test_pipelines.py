"""Jobs of pipelines are let in, and shut out, on a page."""

import re

from landform.access.models import Team
from landform.kit.db import transaction
from landform.organizations.models import Organization
from tests import factories
from tests.web.pages import Site

FIELDS = {
    "name": "infra",
    "issuer": "https://token.actions.githubusercontent.com",
    "audience": "http://landform.test",
    "claims": "sub = repo:acme/infra:*\r\nrepository_owner_id = 4711",
}


async def crew(site: Site) -> Team:
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        return await factories.make_team(session, organization, "crew")


async def test_a_pipeline_is_let_in_and_shut_out_again(site: Site) -> None:
    team, path = await crew(site), f"/organizations/{site.world.organization}/pipelines"
    assert "None yet" in await site.owner.get(path)
    shown = await site.owner.post(path, {**FIELDS, "team": team.id})
    for said in ("infra", "for crew", "sub = repo:acme/infra:*", "4711", "never used"):
        assert said in shown
    found = re.search(r'name="credential" value="(fc-\w+)"', shown)
    assert found is not None
    gone = await site.owner.post(path, {"deed": "remove", "credential": found[1]})
    assert "None yet" in gone


async def test_claims_that_are_none_are_said_on_the_page(site: Site) -> None:
    team, path = await crew(site), f"/organizations/{site.world.organization}/pipelines"
    for claims, words in (
        ("sub", "NAME = VALUE"),
        ("sub = *", "needs a value"),
        ("", "1 to 20 claims"),
        ("sub = a\nsub = b", "NAME = VALUE"),
    ):
        shown = await site.owner.post(
            path, {**FIELDS, "claims": claims, "team": team.id}, status=422
        )
        assert words in shown
        assert "None yet" in shown
