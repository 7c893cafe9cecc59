"""First steps, the roads to a workspace, and what needs somebody across organizations."""

import pytest
from sqlalchemy import select

from landform.access.permissions import ORGANIZATION_ACCESS
from landform.access.service import visible_anywhere, visible_workspaces
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.workspaces.models import Workspace
from tests import factories
from tests.web.pages import Site, text_of


async def test_the_list_of_organizations_says_what_needs_somebody(site: Site) -> None:
    run_id = await site.world.create()
    await site.world.plan(run_id)
    other = await site.world.beside()
    await other.plan(await other.create())
    assert "2 need confirmation" in text_of(await site.owner.get("/organizations"))
    member = await site.member("read")
    page = text_of(await member.get("/organizations"))
    assert "1 needs confirmation" in page
    assert "1 workspace " in page


@pytest.mark.parametrize("switch", [*sorted(ORGANIZATION_ACCESS), "none"])
async def test_what_is_seen_anywhere_is_what_is_seen_in_each_organization(
    switch: str, site: Site
) -> None:
    async with transaction(site.world.platform.sessions) as session:
        first = await session.get_one(Organization, site.world.organization_id)
        user = await factories.make_user(session)
        given = await factories.make_workspace(session, first, "given")
        project = await factories.make_project(session, first, "shelf")
        shelved = await factories.make_workspace(session, first, "shelved")
        shelved.project_id = project.id
        team = await factories.make_team(session, first, members=[user])
        await factories.grant(session, team, given, "read")
        await factories.grant(session, team, project, "read")
        second = await factories.make_organization(session, owners=[user])
        await factories.make_workspace(session, second, "owned")
        third = await factories.make_organization(session)
        await factories.make_workspace(session, third, "switched")
        access = [] if switch == "none" else [switch]
        crew = await factories.make_team(session, third, members=[user])
        crew.organization_access = access
        await session.flush()
        actor = actor_of(user)
        each = set()
        for organization in (first, second, third):
            within = await visible_workspaces(session, actor, organization.id)
            query = select(Workspace.id).where(Workspace.organization_id == organization.id, within)
            each |= set(await session.scalars(query))
        anywhere = select(Workspace.id).where(await visible_anywhere(session, actor))
        assert set(await session.scalars(anywhere)) == each
        assert {given.id, shelved.id} <= each


async def test_a_newcomer_is_shown_three_roads_and_then_what_is_done(site: Site) -> None:
    page = text_of(await site.owner.get("/welcome"))
    for road in ("From the command line", "From a repository", "From the example"):
        assert road in page
    assert "landform cli-config" in page
    assert (await site.world.workspace()).name in page
    assert "Connect a provider" in page
    member = await site.member("read")
    assert "Ask somebody who may make workspaces" in text_of(await member.get("/welcome"))


async def test_a_new_workspace_has_three_roads(site: Site) -> None:
    page = text_of(await site.owner.get(f"/organizations/{site.world.organization}/workspaces/new"))
    assert "Choose a repository" in page
    assert "connect one first" in page
    assert "From the command line" in page
    assert f"/api/v2/organizations/{site.world.organization}/workspaces" in page


async def test_every_example_is_a_workspace_of_its_own(site: Site) -> None:
    at = f"/organizations/{site.world.organization}/example"
    first = text_of(await site.owner.post(at, of="/welcome"))
    assert "Greet the world" in first
    await site.owner.post(at, of="/welcome")
    page = text_of(await site.owner.get(f"/app/{site.world.organization}"))
    assert "example " in page
    assert "example-2 " in page


async def test_examples_have_an_end(site: Site) -> None:
    async with transaction(site.world.platform.sessions) as session:
        owner = await session.get_one(Organization, site.world.organization_id)
        for name in ("Example", *(f"example-{number}" for number in range(2, 10))):
            await factories.make_workspace(session, owner, name)
    at = f"/organizations/{site.world.organization}/example"
    page = text_of(await site.owner.post(at, of="/welcome"))
    assert "There are workspaces example to example-9 already; delete one." in page
