"""The table of workspaces: searched, narrowed, sorted and paged by its address alone."""

import re
from typing import Any

from sqlalchemy import event, func, select

from landform.contract import Counts
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.workspaces.models import Workspace
from tests import factories
from tests.web.pages import Site, text_of


async def add(site: Site, *names: str, **settings: Any) -> None:
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        for name in names:
            await factories.make_workspace(session, organization, name, **settings)


def rows(page: str) -> list[str]:
    return re.findall(r'<tr id="row-([^"]+)"', page)


async def test_the_table_is_narrowed_by_name_tag_and_status(site: Site) -> None:
    await add(site, "web-prod", "web-dev", "db-prod")
    await add(site, "tagged", tags={"env": "prod"})
    run_id = await site.world.create()
    await site.world.plan(run_id)
    path = f"/app/{site.world.organization}"
    assert rows(await site.owner.get(f"{path}?q=WEB")) == ["web-dev", "web-prod"]
    assert rows(await site.owner.get(f"{path}?tag=env%3Dprod")) == ["tagged"]
    mine = (await site.world.workspace()).name
    assert rows(await site.owner.get(f"{path}?status=attention")) == [mine]
    assert mine not in rows(await site.owner.get(f"{path}?status=never"))
    assert rows(await site.owner.get(f"{path}?locked=yes")) == [mine]
    assert rows(await site.owner.get(f"{path}?q=no-such")) == []


async def test_what_has_drifted_is_told_in_the_table_and_on_the_front_page(site: Site) -> None:
    await add(site, "still")
    run_id = await site.world.create(plan_only=True)
    await site.world.plan(run_id, counts=Counts(drifted=3))
    path, name = f"/app/{site.world.organization}", (await site.world.workspace()).name
    page = await site.owner.get(path)
    assert f'href="{path}/{name}/runs/{run_id}" title' in page
    assert "3 drifted" in text_of(page)
    assert "Drifted 1" in text_of(page)
    assert "All 2" in text_of(page), "those that drifted are not counted twice"
    assert rows(await site.owner.get(f"{path}?status=drifted")) == [name]
    assert "3 objects changed outside of terraform" in text_of(
        await site.owner.get(f"{path}/{name}")
    )


async def test_the_table_is_sorted_both_ways(site: Site) -> None:
    await add(site, "aaa", "zzz")
    path = f"/app/{site.world.organization}"
    up = rows(await site.owner.get(path))
    down = rows(await site.owner.get(f"{path}?sort=-name"))
    assert up == sorted(up)
    assert down == up[::-1]


async def test_a_sort_or_status_that_is_not_there_is_refused_with_what_would_be(site: Site) -> None:
    path = f"/app/{site.world.organization}"
    assert "name, project, status, version, repository, changed" in await site.owner.get(
        f"{path}?sort=size", 422
    )
    assert "attention" in await site.owner.get(f"{path}?status=odd", 400)


async def test_pages_of_the_table_keep_what_is_searched_for(site: Site) -> None:
    await add(site, *(f"many-{number:03}" for number in range(51)))
    page = await site.owner.get(f"/app/{site.world.organization}?q=many")
    assert len(rows(page)) == 50
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    assert rows(await site.owner.get(following[1].replace("&amp;", "&"))) == ["many-050"]


async def test_a_member_sees_only_what_their_teams_were_given(site: Site) -> None:
    await add(site, "not-theirs")
    member = await site.member("read")
    page = await member.get(f"/app/{site.world.organization}")
    assert rows(page) == [(await site.world.workspace()).name]
    assert "not-theirs" not in page
    found = await member.get(f"/search/found?q=not-the&in={site.world.organization}")
    assert "not-theirs" not in found


async def test_more_workspaces_take_no_more_statements(site: Site) -> None:
    counted: list[str] = []
    async with transaction(site.world.platform.sessions) as session:
        engine = session.get_bind()

    def count(*given: object) -> None:
        counted.append(str(given[2]))

    path = f"/app/{site.world.organization}"
    event.listen(engine, "before_cursor_execute", count)
    try:
        await site.owner.get(path)
        few = len(counted)
        counted.clear()
        await add(site, *(f"more-{number}" for number in range(40)), tags={"env": "prod"})
        counted.clear()
        await site.owner.get(path)
        assert len(counted) == few, counted
    finally:
        event.remove(engine, "before_cursor_execute", count)


async def test_a_workspace_is_made_and_a_bad_name_is_explained(site: Site) -> None:
    form = f"/organizations/{site.world.organization}/workspaces/new"
    page = await site.owner.post(form, {"name": "bad name!", "description": "kept"}, status=422)
    assert "letters, digits, dashes and underscores" in page
    assert 'value="kept"' in page
    page = text_of(await site.owner.post(form, {"name": "made-here", "tool": "tofu"}))
    assert "made-here was created." in page
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        query = select(func.count()).where(Workspace.organization_id == organization.id)
        assert await session.scalar(query) == 2


async def test_who_may_make_no_workspace_is_told_so_at_once_and_led_nowhere(site: Site) -> None:
    new = f"/organizations/{site.world.organization}/workspaces/new"
    reader = await site.member("write")
    assert f'href="{new}' not in await reader.get(f"/app/{site.world.organization}")
    for road in (new, f"{new}/repository"):
        told = text_of(await reader.get(road, 403))
        assert "You lack the permission to create workspaces" in told
        assert "An owner of the organization can let you" in told


async def test_who_may_make_workspaces_in_one_project_is_offered_that_one(site: Site) -> None:
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        shelf = await factories.make_project(session, organization, name="shelf")
        actor = await factories.make_actor(session, shelf, "admin")
    browser, home = await site.browser(actor), f"/app/{organization.name}"
    new = f"/organizations/{organization.name}/workspaces/new"
    assert f'href="{new}' in await browser.get(home)
    assert f'href="{new}' in await browser.get(f"/search/found?q=new&in={organization.name}")
    offered = re.findall(r'<option value="(prj-\w+)"', await browser.get(new))
    assert offered == [shelf.id]
    made = await browser.post(new, {"name": "mine", "project": shelf.id})
    assert "mine was created." in text_of(made)


async def test_an_organization_is_made_renamed_and_deleted(site: Site) -> None:
    page = text_of(await site.owner.post("/organizations/new", {"name": "fresh"}))
    assert "Organization fresh was created." in page
    fields = {"name": "renamed", "email": "a@example.com", "default_execution_mode": "remote"}
    wrong = await site.owner.post(
        "/organizations/fresh/settings", fields | {"max_token_days": "x"}, status=422
    )
    assert "Days are a number." in wrong
    fields["max_token_days"] = "90"
    page = await site.owner.post("/organizations/fresh/settings", fields)
    assert "Saved." in page
    assert 'value="90"' in page
    refused = await site.owner.post(
        "/organizations/renamed/delete",
        {"of": "delete", "name": "wrong"},
        of="/organizations/renamed/settings",
        status=422,
    )
    assert "Type the organization" in text_of(refused)
    page = await site.owner.post(
        "/organizations/renamed/delete", {"name": "renamed"}, of="/organizations/renamed/settings"
    )
    assert "Organization renamed was deleted." in text_of(page)


async def test_projects_are_made_and_renamed_and_deleted(site: Site) -> None:
    path = f"/organizations/{site.world.organization}/projects"
    assert "Project Shelf was created." in text_of(await site.owner.post(path, {"name": "Shelf"}))
    assert "has already been taken" in text_of(
        await site.owner.post(path, {"name": "shelf"}, status=422)
    )
    page = await site.owner.get(path)
    changing = re.findall(r'action="([^"]+/projects/prj-\w+)"', page)
    shelf = changing[-1]
    assert "Saved." in await site.owner.post(shelf, {"name": "Rack", "description": ""}, of=path)
    assert "Project Rack was deleted." in text_of(
        await site.owner.post(shelf, {"deed": "delete"}, of=path)
    )
