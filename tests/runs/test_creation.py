"""What may be asked of a new run, and by whom."""

from typing import Any

import pytest
from sqlalchemy import text

from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.runs.creation import RunVariable
from landform.workspaces.models import ExecutionMode
from tests import factories
from tests.files import make_state
from tests.world import World


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"refresh_only": True, "is_destroy": True}, "refresh-only"),
        ({"refresh_only": True, "refresh": False}, "refresh-only"),
        ({"replace_addrs": ["a.b"], "is_destroy": True}, "replace-addrs"),
        ({"replace_addrs": ["a.b"], "refresh_only": True}, "replace-addrs"),
        ({"target_addrs": [""]}, "target-addrs"),
        ({"target_addrs": ["a.b\n-auto-approve"]}, "target-addrs"),
        ({"target_addrs": ["a.b"] * 600, "replace_addrs": ["a.b"] * 600}, "target-addrs"),
        ({"replace_addrs": ["x" * 2049]}, "target-addrs"),
        ({"variables": [RunVariable("2fast", "1")]}, "variables"),
        ({"variables": [RunVariable("a=b", "1")]}, "variables"),
        ({"variables": [RunVariable("big", "x" * (256 * 1024 + 1))]}, "variables"),
        ({"variables": [RunVariable("one", "1")] * 501}, "variables"),
    ],
)
async def test_options_that_cannot_be_are_refused_by_name(
    world: World, options: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidError) as refusal:
        await world.create(**options)
    assert refusal.value.pointer == f"/data/attributes/{pointer}"
    assert await world.runs() == []


async def test_a_version_that_is_no_version_is_refused(world: World) -> None:
    with pytest.raises(InvalidError, match="newest please"):
        await world.create(terraform_version="newest please")


async def test_destroy_needs_a_workspace_that_allows_it_but_may_be_looked_at(
    world: World,
) -> None:
    other = await world.beside(allow_destroy_plan=False)
    with pytest.raises(InvalidError, match="does not allow destroy plans"):
        await other.create(is_destroy=True)
    run_id = await other.create(is_destroy=True, plan_only=True)
    assert (await other.must_begin(run_id)).options.is_destroy


async def test_a_workspace_that_runs_elsewhere_refuses_runs(world: World) -> None:
    other = await world.beside(execution_mode=ExecutionMode.LOCAL)
    with pytest.raises(ConflictError, match="execution mode local"):
        await other.create()


async def test_a_run_without_a_configuration_takes_the_newest_that_can_be_applied(
    world: World,
) -> None:
    newest = await world.configure()
    await world.configure(speculative=True)
    await world.configure(provisional=True)
    await world.announce_configuration()
    run_id = await world.create(configuration_version_id=None)
    assert (await world.run(run_id)).configuration_version_id == newest


async def test_a_workspace_without_a_configuration_says_how_to_give_it_one(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        workspace = await factories.make_workspace(session)
        owner = await factories.make_owner(session, await factories.make_organization(session))
    empty = World(world.platform, world.organization_id, "", workspace.id, owner, "")
    with pytest.raises(NotFoundError):
        await empty.create(configuration_version_id=None)
    fresh = await world.beside()
    async with world.platform.sessions.begin() as session:
        await session.execute(text("DELETE FROM configuration_versions"))
    with pytest.raises(NotFoundError, match="no configuration yet"):
        await fresh.create(configuration_version_id=None)


async def test_another_workspace_s_configuration_is_refused(world: World) -> None:
    other = await world.beside()
    with pytest.raises(InvalidError, match="belongs to another workspace"):
        await world.create(configuration_version_id=other.configuration_id)


async def test_a_configuration_that_could_not_be_read_is_refused_with_the_reason(
    world: World,
) -> None:
    broken = await world.announce_configuration()
    with pytest.raises(InvalidError):
        await world.upload_configuration(broken, b"not an archive")
    with pytest.raises(InvalidError, match=r"is errored: .*gzip"):
        await world.create(configuration_version_id=broken)


async def test_who_may_only_read_cannot_queue_a_plan(world: World) -> None:
    async with world.platform.sessions.begin() as session:
        reader = await factories.make_actor(session, await world.workspace(), "read")
        stranger = await factories.make_owner(session, await factories.make_organization(session))
    with pytest.raises(ForbiddenError):
        await world.create(reader)
    with pytest.raises(NotFoundError):
        await world.create(stranger)
    assert await world.runs() == []


async def copy(world: World, run_id: str, count: int) -> None:
    """Make this many runs like the one, in the same status."""
    async with world.platform.sessions.begin() as session:
        await session.execute(
            text(
                """
                INSERT INTO runs OVERRIDING SYSTEM VALUE (
                SELECT (json_populate_record(runs, json_build_object(
                    'id', 'run-copy' || n, 'number', 1000000 + n))).*
                FROM runs, generate_series(1, :count) AS n WHERE id = :id)
                """
            ),
            {"id": run_id, "count": count},
        )


async def test_a_workspace_holds_no_endless_queue(world: World) -> None:
    await world.create()
    await copy(world, await world.create(), 498)
    with pytest.raises(ConflictError, match="500 runs that have not ended"):
        await world.create()
    await world.discard("run-copy7")
    await world.create()


async def test_saved_plans_do_not_fill_the_queue_and_are_discarded_some_at_a_time(
    world: World,
) -> None:
    saved = await world.create(save_plan=True)
    await world.plan(saved)
    await copy(world, saved, 1000)
    run_id = await world.create(auto_apply=True)
    await world.plan(run_id)
    await world.apply(run_id, make_state(1))
    left = [len([run for run in await world.runs() if run.status == "planned_and_saved"])]
    while left[-1]:
        await world.plan(await world.create(), has_changes=False)
        left.append(len([run for run in await world.runs() if run.status == "planned_and_saved"]))
    assert left == [801, 601, 401, 201, 1, 0]


async def test_a_long_message_is_cut(world: World) -> None:
    run_id = await world.create(message="x" * 5000)
    assert len((await world.run(run_id)).message) == 4096
