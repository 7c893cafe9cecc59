"""Lists that stay true: what their streams say, to whom, and what they cost."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event

from landform.access import teams
from landform.access.models import Team
from landform.contract import Phase
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.web import streams
from landform.web.lists import HUB
from landform.workspaces import locks, organizations
from landform.workspaces import service as workspaces
from landform.workspaces.models import Workspace
from landform.workspaces.settings import WorkspaceSettings
from tests import factories
from tests.files import make_state
from tests.web.listening import Stream, all_heard, hear, stream_of, until
from tests.web.pages import Browser, Site


@asynccontextmanager
async def watching(site: Site, browser: Browser, path: str) -> AsyncIterator[Stream]:
    """Open the page at `path`, and what it connects to, as its browser would."""
    await all_heard(site)
    address = stream_of(await browser.get(path))
    stream = Stream()
    task = asyncio.create_task(hear(site, browser, address, stream))
    read = HUB.watches.values
    await until(lambda: bool(stream.heard) and all(watch.version for watch in read()))
    yield stream
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def add(site: Site, name: str, **settings: Any) -> Workspace:
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        return await factories.make_workspace(session, organization, name, **settings)


async def lock(site: Site, workspace: Workspace, reason: str = "because") -> None:
    async with transaction(site.world.platform.sessions) as session:
        row = await session.get_one(Workspace, workspace.id)
        await locks.lock(session, site.world.owner, row, reason)


async def test_a_row_of_the_table_follows_its_run(site: Site) -> None:
    name = (await site.world.workspace()).name
    await add(site, "other")
    async with watching(site, site.owner, f"/app/{site.world.organization}") as stream:
        run_id = await site.world.create(message="Widen the subnets")
        await stream.says("Widen the subnets")
        await site.world.plan(run_id)
        await stream.says("Needs confirmation")
        assert f'hx-target="#row-{name}"' in stream.said or "#live-list" in stream.said


async def test_only_the_row_that_changed_is_sent(site: Site) -> None:
    other = await add(site, "other")
    await add(site, "third")
    async with watching(site, site.owner, f"/app/{site.world.organization}") as stream:
        await lock(site, other)
        await stream.says("because")
    assert '<hx-partial hx-target="#row-other" hx-swap="outerMorph">' in stream.said
    assert "third" not in stream.said


async def test_a_row_that_is_filtered_out_leaves_the_table_and_its_counts(site: Site) -> None:
    run_id = await site.world.create()
    await site.world.plan(run_id)
    path = f"/app/{site.world.organization}?status=attention"
    async with watching(site, site.owner, path) as stream:
        await site.world.discard(run_id)
        await stream.says("No workspace matches.")


async def test_what_one_may_not_see_changes_without_a_word(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BEAT_S", 0.3)
    hidden = await add(site, "not-theirs")
    member = await site.member("read")
    path = f"/app/{site.world.organization}"
    async with (
        watching(site, member, path) as theirs,
        watching(site, site.owner, path) as ours,
    ):
        await lock(site, hidden)
        await ours.says("because")
        await read_again()
        assert theirs.said == ""
        assert set(theirs.heard) <= {"retry: 1000\n\n", ": still here\n\n"}
        mine = await site.world.workspace()
        await lock(site, mine, "seen by both")
        await theirs.says("seen by both")
    assert "not-theirs" not in theirs.said


async def read_again() -> None:
    """Wait until every list that is watched was read again."""
    watched = list(HUB.watches.values())
    await until(lambda: all(watch.version > 1 for watch in watched))


async def test_watchers_of_an_equal_sight_share_one_reading_and_others_do_not(site: Site) -> None:
    other = await add(site, "other")
    path = f"/app/{site.world.organization}"
    member = await site.member("read")
    read: list[str] = []
    async with transaction(site.world.platform.sessions) as session:
        engine = session.get_bind()

    def note(*given: Any) -> None:
        if "FILTER" in str(given[2]):  # the counts, which every reading of the table asks once
            read.append(str(given[2]))

    async with (
        watching(site, site.owner, path) as first,
        watching(site, site.owner, path) as second,
        watching(site, member, path),
    ):
        assert sorted(len(each.seats) for each in HUB.watches.values()) == [1, 2]
        event.listen(engine, "before_cursor_execute", note)
        try:
            await lock(site, other)
            await first.says("because")
            await second.says("because")
            await read_again()
        finally:
            event.remove(engine, "before_cursor_execute", note)
    assert len(read) == 2  # once for both owners, once for the member
    assert not HUB.watches


async def test_who_loses_their_access_is_told_nothing_more_and_sent_away(site: Site) -> None:
    member_actor = await read_only(site)
    member = await site.browser(member_actor)
    path = f"/app/{site.world.organization}"
    async with watching(site, member, path) as stream:
        watch = next(iter(HUB.watches.values()))
        async with transaction(site.world.platform.sessions) as session:
            assert isinstance(watch.sight, frozenset)
            (team_id,) = watch.sight
            team = await session.get_one(Team, team_id)
            await teams.delete_team(session, site.world.owner, team)
        await until(lambda: not HUB.watches)
        await lock(site, await site.world.workspace(), "too late")
    assert "too late" not in stream.said


async def read_only(site: Site) -> Actor:
    workspace = await site.world.workspace()
    async with transaction(site.world.platform.sessions) as session:
        return await factories.make_actor(session, workspace, "read")


async def test_a_browser_that_comes_back_is_told_what_it_missed_and_nothing_when_nothing(
    site: Site,
) -> None:
    other = await add(site, "other")
    page = await site.owner.get(f"/app/{site.world.organization}")
    address, missed, none = stream_of(page), Stream(), Stream()
    await lock(site, other)
    task = asyncio.create_task(hear(site, site.owner, address, missed))
    await missed.says("because")
    now = re.findall(r"^id: (\w+)$", missed.said, re.MULTILINE)[-1]
    back = re.sub(r"since=\w+", f"since={now}", address)
    again = asyncio.create_task(hear(site, site.owner, back, none))
    await until(lambda: bool(none.heard))
    await lock(site, await site.world.workspace(), "new to both")
    await none.says("new to both")
    assert none.said.count("id: ") == 1
    for each in (task, again):
        each.cancel()
    await asyncio.gather(task, again, return_exceptions=True)


async def test_lists_of_runs_states_and_an_organization_s_runs_follow(site: Site) -> None:
    place, world = await site.place(), site.world
    async with (
        watching(site, site.owner, f"{place}/runs") as runs,
        watching(site, site.owner, f"/organizations/{world.organization}/runs") as every,
        watching(site, site.owner, f"{place}/states") as saved,
    ):
        run_id = await world.create(message="Hello there")
        await runs.says("Hello there")
        await every.says("Hello there")
        await world.plan(run_id)
        await world.confirm(run_id)
        job = await world.must_begin(run_id, Phase.APPLY)
        await runs.says("Applying")
        await attempts.put_state(world.platform, job, make_state(7), final=True)
        await saved.says("Serial 7")


async def test_the_list_of_organizations_follows_what_needs_somebody_and_new_ones(
    site: Site,
) -> None:
    world = site.world
    async with watching(site, site.owner, "/organizations") as stream:
        await world.plan(await world.create())
        await stream.says("1 needs confirmation")
        async with transaction(world.platform.sessions) as session:
            other = await factories.make_organization(session, "not-mine")
            await factories.make_workspace(session, other)
            made = await organizations.create_organization(session, world.owner, name="newcomer")
        await stream.says('id="row-newcomer"')
        before = stream.said.count("1 workspace<")
        async with transaction(world.platform.sessions) as session:
            row = await session.get_one(Organization, made.id)
            settings = WorkspaceSettings(name="first")
            await workspaces.create_workspace(session, world.owner, row, settings)
        await until(lambda: stream.said.count("1 workspace<") > before)
    assert "not-mine" not in stream.said


async def test_the_front_page_of_a_workspace_follows_its_run_its_lock_and_its_state(
    site: Site,
) -> None:
    world = site.world
    async with watching(site, site.owner, await site.place()) as stream:
        run_id = await world.create(message="Hello there")
        await stream.says("Hello there")
        await world.plan(run_id)
        await stream.says("Needs confirmation")
        assert "by a run" in stream.said
        await world.confirm(run_id)
        job = await world.must_begin(run_id, Phase.APPLY)
        await attempts.put_state(world.platform, job, make_state(7), final=True)
        await stream.says("serial 7")
        await world.finish(job)
        await stream.says("Applied")


async def test_who_may_read_more_of_a_workspace_shares_no_reading_with_who_may_less(
    site: Site,
) -> None:
    member = await site.browser(await read_only(site))
    place = await site.place()
    async with watching(site, site.owner, place), watching(site, member, place):
        assert len(HUB.watches) == 2
