"""Agent pools are made, filled, narrowed and given to workspaces on pages."""

import re

from landform import __version__
from landform.agents.models import Farewell
from landform.agents.presence import Description, agent_id, say_farewell, say_present
from landform.contract import Choice, Outcome, PhaseJob, PhaseResult
from landform.identity import tokens
from landform.identity.credentials import new_secret
from landform.kit.db import transaction
from landform.runs import agent_attempts, attempts
from landform.workspaces.models import ExecutionMode
from tests.web.listening import following
from tests.web.pages import Site, text_of


async def make_pool(site: Site, name: str = "site") -> str:
    """Make a pool as its page does; return the address of its own."""
    path = f"/organizations/{site.world.organization}/agent-pools"
    shown = await site.owner.post(path, {"name": name, "organization_scoped": "yes"})
    found = re.search(rf'action="({path}/apool-\w+)/tokens"', shown)
    assert found is not None
    return found[1]


async def make_token(site: Site, pool: str) -> str:
    shown = await site.owner.post(f"{pool}/tokens", {"description": "a box", "days": "90"}, of=pool)
    found = re.search(r'id="secret">(lfa_\w+)<', shown)
    assert found is not None
    assert found[1] not in await site.owner.get(pool)  # it was shown that once
    return found[1]


async def test_a_pool_is_made_and_its_token_is_shown_once_and_withdrawn(site: Site) -> None:
    listed = f"/organizations/{site.world.organization}/agent-pools"
    assert "No agent pool yet" in await site.owner.get(listed)
    pool = await make_pool(site)
    token = await make_token(site, pool)
    async with transaction(site.world.platform.sessions) as session:
        actor = await tokens.authenticate_agent(session, token)
        own = agent_id(actor, new_secret())
        await say_present(session, actor, own, Description(name="box-1", slots=4))
    assert "1 connected" in text_of(await site.owner.get(listed))
    shown = text_of(await site.owner.get(pool))
    for said in ("box-1", "Idle", "4 slots", "a box"):
        assert said in shown
    assert re.search(r"last used (just now|\d+ \w+ ago)", shown)
    token_id = re.search(r'name="token" value="(at-\w+)"', await site.owner.get(pool))
    assert token_id is not None
    gone = await site.owner.post(
        f"{pool}/tokens", {"deed": "withdraw", "token": token_id[1]}, of=pool
    )
    assert "The token was withdrawn." in gone
    assert "None yet" in gone


async def test_a_workspace_is_set_to_run_on_agents_and_back(site: Site) -> None:
    settings = f"{await site.place()}/settings"
    assert "On agents of" not in await site.owner.get(settings)
    pool = await make_pool(site)
    pool_id = pool.rpartition("/")[2]
    name = (await site.world.workspace()).name
    sent = {"name": name, "execution_mode": f"agent:{pool_id}"}
    assert "Saved." in await site.owner.post(settings, sent)
    workspace = await site.world.workspace()
    assert (workspace.execution_mode, workspace.agent_pool_id) == (ExecutionMode.AGENT, pool_id)
    assert f'value="agent:{pool_id}" selected' in await site.owner.get(settings)
    assert name in text_of(await site.owner.get(pool))
    refused = await site.owner.post(pool, {"deed": "delete"})
    assert f"Workspaces run in agent pool site: {name}." in text_of(refused)
    run_id = await site.world.create()
    waiting = text_of(await site.owner.get(f"{await site.place()}/runs/{run_id}"))
    assert "Waiting for an agent: none of pool site is connected." in waiting
    await site.world.cancel(run_id)
    await site.owner.post(settings, {"name": name, "execution_mode": "remote"})
    assert (await site.world.workspace()).agent_pool_id is None
    assert "Agent pool site was deleted." in await site.owner.post(pool, {"deed": "delete"})


async def at_work(site: Site, pool: str) -> tuple[str, str]:
    """Create a run for the pool and let an agent of it be there; return their ids."""
    settings, name = f"{await site.place()}/settings", (await site.world.workspace()).name
    mode = f"agent:{pool.rpartition('/')[2]}"
    await site.owner.post(settings, {"name": name, "execution_mode": mode})
    run_id = await site.world.create()
    async with transaction(site.world.platform.sessions) as session:
        actor = await tokens.authenticate_agent(session, await make_token(site, pool))
        own = agent_id(actor, new_secret())
        await say_present(session, actor, own, Description(name="box-1", version=__version__))
    return run_id, own


async def begin(site: Site, pool: str, own: str) -> PhaseJob:
    pool_id, platform = pool.rpartition("/")[2], site.world.platform
    offer = await agent_attempts.next_offer(platform, pool_id)
    assert offer is not None
    job = await agent_attempts.begin(
        platform,
        Choice(version="1.11.4"),
        phase_id=offer.phase_id,
        pool_id=pool_id,
        agent_id=own,
    )
    assert job is not None
    return job


async def test_the_page_of_a_run_names_the_agent_that_planned_it(site: Site) -> None:
    pool = await make_pool(site)
    run_id, own = await at_work(site, pool)
    page = f"{await site.place()}/runs/{run_id}"
    assert "by agent" not in text_of(await site.owner.get(page))
    job = await begin(site, pool, own)
    assert "by agent box-1 of pool site" in text_of(await site.owner.get(page))
    await attempts.finish(site.world.platform, job, PhaseResult(outcome=Outcome.ERRORED))
    assert "errored, by agent box-1 of pool site" in text_of(await site.owner.get(page))


async def test_a_pool_shows_what_its_agents_do_as_they_do_it(site: Site) -> None:
    pool = await make_pool(site)
    _, own = await at_work(site, pool)
    async with (
        following(site, site.owner, pool) as stream,
        following(site, site.owner, pool.rpartition("/")[0]) as listed,
    ):
        job = await begin(site, pool, own)
        await stream.says("Busy")
        await attempts.finish(site.world.platform, job, PhaseResult(outcome=Outcome.ERRORED))
        await stream.says("Idle")
        async with transaction(site.world.platform.sessions) as session:
            await say_farewell(session, own, Farewell.EXITED)
        await stream.says("Exited")
        await listed.says("None connected")


async def test_a_pool_is_narrowed_to_workspaces_and_projects_by_name(site: Site) -> None:
    pool, name = await make_pool(site), (await site.world.workspace()).name
    shown = await site.owner.post(
        pool, {"name": "narrow", "allowed_workspaces": f"{name.upper()}\r\n"}
    )
    assert "Saved." in shown
    assert re.search(rf'name="allowed_workspaces"[^>]*>{name}</textarea>', shown)
    assert "On agents of narrow" in await site.owner.get(f"{await site.place()}/settings")
    shown = await site.owner.post(pool, {"name": "narrow", "excluded_workspaces": name})
    assert "On agents of narrow" not in await site.owner.get(f"{await site.place()}/settings")
    refused = await site.owner.post(
        pool, {"name": "narrow", "allowed_projects": "nowhere"}, status=422
    )
    assert "There is no project nowhere here." in text_of(refused)


async def test_new_workspaces_run_on_agents_where_the_organization_says_so(site: Site) -> None:
    pool_id = (await make_pool(site)).rpartition("/")[2]
    path = f"/organizations/{site.world.organization}/settings"
    sent = {"name": site.world.organization, "default_execution_mode": f"agent:{pool_id}"}
    shown = await site.owner.post(path, sent)
    assert f'value="agent:{pool_id}" selected' in shown
    sent["default_execution_mode"] = "remote"
    assert 'value="remote" selected' in await site.owner.post(path, sent)
