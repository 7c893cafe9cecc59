"""The audit trail says which secrets an attempt was given, by name, and never what they are."""

from dataclasses import replace
from typing import Any

from landform.contract import Phase
from landform.kit.db import transaction
from landform.runs import queries
from landform.runs.models import Run
from landform.variables.service import VariableSettings, create_variable
from landform.workspaces.models import Workspace
from tests.runs.test_module_access import key
from tests.world import World

__all__ = ["key"]  # a fixture

URL = "https://landform.example.com"
ROLE = "arn:aws:iam::123456789012:role/landform"


async def give(world: World, key: str, value: str, *, sensitive: bool) -> None:
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        settings = VariableSettings(key=key, value=value, category="env", sensitive=sensitive)
        await create_variable(session, world.platform.keyring, world.owner, workspace, settings)


async def told(world: World, run_id: str) -> list[dict[str, Any]]:
    return [e.payload for e in await world.events(run_id) if e.name == "SecretsGiven"]


async def test_each_phase_that_gets_sensitive_variables_is_told_with_their_keys(
    world: World,
) -> None:
    await give(world, "DATADOG_API_KEY", "hunter2-of-datadog", sensitive=True)
    await give(world, "REGION", "eu-west-1", sensitive=False)
    run_id = await world.create()
    await world.plan(run_id)
    await world.confirm(run_id)
    await world.must_begin(run_id, Phase.APPLY)
    found = await told(world, run_id)
    assert [(each["phase"], each["variables"]) for each in found] == [
        ("plan", ["DATADOG_API_KEY"]),
        ("apply", ["DATADOG_API_KEY"]),
    ]
    assert "hunter2" not in str([each.payload for each in await world.events(run_id)])
    async with transaction(world.platform.sessions) as session:
        shown = await queries.events_of(session, await session.get_one(Run, run_id))
    assert "DATADOG_API_KEY" not in str([each.payload for each in shown]), "for auditors only"


async def test_identity_tokens_are_told_by_their_audience(world: World) -> None:
    world.platform = replace(world.platform, public_url=URL)
    await give(world, "TFC_AWS_PROVIDER_AUTH", "true", sensitive=False)
    await give(world, "TFC_AWS_RUN_ROLE_ARN", ROLE, sensitive=False)
    run_id = await world.create()
    job = await world.must_begin(run_id, Phase.PLAN)
    [given] = await told(world, run_id)
    assert (given["phase"], given["audiences"]) == ("plan", ["aws.workload.identity"])
    assert all(secret not in str(given) for secret in job.credentials.secrets)


async def test_the_key_that_modules_are_fetched_by_is_told(world: World, key: str) -> None:
    run_id = await world.create()
    await world.must_begin(run_id, Phase.PLAN)
    [given] = await told(world, run_id)
    assert given["ssh_key_id"] == (await world.workspace()).ssh_key_id
    assert key not in str(given)


async def test_a_phase_without_secrets_tells_of_none(world: World) -> None:
    await give(world, "REGION", "eu-west-1", sensitive=False)
    run_id = await world.create()
    await world.must_begin(run_id, Phase.PLAN)
    assert await told(world, run_id) == []
