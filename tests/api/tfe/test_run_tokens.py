"""What the terraform of a run may ask the platform, and for how long."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import text

from landform.contract import Outcome, Phase, PhaseJob
from landform.identity import run_tokens
from landform.kit.db import transaction
from landform.kit.errors import UnauthenticatedError
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.runs.models import Run
from landform.runs.service import FORCE_CANCEL_AFTER, force_cancel
from landform.workspaces import sharing
from landform.workspaces.models import Workspace
from tests import factories
from tests.api.tfe.people import Caller
from tests.api.tfe.server import Server, signed
from tests.files import make_state, output
from tests.world import World

STATE = make_state(1, outputs={"color": output("red"), "secret": output("hush", sensitive=True)})


async def run_of(world: World, phase: Phase = Phase.PLAN) -> PhaseJob:
    """Begin a phase of a new run; its job has the token."""
    run_id = await world.create(auto_apply=True)
    if phase is Phase.APPLY:
        await world.plan(run_id)
    return await world.must_begin(run_id, phase)


async def save(world: World) -> None:
    """Give the workspace a state by an apply."""
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    await world.apply(run_id, STATE)


async def works(world: World, token: str) -> bool:
    try:
        async with transaction(world.platform.sessions) as session:
            await run_tokens.authenticate(session, token)
    except UnauthenticatedError:
        return False
    return True


async def canceled(world: World, job: PhaseJob) -> None:
    await world.cancel(job.run_id)
    async with transaction(world.platform.sessions) as session:
        run = await session.get_one(Run, job.run_id)
        run.cancel_asked_at = run.created_at - FORCE_CANCEL_AFTER
    await world.say(force_cancel, job.run_id)  # the worker is told
    await world.say(force_cancel, job.run_id)  # and does not do it


async def swept(world: World, job: PhaseJob) -> None:
    await world.expire(job)
    assert await world.sweep() == 1


ENDS: dict[str, Callable[[World, PhaseJob], Awaitable[object]]] = {
    "it finished": lambda world, job: world.finish(job),
    "it failed": lambda world, job: world.finish(job, Outcome.ERRORED),
    "its worker went silent": swept,
    "its worker ended": lambda world, job: attempts.forfeit(world.platform, job),
    "it was ended by force": canceled,
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_the_token_of_an_attempt_is_refused_once(
    world: World, phase: Phase, end: Callable[[World, PhaseJob], Awaitable[object]]
) -> None:
    job = await run_of(world, phase)
    assert await works(world, job.token)
    await end(world, job)
    assert not await works(world, job.token)


async def test_every_attempt_and_every_phase_has_a_token_of_its_own(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    first = await world.must_begin(run_id)
    await swept(world, first)
    second = await world.must_begin(run_id)
    assert await works(world, second.token)
    await world.finish(second)
    apply = await world.must_begin(run_id, Phase.APPLY)
    assert len({first.token, second.token, apply.token}) == 3
    assert [await works(world, job.token) for job in (first, second, apply)] == [
        False,
        False,
        True,
    ]


async def test_the_token_is_stored_as_a_hash_and_is_in_no_event_and_no_text(world: World) -> None:
    job = await run_of(world)
    assert job.token.startswith("lfr_")
    assert job.token not in repr(job)
    async with transaction(world.platform.sessions) as session:
        rows = (await session.execute(text("SELECT row_to_json(t)::text FROM run_tokens t"))).all()
        told = (await session.execute(text("SELECT payload::text FROM events"))).all()
    assert len(rows) == 1
    assert job.token not in str(rows)
    assert job.token not in str(told)


async def test_a_run_reads_its_own_state(server: Server) -> None:
    world = server.world
    await save(world)
    job = await run_of(world)
    await reads_outputs(server, job, world)


@pytest.mark.parametrize("shared_with", ["all", "its workspace"])
async def test_a_run_reads_the_state_that_is_shared_with(server: Server, shared_with: str) -> None:
    source = await source_of(server.world, global_remote_state=shared_with == "all")
    if shared_with == "its workspace":
        await source.on_workspace(sharing.add_consumers, ids=[server.world.workspace_id])
    await reads_outputs(server, await run_of(server.world), source)


async def test_a_run_reads_what_is_shared_within_its_project_and_not_what_another_project_does(
    server: Server,
) -> None:
    source = await source_of(server.world, project_remote_state=True)
    run = caller_of(server, await run_of(server.world))
    path = f"workspaces/{source.workspace_id}/current-state-version"
    await run.get(path)
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        project = await factories.make_project(session, organization, "elsewhere")
        row = await session.get_one(Workspace, source.workspace_id)
        row.project_id = project.id
    await run.get(path, 404)


async def test_a_run_may_not_even_know_of_a_workspace_that_shares_with_others(
    server: Server,
) -> None:
    source = await source_of(server.world)
    third = await server.world.beside()
    await source.on_workspace(sharing.add_consumers, ids=[third.workspace_id])
    run = caller_of(server, await run_of(server.world))
    name = (await source.workspace()).name
    for path in (
        f"organizations/{source.organization}/workspaces/{name}",
        f"workspaces/{source.workspace_id}/current-state-version",
        f"workspaces/{source.workspace_id}/current-state-version-outputs",
        f"state-versions/{(await source.current_state()).id}",
    ):
        await run.get(path, 404)


async def test_a_run_may_not_even_know_of_another_organization(server: Server) -> None:
    source = await World.make(
        server.world.platform, global_remote_state=True, project_remote_state=True
    )
    await save(source)
    run = caller_of(server, await run_of(server.world))
    for path in (
        f"organizations/{source.organization}/entitlement-set",
        f"workspaces/{source.workspace_id}",
        f"workspaces/{source.workspace_id}/current-state-version",
    ):
        await run.get(path, 404)


async def test_sharing_that_ends_ends_what_a_run_may_read(server: Server) -> None:
    source = await source_of(server.world)
    await source.on_workspace(sharing.add_consumers, ids=[server.world.workspace_id])
    run = caller_of(server, await run_of(server.world))
    path = f"workspaces/{source.workspace_id}/current-state-version"
    await run.get(path)
    await source.on_workspace(sharing.remove_consumers, ids=[server.world.workspace_id])
    await run.get(path, 404)


async def test_a_token_whose_phase_is_over_is_told_so(server: Server) -> None:
    job = await run_of(server.world)
    await server.world.finish(job)
    answer = await caller_of(server, job).get("organizations", 401)
    assert "only while its plan or apply runs" in answer["errors"][0]["detail"]


OPEN = {
    "/api/v1/organization",  # and there is none in it
    "/api/v1/workspace/{workspace_id}",
    "/api/v2/account/details",
    "/api/v2/organization-memberships",  # none
    "/api/v2/github-app/installations",  # none
    "/api/v2/organizations",  # and there is none in it
    "/api/v2/organizations/{name}",
    "/api/v2/organizations/{name}/entitlement-set",
    "/api/v2/organizations/{name}/capacity",
    "/api/v2/organizations/{organization}/projects",  # none
    "/api/v2/organizations/{name}/runs",  # none
    "/api/v2/organizations/{name}/runs/queue",  # none
    "/api/v2/organizations/{organization}/teams",  # none
    "/api/v2/organizations/{organization}/varsets",  # none
    "/api/v2/organizations/{organization}/workspaces",  # none
    "/api/v2/organizations/{organization}/workspaces/{name}",
    "/api/v2/workspaces/{workspace_id}",
    "/api/v2/workspaces/{workspace_id}/current-state-version",
    "/api/v2/workspaces/{workspace_id}/current-state-version-outputs",
    "/api/v2/workspaces/{workspace_id}/effective-tag-bindings",
    "/api/v2/workspaces/{workspace_id}/relationships/remote-state-consumers",  # none
    "/api/v2/workspaces/{workspace_id}/relationships/tags",
    "/api/v2/workspaces/{workspace_id}/state-versions",
    "/api/v2/workspaces/{workspace_id}/tag-bindings",
    "/api/v2/state-versions/{state_version_id}",
    "/api/v2/state-versions/{state_version_id}/outputs",
    "/api/v2/state-version-outputs/{output_id}",
}
"""All that answers a run that asks for what is of a workspace which shares its state with it."""

EMPTY = (
    "/api/v1/organization",
    *("/runs", "/queue", "/teams", "/workspaces", "/projects", "/organizations", "/varsets"),
    *("/organization-memberships", "/remote-state-consumers", "/github-app/installations"),
)


async def test_a_run_gets_nothing_but_state_of_a_workspace_that_shares_it(server: Server) -> None:
    source = await source_of(server.world, global_remote_state=True)
    known = await names_of(server, source)
    run = caller_of(server, await run_of(server.world))
    answered = {}
    for method, path in routes(server):
        if method == "get":
            answer = await run.http.get(
                address(path, known), headers={"Authorization": f"Bearer {run.token}"}
            )
            if answer.status_code < 400:
                answered[path] = answer.text
    assert set(answered) == OPEN
    for path in answered:
        if path.endswith(EMPTY):
            assert json.loads(answered[path])["data"] == [], path


async def test_a_run_changes_nothing(server: Server) -> None:
    source = await source_of(server.world, global_remote_state=True)
    known = await names_of(server, source)
    run = caller_of(server, await run_of(server.world))
    before = await but_for_refusals(source)
    for method, path in routes(server):
        if method != "get":
            answer = await run.http.request(
                method.upper(),
                address(path, known),
                json={"data": {"attributes": {"name": "x", "key": "x", "value": "x"}}},
                headers={"Authorization": f"Bearer {run.token}"},
            )
            assert answer.status_code >= 400, (method, path, answer.text)
    assert await but_for_refusals(source) == before


async def but_for_refusals(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, without the events that tell of refused attempts."""
    rows = await world.snapshot()
    return {**rows, "events": [row for row in rows["events"] if "AccessDenied" not in row]}


def routes(server: Server) -> list[tuple[str, str]]:
    """Return method and path of every route of the API."""
    paths = server.app.openapi()["paths"].items()
    found = [(method, path) for path, methods in paths for method in methods]
    assert len(found) > 100
    return found


def address(path: str, known: Mapping[str, str]) -> str:
    """Return a route's path with what its parameters stand for."""
    of_organization = path.replace("/organizations/{name}", "/organizations/{organization}")
    return of_organization.format_map(known)


async def source_of(world: World, **settings: Any) -> World:
    """Return another workspace of the organization, which has a state."""
    source = await world.beside(**settings)
    await save(source)
    return source


async def names_of(server: Server, world: World) -> Mapping[str, str]:
    """Return what is of a workspace by the names that routes have for it."""
    job = await run_of(world)
    workspace, state = await world.workspace(), await world.current_state()
    outputs = await server.read(f"state-versions/{state.id}/outputs")
    async with transaction(world.platform.sessions) as session:
        row = await session.get_one(Workspace, world.workspace_id)
        team = await factories.make_team(
            session,
            await session.get_one(Organization, row.organization_id),
            visibility="organization",
        )
        await factories.grant(session, team, row, "read")
    names = {
        "organization": world.organization,
        "name": workspace.name,
        "workspace_id": workspace.id,
        "project_id": workspace.project_id,
        "run_id": job.run_id,
        "plan_id": job.phase_id,
        "apply_id": world.phase_id(job.run_id, Phase.APPLY),
        "configuration_id": world.configuration_id,
        "state_version_id": state.id,
        "output_id": outputs["data"][0]["id"],
        "team_id": team.id,
        "user_id": world.owner.id,
    }
    return defaultdict(lambda: "x", names)


async def reads_outputs(server: Server, job: PhaseJob, source: World) -> None:
    """Read a state as `terraform_remote_state` and the tfe provider's `tfe_outputs` do."""
    run = caller_of(server, job)
    await run.get(f"organizations/{source.organization}/entitlement-set")
    name = (await source.workspace()).name
    workspace = await run.get(f"organizations/{source.organization}/workspaces/{name}")
    path = f"workspaces/{workspace['data']['id']}"
    state = await run.get(f"{path}/current-state-version")
    address = state["data"]["attributes"]["hosted-state-download-url"]
    raw = await server.http.get(signed(address))
    assert raw.json() == json.loads(STATE)
    outputs = await run.get(f"{path}/current-state-version-outputs")
    workspace = await run.get(
        f"organizations/{source.organization}/workspaces/{name}", include="outputs"
    )
    for rows in (outputs["data"], workspace["included"]):
        values = {}
        for row in rows:
            if row["attributes"]["sensitive"]:
                row = (await run.get(f"state-version-outputs/{row['id']}"))["data"]  # noqa: PLW2901
            values[row["attributes"]["name"]] = row["attributes"]["value"]
        assert values == {"color": "red", "secret": "hush"}


def caller_of(server: Server, job: PhaseJob) -> Caller:
    return Caller(job.run_id, job.run_id, job.token, server.http)
