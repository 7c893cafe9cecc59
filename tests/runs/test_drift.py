"""What a plan found changed outside of terraform stands until a plan looks again, or an apply."""

from typing import Any

import pytest

from landform.contract import Counts, Outcome
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import overview
from landform.runs.overview import Standing
from tests.world import World


async def drift(world: World) -> tuple[int, str | None]:
    workspace = await world.workspace()
    return workspace.drifted, workspace.drift_run_id


async def found(world: World, drifted: int, **run: Any) -> str:
    """Have a plan find so many; return its run."""
    run_id = await world.create(**run)
    await world.plan(run_id, has_changes=bool(drifted), counts=Counts(drifted=drifted))
    return run_id


async def test_what_a_plan_finds_is_told_with_its_run(world: World) -> None:
    run_id = await found(world, 2, plan_only=True)
    assert await drift(world) == (2, run_id)
    async with transaction(world.platform.sessions) as session:
        owner = await session.get_one(Organization, world.organization_id)
        counts = await overview.count_by_standing(session, world.owner, owner)
    assert counts[Standing.DRIFTED] == 1


async def test_the_next_plan_that_looks_has_the_last_word(world: World) -> None:
    await found(world, 2, plan_only=True)
    run_id = await found(world, 1, plan_only=True)
    assert await drift(world) == (1, run_id)
    await found(world, 0, plan_only=True)
    assert await drift(world) == (0, None)


async def test_an_apply_has_dealt_with_it(world: World) -> None:
    run_id = await found(world, 1)
    assert await drift(world) == (1, run_id)
    await world.confirm(run_id)
    await world.apply(run_id)
    assert await drift(world) == (0, None)


@pytest.mark.parametrize(
    "run", [{"refresh": False}, {"target_addrs": ("terraform_data.one",)}], ids=str
)
async def test_a_plan_that_did_not_look_at_all_of_it_takes_nothing_back(
    world: World, run: dict[str, Any]
) -> None:
    first = await found(world, 2, plan_only=True)
    await found(world, 0, plan_only=True, **run)
    assert await drift(world) == (2, first)


async def test_a_plan_that_failed_found_nothing_out(world: World) -> None:
    first = await found(world, 2, plan_only=True)
    run_id = await world.create(plan_only=True)
    job = await world.must_begin(run_id)
    await world.finish(job, Outcome.ERRORED, counts=Counts(drifted=5), error="It failed.")
    assert await drift(world) == (2, first)
