"""Migrations bring an empty database to what the tables say, whoever starts them and how often."""

import asyncio
import subprocess
import sys

import psycopg
import pytest
from alembic.script import ScriptDirectory

from landform import revision, schema
from landform.kit.errors import ConflictError

ONE = "import asyncio, sys; from landform import schema; asyncio.run(schema.migrate(sys.argv[1]))"
PROCESSES = 4


async def test_a_migrated_database_is_what_the_tables_say(empty_url: str) -> None:
    await schema.migrate(empty_url)
    assert await schema.check(empty_url) == []
    await revision.require_current(empty_url)


async def test_a_second_migration_changes_nothing(empty_url: str) -> None:
    await schema.migrate(empty_url)
    async with await psycopg.AsyncConnection.connect(empty_url) as connection:
        await connection.execute(
            "INSERT INTO organizations (id, name, email, default_execution_mode,"
            " allow_force_delete_workspaces, created_at)"
            " VALUES ('org-1', 'acme', '', 'remote', false, now())"
        )
    await schema.migrate(empty_url)
    assert await schema.check(empty_url) == []
    async with await psycopg.AsyncConnection.connect(empty_url) as connection:
        cursor = await connection.execute("SELECT name FROM organizations")
        assert await cursor.fetchall() == [("acme",)]


@pytest.mark.timeout(400)  # each makes or reads all there is, on a machine that is busy
def test_processes_that_migrate_at_once_do_not_disturb_each_other(empty_url: str) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", ONE, empty_url], stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        for process in started:
            _, said = process.communicate()
            assert process.returncode == 0, said
    finally:
        for process in started:
            with process:
                process.kill()
    assert asyncio.run(schema.check(empty_url)) == []


async def test_an_empty_database_is_refused_with_what_to_do(empty_url: str) -> None:
    with pytest.raises(ConflictError, match=r"schema none.*landform db migrate"):
        await revision.require_current(empty_url)
    found = await schema.check(empty_url)
    assert found[0].startswith("schema is at none")
    assert any("workspaces" in difference for difference in found)


async def test_a_database_of_a_newer_version_is_refused(empty_url: str) -> None:
    await schema.migrate(empty_url)
    async with await psycopg.AsyncConnection.connect(empty_url) as connection:
        await connection.execute("UPDATE alembic_version SET version_num = 'from-tomorrow'")
    with pytest.raises(ConflictError, match="from-tomorrow"):
        await revision.require_current(empty_url)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE runs DROP COLUMN message", "message"),
        ("ALTER TABLE runs ADD COLUMN mood text", "mood"),
        ("DROP INDEX ix_runs_status", "ix_runs_status"),
        ("ALTER TABLE runs ALTER COLUMN plan_only TYPE text", "plan_only"),
        ("DROP TABLE comments", "comments"),
    ],
)
async def test_a_database_that_somebody_changed_is_told_apart(
    empty_url: str, change: str, said: str
) -> None:
    await schema.migrate(empty_url)
    async with await psycopg.AsyncConnection.connect(empty_url) as connection:
        await connection.execute(change.encode())
    assert said in " ".join(await schema.check(empty_url))


def test_the_schema_that_is_wanted_is_the_newest_that_alembic_knows() -> None:
    script = ScriptDirectory.from_config(schema.configuration())
    assert revision.wanted() == script.get_current_head()
