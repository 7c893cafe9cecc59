"""Many workspaces at once: each authorised, done and told of by itself."""

import re

import httpx2
import pytest
from sqlalchemy import select

from landform.identity.models import User
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.kit.events import EventRow
from landform.organizations.models import Organization
from landform.runs import bulk
from landform.runs.bulk import Deed, Order, Outcome
from landform.runs.models import Run
from landform.web.bulk import said_of
from landform.workspaces.models import TagBinding, Workspace
from tests import factories
from tests.web.pages import Browser, Site, text_of


async def add(site: Site, *names: str) -> list[str]:
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        made = [await factories.make_workspace(session, organization, name) for name in names]
        return [each.id for each in made]


async def order(
    site: Site, browser: Browser, chosen: list[str], *, query: str = "", **fields: str
) -> str:
    """Send the form of the table, as a browser without scripts does; return what is answered."""
    return text_of((await send(site, browser, chosen, query=query, **fields)).text)


async def send(
    site: Site, browser: Browser, chosen: list[str], *, query: str = "", **fields: str
) -> httpx2.Response:
    table = f"/app/{site.world.organization}{query}"
    page = await browser.get(table)
    form = re.search(
        r'<form id="bulk" method="post" action="([^"]+)".*?value="(\w+)"', page, re.DOTALL
    )
    assert form is not None
    answer = await browser.http.post(
        form[1].replace("&amp;", "&"),
        data={"form_token": form[2], "of": "bulk", "workspace": chosen, **fields},
        follow_redirects=True,
    )
    assert answer.status_code in (200, 422), answer.text
    return answer


async def events(site: Site, name: str) -> list[str]:
    async with transaction(site.world.platform.sessions) as session:
        query = select(EventRow.subject_id).where(EventRow.name == name)
        return list(await session.scalars(query))


async def test_chosen_workspaces_are_tagged_and_untagged_with_an_event_each(site: Site) -> None:
    one, two, other = await add(site, "one", "two", "other")
    page = await order(site, site.owner, [one, two], deed="tag", tags="env=prod team")
    assert "Done at 2 of 2 workspaces." in page
    assert sorted(await events(site, "TagsChanged")) == sorted([one, two])
    await order(site, site.owner, [one], deed="untag", tags="team")
    async with transaction(site.world.platform.sessions) as session:
        rows = (await session.scalars(select(TagBinding))).all()
    assert {(row.workspace_id, row.key, row.value) for row in rows} == {
        (one, "env", "prod"),
        (two, "env", "prod"),
        (two, "team", ""),
    }
    assert other not in {row.workspace_id for row in rows}


async def test_what_cannot_be_done_at_one_is_said_and_done_at_the_others(site: Site) -> None:
    one, two = await add(site, "one", "two")
    await order(site, site.owner, [one], deed="lock", text="taken")
    page = await order(site, site.owner, [one, two], deed="lock", text="for the release")
    assert "Done at 1 of 2 workspaces." in page
    assert "Workspace already locked" in page
    async with transaction(site.world.platform.sessions) as session:
        assert (await session.get_one(Workspace, two)).lock_reason == "for the release"
        assert (await session.get_one(Workspace, one)).lock_reason == "taken"
    page = await order(site, site.owner, [one, two], deed="unlock")
    assert "Done at 2 of 2 workspaces." in page
    assert sorted(await events(site, "WorkspaceLocked")) == sorted([one, two])


async def test_runs_are_queued_where_there_is_a_configuration(site: Site) -> None:
    (bare,) = await add(site, "bare")
    mine = site.world.workspace_id
    page = await order(site, site.owner, [bare, mine], deed="plan", text="Look at all of them")
    assert "Done at 1 of 2 workspaces." in page
    assert "plan only" in page, (
        "it shows the runs, as the table of workspaces tells of no plan alone"
    )
    async with transaction(site.world.platform.sessions) as session:
        run = (await session.scalars(select(Run))).one()
    assert (run.workspace_id, run.plan_only, run.message) == (mine, True, "Look at all of them")


async def test_each_workspace_is_authorised_by_itself_and_refusals_are_told(site: Site) -> None:
    hidden, readable = await add(site, "vault", "readable")
    workspace = await site.world.workspace()
    async with transaction(site.world.platform.sessions) as session:
        actor = await factories.make_actor(session, workspace, "write")
        reader = await factories.make_actor(
            session, await session.get_one(Workspace, readable), "read"
        )
    member = await site.browser(actor)
    page = await order(site, member, [hidden, workspace.id], deed="lock")
    assert "Done at 1 of 2 workspaces." in page
    assert f"There is no workspace {hidden}." in page
    assert "vault" not in page
    page = await order(site, await site.browser(reader), [readable], deed="lock")
    assert "Done at 0 of 1 workspace." in page
    assert "You lack the permission to lock and unlock the workspace" in page
    assert readable in await events(site, "AccessDenied")
    assert await events(site, "WorkspaceLocked") == [workspace.id]


async def test_a_workspace_of_another_organization_is_none_of_this_one(site: Site) -> None:
    async with transaction(site.world.platform.sessions) as session:
        owner = await session.get_one(User, site.world.owner.id)
        elsewhere = await factories.make_organization(session, owners=[owner])
        other = (await factories.make_workspace(session, elsewhere, "over-there")).id
    page = await order(site, site.owner, [other], deed="lock")
    assert f"There is no workspace {other}." in page
    assert "over-there" not in page


async def test_all_that_match_are_those_of_the_filter_and_no_more(site: Site) -> None:
    await add(site, "web-1", "web-2", "db")
    page = await order(site, site.owner, [], query="?q=web", deed="tag", tags="team", all="yes")
    assert "Done at 2 of 2 workspaces." in page
    async with transaction(site.world.platform.sessions) as session:
        rows = await session.scalars(select(Workspace.name).join(TagBinding))
    assert sorted(rows) == ["web-1", "web-2"]


async def test_too_many_or_none_or_nothing_to_do_is_refused_as_a_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    ids = await add(site, "a", "b", "c")
    assert "2 can be changed at once" in await order(site, site.owner, ids, deed="lock")
    every = await order(site, site.owner, [], deed="lock", all="yes")
    assert "These are 4 workspaces" in every
    assert "Choose at least one workspace." in await order(site, site.owner, [], deed="lock")
    assert "Say which tags" in await order(site, site.owner, ids[:1], deed="tag")
    assert "cannot be" in await order(site, site.owner, ids[:1], deed="tag", tags="a/b")
    assert "Choose what to do" in await order(site, site.owner, ids[:1], deed="explode")
    assert await events(site, "WorkspaceLocked") == []


async def test_a_malformed_tag_is_said_beside_it_and_the_choice_stays(site: Site) -> None:
    one, two = await add(site, "one", "two")
    page = (await send(site, site.owner, [two], deed="tag", tags="a/b")).text
    assert re.search(r'name="tags"[^>]*aria-invalid="true"[^>]*value="a/b"', page)
    assert re.findall(r'name="workspace" value="([^"]+)"[^>]* checked', page) == [two]
    assert one in page


def test_what_came_of_an_order_is_said_with_each_reason_once_and_within_bounds() -> None:
    taken, gone = InvalidError("It is locked."), InvalidError("It has no configuration.")
    outcomes = [
        Outcome(workspace_id="ws-1", name="a", failure=taken),
        Outcome(workspace_id="ws-2", name="b", failure=gone),
        Outcome(workspace_id="ws-3", name="c", failure=taken),
        Outcome(workspace_id="ws-4", name="d"),
    ]
    order = Order(deed=Deed.PLAN)
    assert said_of(outcomes, order) == (
        "A plan was queued. Done at 1 of 4 workspaces."
        " Not at a, c: It is locked. Not at b: It has no configuration."
    )
    many = [
        Outcome(workspace_id=f"ws-{number}", name=f"workspace-{number}", failure=taken)
        for number in range(200)
    ]
    said = said_of(many, order)
    assert len(said) < 1000
    told = said.count("workspace-")
    assert said.endswith(f": It is locked. And not at {200 - told} more.")
