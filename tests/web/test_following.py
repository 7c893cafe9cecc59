"""Pages that follow what they show: what they say, and to whom."""

import asyncio
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

import pytest
from sqlalchemy import select
from starlette.types import Receive, Scope, Send

from landform.access import teams
from landform.access.models import Team, TeamMember
from landform.access.teams import TeamSettings
from landform.identity import tokens
from landform.identity.actor import ActorKind
from landform.kit import clock
from landform.kit.db import transaction
from landform.kit.events import EventRow
from landform.organizations.models import Organization
from landform.runs import service as runs
from landform.variables import service as variables
from landform.variables.service import VariableSettings
from landform.web.live import HUB as RUNS
from landform.workspaces import projects
from landform.workspaces.projects import ProjectSettings
from tests import factories
from tests.web.listening import Stream, following, hear, stream_of, until
from tests.web.pages import Site

SECRET = "hunter2-hunter2"  # pragma: allowlist secret - only looks like one


async def add_team(site: Site, name: str, visibility: str = "organization") -> Team:
    settings = TeamSettings(name=name, visibility=visibility)
    async with transaction(site.world.platform.sessions) as session:
        return await teams.create_team(
            session, site.world.owner, site.world.organization_id, settings
        )


async def put_in(site: Site, team: Team, user_id: str) -> None:
    async with transaction(site.world.platform.sessions) as session:
        row = await session.get_one(Team, team.id)
        await teams.add_members(session, site.world.owner, row, [user_id])


async def test_teams_and_their_members_show_up_for_who_looks(site: Site) -> None:
    home = f"/organizations/{site.world.organization}/teams"
    async with following(site, site.owner, home) as stream:
        team = await add_team(site, "newcomers")
        await stream.says("newcomers")
        async with following(site, site.owner, f"{home}/{team.id}") as one:
            await put_in(site, team, site.world.owner.id)
            await one.says(f'name="user" value="{site.world.owner.id}"')
            await stream.says("1 member<")


async def test_variables_show_up_and_what_is_sensitive_never_travels(site: Site) -> None:
    world = site.world
    async with following(site, site.owner, f"{await site.place()}/variables") as stream:
        for key, value, is_sensitive in (("region", "eu-1", False), ("token", SECRET, True)):
            async with transaction(world.platform.sessions) as session:
                settings = VariableSettings(
                    key=key, value=value, category="terraform", sensitive=is_sensitive
                )
                await variables.create_variable(
                    session, world.platform.keyring, world.owner, await world.workspace(), settings
                )
            await stream.says(key)
        await stream.says("eu-1")
    assert SECRET not in stream.said


async def test_projects_show_up(site: Site) -> None:
    world = site.world
    async with following(site, site.owner, f"/organizations/{world.organization}/projects") as seen:
        async with transaction(world.platform.sessions) as session:
            organization = await session.get_one(Organization, world.organization_id)
            settings = ProjectSettings(name="platform", description="")
            await projects.create_project(session, world.owner, organization, settings)
        await seen.says("platform")


async def test_what_one_may_not_see_changes_without_a_word(site: Site) -> None:
    member = await site.member("read")
    home = f"/organizations/{site.world.organization}/teams"
    async with (
        following(site, member, home) as theirs,
        following(site, site.owner, home) as ours,
    ):
        await add_team(site, "hidden", "secret")
        await ours.says("hidden")
        await add_team(site, "open-to-all")
        await theirs.says("open-to-all")
        assert theirs.said.count("id: ") == 1
    assert "hidden" not in theirs.said


async def test_who_may_not_see_the_page_any_more_is_told_so_and_sent_away(site: Site) -> None:
    workspace = await site.world.workspace()
    async with transaction(site.world.platform.sessions) as session:
        actor = await factories.make_actor(session, workspace, "write")
    member = await site.browser(actor)
    async with following(site, member, f"{await site.place()}/variables") as stream:
        async with transaction(site.world.platform.sessions) as session:
            query = select(Team).join(TeamMember).where(TeamMember.user_id == actor.id)
            team = (await session.scalars(query)).one()
            await teams.delete_team(session, site.world.owner, team)
        await stream.says("not for you to see any more")
        await stream.says("event: over")
    async with transaction(site.world.platform.sessions) as session:
        told = select(EventRow.id).where(EventRow.name == "AccessDenied")
        assert (await session.scalars(told)).all() == []  # nobody has tried anything


async def test_who_is_signed_out_elsewhere_is_sent_away(site: Site) -> None:
    async with following(site, site.owner, "/account/sessions") as stream:
        elsewhere = await site.browser(site.world.owner)
        await stream.says("Sign out")
        page = await elsewhere.get("/account/sessions")
        assert page
        await elsewhere.post("/account/sessions/others/delete", of="/account/sessions")
        await stream.says("event: over")


async def test_only_what_this_session_was_shown_can_be_followed(site: Site) -> None:
    home = f"/organizations/{site.world.organization}/teams"
    address = stream_of(await site.owner.get(home))
    path, _, query = address.partition("?")
    given = {name: values[0] for name, values in parse_qs(query).items()}
    for name, value in (("page", f"{home}/x"), ("on", "usr-1"), ("seal", "0" * 64)):
        await site.owner.get(f"{path}?{urlencode({**given, name: value})}", 404)
    another = await site.browser(site.world.owner)
    await another.get(address, 404)


async def test_a_browser_that_comes_back_is_told_nothing_when_nothing_has_changed(
    site: Site,
) -> None:
    home = f"/organizations/{site.world.organization}/teams"
    address = stream_of(await site.owner.get(home))
    await add_team(site, "first")
    missed = Stream()
    task = asyncio.create_task(hear(site, site.owner, address, missed))
    await missed.says("first")
    task.cancel()
    mark = re.findall(r"^id: (\w+)$", missed.said, re.MULTILINE)[-1]
    again = Stream()
    back = re.sub(r"since=\w+", f"since={mark}", address)
    other = asyncio.create_task(hear(site, site.owner, back, again))
    await add_team(site, "second")
    await again.says("second")
    assert again.said.count("id: ") == 1
    other.cancel()
    await asyncio.gather(task, other, return_exceptions=True)


async def test_what_answers_a_form_is_not_followed(site: Site) -> None:
    shown_once = await site.owner.post("/account/tokens", {"description": "x", "days": "30"})
    assert "hx-sse:connect" not in shown_once


async def test_what_runs_do_reads_no_page_again_that_is_not_about_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, pages, read = site.world, site.app.state.pages, []

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        await pages(scope, receive, send)
        read.append(scope["path"])

    monkeypatch.setitem(site.app.state._state, "pages", counted)
    home = f"/organizations/{world.organization}"
    async with (
        following(site, site.owner, f"{home}/teams") as stays,
        following(site, site.owner, f"{home}/projects") as follows,
    ):
        await until(lambda: f"{home}/teams" in read)  # a change during a reading is read twice
        await add_team(site, "first")
        await stays.says("first")
        before = read.count(f"{home}/teams")
        await world.plan(await world.create())
        await follows.says("1 needs confirmation")
        assert read.count(f"{home}/teams") == before
        assert read.count(f"{home}/projects") > 1


async def test_the_trail_tells_what_happens_and_a_change_elsewhere_is_not_in_it(site: Site) -> None:
    async with following(site, site.owner, f"/organizations/{site.world.organization}/audit") as it:
        async with transaction(site.world.platform.sessions) as session:
            other = await factories.make_organization(session, "not-mine")
            owner = await factories.make_owner(session, other)
            settings = TeamSettings(name="of-others")
            theirs = await teams.create_team(session, owner, other.id, settings)
        team = await add_team(site, "seen")
        await it.says(team.id)
    assert theirs.id not in it.said


async def test_that_a_token_was_used_is_told_though_it_is_no_event(site: Site) -> None:
    async with transaction(site.world.platform.sessions) as session:
        _, secret = await tokens.issue(
            session,
            site.world.owner,
            owner_kind=ActorKind.USER,
            owner_id=site.world.owner.id,
            description="of a script",
        )
    async with following(site, site.owner, "/account/tokens") as stream:
        async with transaction(site.world.platform.sessions) as session:
            await tokens.authenticate(session, secret)
        await stream.says("</time></td>")


async def say(site: Site, run_id: str, text: str) -> None:
    async with transaction(site.world.platform.sessions) as session:
        await runs.add_comment(session, site.world.owner, run_id, text)


async def test_a_run_that_is_over_shows_what_is_said_of_it(site: Site) -> None:
    run_id = await site.world.create()
    path = f"{await site.place()}/runs/{run_id}"
    async with following(site, site.owner, path) as ended_under_them:
        await site.world.plan(run_id)
        await site.world.discard(run_id)
        await ended_under_them.says("Discarded")
        await say(site, run_id, "Not today")
        await ended_under_them.says("Not today")
    async with following(site, site.owner, path) as opened_later:
        await say(site, run_id, "Tomorrow then")
        await opened_later.says("Tomorrow then")


async def test_who_opens_a_run_is_told_only_what_its_page_does_not_show_yet(site: Site) -> None:
    run_id = await site.world.create()
    async with following(site, site.owner, f"{await site.place()}/runs/{run_id}") as stream:
        await until(lambda: any(watch.version for watch in RUNS.watches.values()))
        await say(site, run_id, "Told while it is open")
        await stream.says("Told while it is open")
    assert re.findall(r'hx-target="([^"]+)"', stream.said) == ["#run-comments"]


async def test_that_time_passes_is_no_news_of_a_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await site.world.create()
    async with following(site, site.owner, f"{await site.place()}/runs/{run_id}") as stream:
        await until(lambda: any(watch.version for watch in RUNS.watches.values()))
        later = clock.now() + timedelta(minutes=5)
        monkeypatch.setattr("landform.web.present.text.now", lambda: later)
        await say(site, run_id, "Told five minutes later")
        await stream.says("Told five minutes later")
    assert re.findall(r'hx-target="([^"]+)"', stream.said) == ["#run-comments"]


async def test_a_browser_that_comes_back_to_a_run_is_told_nothing_twice(site: Site) -> None:
    run_id = await site.world.create()
    path = f"{await site.place()}/runs/{run_id}"
    async with following(site, site.owner, path) as stream:
        await site.world.plan(run_id)
        await stream.says("Needs confirmation")
        address = stream_of(await site.owner.get(path))
        await say(site, run_id, "First")
        await stream.says("First")
    mark = re.findall(r"^id: (\S+)$", stream.said, re.MULTILINE)[-1]
    again = Stream()
    back = re.sub(r"since=[\w.]+", f"since={mark}", address)
    task = asyncio.create_task(hear(site, site.owner, back, again))
    await until(lambda: any(watch.version for watch in RUNS.watches.values()))
    await say(site, run_id, "Second")
    await again.says("Second")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert 'hx-target="#run-comments"' in again.said
    assert 'hx-target="#run-plan"' not in again.said


async def test_a_stream_of_somebody_signed_out_is_refused_and_not_sent_to_sign_in(
    site: Site,
) -> None:
    address = stream_of(await site.owner.get("/account/sessions"))
    answer = await site.nobody().get(address, headers={"Accept": "text/html, text/event-stream"})
    assert answer.status_code == 401
