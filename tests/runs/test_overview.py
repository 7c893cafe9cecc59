"""Which runs workspaces are at is known by the database, whatever is written in which order."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from landform import schema
from landform.kit.db import transaction
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.runs import overview, queries
from landform.runs.overview import Standing
from landform.runs.queries import RunFilter
from tests import factories
from tests.world import World

FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'landform%' ORDER BY proname"
TRIGGERS = (
    "SELECT pg_get_triggerdef(oid) AS shown FROM pg_trigger"
    " WHERE NOT tgisinternal AND tgfoid::regproc::text LIKE 'landform%' ORDER BY shown"
)


async def current(world: World) -> list[str]:
    async with transaction(world.platform.sessions) as session:
        found = await session.execute(text("SELECT id FROM runs WHERE is_current ORDER BY number"))
        return [row[0] for row in found]


async def stands(world: World) -> tuple[dict[Standing, int], list[str]]:
    """Return how many stand how, and the runs that are shown."""
    async with transaction(world.platform.sessions) as session:
        owner = await session.get_one(Organization, world.organization_id)
        counts = await overview.count_by_standing(session, world.owner, owner)
        listed = await overview.list_with_runs(session, world.owner, owner, page=Page())
    return counts, [each.run.id for each in listed.items if each.run]


async def test_a_workspace_is_at_one_run_and_then_at_the_next(world: World) -> None:
    first, second = await world.create(), await world.create()
    assert await current(world) == [first]
    await world.plan(first, has_changes=False)
    assert await current(world) == [second]
    counts, shown = await stands(world)
    assert (counts[Standing.WORKING], sum(counts.values()), shown) == (1, 1, [second])


async def test_workspaces_without_a_run_are_counted_as_such(world: World) -> None:
    async with transaction(world.platform.sessions) as session:
        owner = await session.get_one(Organization, world.organization_id)
        await factories.make_workspace(session, owner, "empty")
    assert (await stands(world))[0][Standing.NEVER] == 2


async def test_a_run_that_is_written_after_its_workspace_is_current_too(world: World) -> None:
    run_id = await world.create(plan_only=True)
    assert await current(world) == []
    async with transaction(world.platform.sessions) as session:
        await _take_out(session, run_id)
        await session.execute(text("UPDATE workspaces SET current_run_id = :id"), {"id": run_id})
        await session.execute(text("INSERT INTO runs SELECT * FROM aside"))
    assert await current(world) == [run_id]
    async with transaction(world.platform.sessions) as session:
        await session.execute(text("UPDATE workspaces SET current_run_id = NULL"))
    assert await current(world) == []


async def _take_out(session: AsyncSession, run_id: str) -> None:
    for statement in (
        "CREATE TEMP TABLE aside ON COMMIT DROP AS SELECT * FROM runs WHERE id = :id",
        "DELETE FROM runs WHERE id = :id",
    ):
        await session.execute(text(statement), {"id": run_id})


async def test_a_migrated_database_keeps_it_as_a_new_one_does(
    empty_url: str, database_url: str
) -> None:
    await schema.migrate(empty_url)
    said = []
    for url in (empty_url, database_url):
        async with await psycopg.AsyncConnection.connect(url) as connection:
            said.append(
                [
                    await (await connection.execute(each)).fetchall()
                    for each in (FUNCTIONS, TRIGGERS)
                ]
            )
    assert said[0] == said[1]
    assert len(said[0][0]) == len(said[0][1]) >= 3


@pytest.mark.parametrize(
    ("most_ahead", "number", "total", "is_counted"),
    [
        (None, 1, 7, True),
        (2, 1, 4, False),
        (2, 2, 6, False),
        (3, 2, 7, True),
        (2, 3, 7, True),
        (2, 4, 7, True),
    ],
)
async def test_runs_after_a_page_are_counted_so_far_and_no_further(
    most_ahead: int | None, number: int, total: int, is_counted: bool, world: World
) -> None:
    for _ in range(7):
        await world.create(message="Widen", plan_only=True)
    async with transaction(world.platform.sessions) as session:
        owner = await session.get_one(Organization, world.organization_id)
        found = await queries.list_in_organization(
            session,
            world.owner,
            owner,
            Page(number=number, size=2),
            RunFilter(text="widen"),
            most_ahead=most_ahead,
        )
    assert (found.total, found.is_counted) == (total, is_counted)
