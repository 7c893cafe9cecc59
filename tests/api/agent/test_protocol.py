"""What agents say to the platform, and what it lets them: their own phases, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from landform import __version__
from landform.access import tokens as access_tokens
from landform.agents.models import Agent as AgentRow
from landform.api.agent import PREFIX
from landform.contract import Outcome, Phase, PhaseJob
from landform.dispatch.models import LeaseState
from landform.dispatch.service import AGENTS_CHANNEL, ORDERS_CHANNEL
from landform.edge.allowances import Allowances
from landform.identity.models import ApiToken
from landform.kit.clock import now
from landform.kit.db import transaction
from tests.api.tfe.server import LIMIT_BYTES, Server, open_server
from tests.files import make_state
from tests.runs.pools import Member, Pool
from tests.world import World


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    async with open_server(app, world, database_url) as opened:
        yield opened


@pytest.fixture
async def pool(world: World) -> Pool:
    return await Pool.make(world)


@pytest.fixture
async def far(pool: Pool) -> World:
    return await pool.workspace()


SELF = {"name": "box", "version": __version__, "sandbox": "none"}


class Agent:
    """An agent that is driven by hand."""

    def __init__(self, server: Server, member: Member, *, token: str = "") -> None:
        self.http = server.http
        self.member = member
        self.token = token or member.pool.token

    async def ask(self, method: str, path: str, **sent: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Landform-Agent": self.member.secret}
        return await self.http.request(method, f"{PREFIX}{path}", headers=headers, **sent)

    async def introduce(self) -> "Agent":
        answer = await self.ask("PUT", "/agent", json=SELF)
        assert answer.json()["agent_id"] == self.member.id
        return self

    async def take(self) -> PhaseJob:
        offer = (await self.ask("GET", "/jobs?wait_s=0")).json()
        path = f"/jobs/{offer['phase_id']}/lease"
        taken = await self.ask("POST", path, json={"version": "1.11.4"})
        assert taken.status_code == 200, taken.text
        return PhaseJob.model_validate_json(taken.content)

    async def of(self, job: PhaseJob, method: str, path: str, **sent: Any) -> httpx2.Response:
        return await self.ask(method, f"/attempts/{job.phase_id}/{job.epoch}{path}", **sent)


async def until_awaited(server: Server, channel: str, payload: str) -> None:
    """Return when a request waits for such a notification."""
    async with asyncio.timeout(60):
        while (channel, payload) not in server.process.listener._waiters:  # noqa: ASYNC110 - nobody else tells
            await asyncio.sleep(0.01)


async def joined(server: Server, pool: Pool) -> Agent:
    return await Agent(server, Member(pool)).introduce()


CALLS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "renew": ("POST", "/renew", {}),
    "orders": ("GET", "/orders?wait_s=0", {}),
    "fetch": ("GET", "/inputs/configuration", {}),
    "put": ("PUT", "/outputs/plan-json", {"content": b"{}"}),
    "log": ("PUT", "/logs/text?offset=0", {"content": b"mine"}),
    "state": ("PUT", "/state?final=true", {"content": make_state(1)}),
    "offer": ("POST", "/offered-states", {"content": make_state(1)}),
    "created": ("PUT", "/created", {"json": [{"address": "null_resource.a"}]}),
    "finish": ("POST", "/finish", {"json": {"outcome": "finished"}}),
    "forfeit": ("POST", "/forfeit", {}),
}


async def test_an_agent_takes_a_phase_and_says_all_that_a_worker_does(
    server: Server, pool: Pool, far: World
) -> None:
    agent = await joined(server, pool)
    run_id = await far.create(auto_apply=True)
    job = await agent.take()
    assert (job.run_id, job.phase, job.version) == (run_id, Phase.PLAN, "1.11.4")
    assert (await agent.of(job, "GET", "/inputs/configuration")).content[:2] == b"\x1f\x8b"
    assert (await agent.of(job, "GET", "/inputs/state")).status_code == 204
    assert (await agent.of(job, "POST", "/renew")).json() == {"stop": "no"}
    await agent.of(job, "PUT", "/logs/text?offset=0", content=b"planning\n")
    await agent.of(job, "PUT", "/outputs/plan", content=b"the plan")
    done = {"outcome": "finished", "has_changes": True}
    assert (await agent.of(job, "POST", "/finish", json=done)).status_code == 204
    assert (await agent.of(job, "POST", "/finish", json=done)).status_code == 204  # once
    assert await far.log(run_id) == b"planning\n"
    job = await agent.take()
    assert job.phase is Phase.APPLY
    assert (await agent.of(job, "GET", "/inputs/plan")).content == b"the plan"
    saved = await agent.of(job, "PUT", "/state?final=true", content=make_state(1))
    assert saved.status_code == 204
    await agent.of(job, "POST", "/finish", json={"outcome": "finished"})
    assert await far.status(run_id) == "applied"
    assert (await far.current_state()).serial == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_what_one_agent_holds_no_other_touches(
    server: Server, pool: Pool, far: World, call: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, sent = call
    holder, colleague = await joined(server, pool), await joined(server, pool)
    stranger = await joined(server, await Pool.make(pool.world))
    await far.create(auto_apply=True)
    plan = await holder.take()
    await far.finish(plan)
    job = await holder.take()
    before = await far.snapshot()
    refused = await colleague.of(job, method, path, **sent)
    assert (refused.status_code, refused.json()["kind"]) == (409, "lost-lease")
    refused = await stranger.of(job, method, path, **sent)
    assert (refused.status_code, refused.json()["kind"]) == (404, "not-found")
    refused = await holder.of(job.model_copy(update={"epoch": 2}), method, path, **sent)
    assert refused.json()["kind"] == "lost-lease"
    refused = await holder.of(job.model_copy(update={"phase_id": "apply-x"}), method, path, **sent)
    assert refused.status_code == 404
    assert await far.snapshot() == before


async def test_an_agent_is_offered_its_own_pools_phases_only(
    server: Server, pool: Pool, far: World
) -> None:
    ordinary, of_pool = await pool.world.create(), await far.create()
    stranger, agent = await joined(server, await Pool.make(pool.world)), await joined(server, pool)
    assert (await stranger.ask("GET", "/jobs?wait_s=0")).status_code == 204
    for run_id in (ordinary, of_pool):
        path = f"/jobs/{far.phase_id(run_id, Phase.PLAN)}/lease"
        assert (await stranger.ask("POST", path, json={"version": "1.11.4"})).status_code == 204
    path = f"/jobs/{far.phase_id(ordinary, Phase.PLAN)}/lease"
    assert (await agent.ask("POST", path, json={"version": "1.11.4"})).status_code == 204
    assert (await agent.take()).run_id == of_pool
    assert (await pool.world.lease(ordinary)).state is LeaseState.QUEUED


async def test_an_agent_that_waits_hears_of_a_run_at_once(
    server: Server, pool: Pool, far: World
) -> None:
    agent = await joined(server, pool)
    waiting = asyncio.create_task(agent.ask("GET", "/jobs?wait_s=30"))
    await until_awaited(server, AGENTS_CHANNEL, pool.id)
    run_id = await far.create()
    answer = await asyncio.wait_for(waiting, 25)  # unheard, it would come after 30 s
    assert answer.json()["phase_id"] == far.phase_id(run_id, Phase.PLAN)


async def test_an_order_wakes_the_agent_that_holds_the_phase(
    server: Server, pool: Pool, far: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landform.api.agent.attempts.wait", lambda event, _: event.wait())
    agent = await joined(server, pool)
    run_id = await far.create()
    job = await agent.take()
    waiting = asyncio.create_task(agent.of(job, "GET", "/orders"))  # which waits without an end
    await until_awaited(server, ORDERS_CHANNEL, job.phase_id)
    await far.cancel(run_id)
    await asyncio.wait_for(waiting, 60)
    assert (await agent.of(job, "POST", "/renew")).json() == {"stop": "interrupt"}


async def withdraw(pool: Pool) -> None:
    async with transaction(pool.world.platform.sessions) as session:
        await access_tokens.revoke(session, pool.world.owner, pool.token_id)


async def expire(pool: Pool) -> None:
    async with transaction(pool.world.platform.sessions) as session:
        (await session.get_one(ApiToken, pool.token_id)).expires_at = now()


@pytest.mark.parametrize("end", [withdraw, expire])
async def test_a_token_that_ends_in_the_middle_of_a_phase_ends_the_attempt_and_doubles_nothing(
    server: Server, pool: Pool, far: World, end: Any
) -> None:
    agent = await joined(server, pool)
    run_id = await far.create()
    job = await agent.take()
    await end(pool)
    for method, path, sent in CALLS.values():
        refused = await agent.of(job, method, path, **sent)
        assert (refused.status_code, refused.json()["kind"]) == (401, "unauthenticated")
    assert (await agent.ask("GET", "/jobs?wait_s=0")).status_code == 401
    await far.expire(job)
    assert await far.sweep() == 1
    async with transaction(far.platform.sessions) as session:
        _, token = await access_tokens.issue_for_pool(
            session, far.owner, pool.id, description="another"
        )
    renewed = Agent(server, agent.member, token=token)
    late = await renewed.of(job, "POST", "/finish", json={"outcome": "finished"})
    assert late.json()["kind"] == "lost-lease"
    again = await renewed.take()
    assert (again.run_id, again.epoch) == (run_id, job.epoch + 1)


async def test_an_agent_that_comes_back_hands_over_a_state_it_could_not_and_no_other_does(
    server: Server, pool: Pool, far: World
) -> None:
    agent = await joined(server, pool)
    run_id = await far.create(auto_apply=True)
    await far.finish(await agent.take())
    job = await agent.take()
    await far.expire(job)
    await far.sweep()
    assert await far.status(run_id) == "errored"
    refused = await agent.of(job, "PUT", "/state?final=true", content=make_state(1))
    assert refused.json()["kind"] == "lost-lease"
    colleague = await joined(server, pool)
    refused = await colleague.of(job, "POST", "/offered-states", content=make_state(1))
    assert refused.json()["kind"] == "lost-lease"
    again = await Agent(server, replace(agent.member)).introduce()  # a new process, its old secret
    offered = await again.of(job, "POST", "/offered-states", content=make_state(1))
    assert offered.status_code == 204


async def test_bodies_are_bounded(server: Server, pool: Pool, far: World) -> None:
    agent = await joined(server, pool)
    await far.create()
    job = await agent.take()
    for path, size in (("/outputs/plan", 2 * LIMIT_BYTES), ("/logs/text?offset=0", 1 << 20)):
        refused = await agent.of(job, "PUT", path, content=b"x" * (size + 1))
        assert (refused.status_code, refused.json()["kind"]) == (413, "too-large")
    refused = await agent.of(job, "POST", "/finish", content=b"x" * (9 << 20))
    assert refused.status_code == 413
    refused = await agent.of(job, "POST", "/finish", json={"outcome": "splendid"})
    assert (refused.status_code, refused.json()["kind"]) == (400, "malformed")
    assert (await far.lease(job.run_id)).state is LeaseState.LEASED


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"version": "1.5.0"}, "but 1.11.4 was asked for"),
        ({"version": "newest"}, "is not a version"),
        ({"problem": "No Terraform here satisfies it."}, "No Terraform here satisfies it."),
    ],
)
async def test_an_agent_without_the_version_that_was_asked_for_ends_the_run_with_words(
    server: Server, pool: Pool, far: World, choice: dict[str, str], says: str
) -> None:
    agent = await joined(server, pool)
    run_id = await far.create(terraform_version="1.11.4")
    path = f"/jobs/{far.phase_id(run_id, Phase.PLAN)}/lease"
    assert (await agent.ask("POST", path, json=choice)).status_code == 204
    run = await far.run(run_id)
    assert run.status == "errored"
    assert says in run.error


async def test_who_is_no_agent_is_told_so(server: Server, pool: Pool) -> None:
    agent = Agent(server, Member(pool), token=server.owner.token)
    refused = await agent.ask("GET", "/jobs?wait_s=0")
    assert (refused.status_code, refused.json()["kind"]) == (401, "unauthenticated")
    nameless = Agent(server, Member(pool, secret="guess"))
    assert (await nameless.ask("GET", "/jobs?wait_s=0")).status_code == 401
    unknown = Agent(server, Member(pool))
    far = await pool.workspace()
    run_id = await far.create()
    path = f"/jobs/{far.phase_id(run_id, Phase.PLAN)}/lease"
    assert (await unknown.ask("POST", path, json={"version": "1.11.4"})).status_code == 409
    assert (await far.lease(run_id)).state is LeaseState.QUEUED


async def test_a_phase_that_ends_by_its_agents_fault_is_told_as_a_workers_is(
    server: Server, pool: Pool, far: World
) -> None:
    agent = await joined(server, pool)
    run_id = await far.create()
    job = await agent.take()
    result = {"outcome": Outcome.ERRORED, "error": "It broke."}
    await agent.of(job, "POST", "/finish", json=result)
    assert (await far.run(run_id)).error == "It broke."


async def test_an_agent_of_another_version_takes_nothing_and_ends_what_it_had(
    server: Server, pool: Pool, far: World
) -> None:
    agent = await joined(server, pool)
    first, second = [await far.create(plan_only=True) for _ in range(2)]
    job = await agent.take()
    async with transaction(far.platform.sessions) as session:  # the platform was upgraded
        (await session.get_one(AgentRow, agent.member.id)).version = "0.0.9"
    path = f"/jobs/{far.phase_id(second, Phase.PLAN)}/lease"
    refused = await agent.ask("POST", path, json={"version": "1.11.4"})
    assert (refused.status_code, refused.json()["kind"]) == (409, "conflict")
    refused = await agent.ask("PUT", "/agent", json={**SELF, "version": "0.0.9"})
    assert "run an agent of the platform's version" in refused.json()["message"]
    assert (await far.lease(second)).state is LeaseState.QUEUED
    await agent.of(job, "POST", "/finish", json={"outcome": "finished"})
    assert (await far.run(first)).status == "planned_and_finished"


async def test_agents_are_not_counted_and_who_only_looks_like_one_is(
    server: Server, pool: Pool
) -> None:
    server.with_limits(allowances=Allowances(3, clock=lambda: 0.0))  # of one second
    agent = await joined(server, pool)
    answers = [await agent.ask("GET", "/jobs?wait_s=0") for _ in range(20)]
    assert {each.status_code for each in answers} == {204}
    await withdraw(pool)
    guess = Agent(server, agent.member, token=f"lfa_{'x' * 43}")
    for asking in (agent, guess, Agent(server, agent.member, token=server.owner.token)):
        answers = [await asking.ask("GET", "/jobs?wait_s=0") for _ in range(6)]
        assert {each.status_code for each in answers} <= {401, 429}
        assert (answers[-1].status_code, answers[-1].json()["kind"]) == (429, "too-many")
