import asyncio
import os
import signal
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from landform.kit.db import make_engine
from landform.kit.errors import ConflictError, UnavailableError
from landform.kit.postgres import EmbeddedPostgres
from landform.kit.postgres_directory import PostgresDirectory, WrongVersionError
from tests.kit.processes import children_of, eventually, is_alive, line_of, running
from tests.kit.servers import (
    OWNER,
    ask,
    has_the_row,
    needs_proc,
    nothing_runs_on,
    server_pid,
    started,
    write_a_row,
)


async def test_a_first_start_makes_a_safe_utf8_database(directory: Path) -> None:
    async with started(directory) as server:
        engine = make_engine(server.url)
        async with engine.connect() as connection:
            for setting, value in {
                "server_encoding": "UTF8",
                "data_checksums": "on",
                "fsync": "on",
                "listen_addresses": "",
                "TimeZone": "UTC",
                "is_superuser": "off",
            }.items():
                assert (await connection.execute(text(f"SHOW {setting}"))).scalar() == value
            collation = await connection.execute(
                text(
                    "SELECT current_database(), current_user, datlocprovider::text, datlocale "
                    "FROM pg_database WHERE datname = current_database()"
                )
            )
            assert tuple(collation.one()) == ("landform", "landform", "b", "C.UTF-8")
            limit = (await connection.execute(text("SHOW max_connections"))).scalar()
            assert 100 <= int(limit or 0) <= 200
            await connection.execute(text("CREATE TABLE mine (id int)"))
        await engine.dispose()


async def test_data_is_still_there_after_a_stop_and_nothing_else_is(prepared: Path) -> None:
    async with started(prepared) as server:
        await write_a_row(server)
        sockets = PostgresDirectory(prepared).postmaster()
        url = server.url
    assert not server.is_running
    assert not PostgresDirectory(prepared).processes()
    assert sockets is not None
    assert not sockets.socket_directory.exists()
    async with started(prepared) as server:
        assert server.url == url
        assert await has_the_row(server)


async def test_starting_twice_is_no_harm(prepared: Path) -> None:
    async with started(prepared) as server:
        pid = server_pid(prepared)
        await server.start()
        assert server_pid(prepared) == pid


async def test_a_second_process_uses_the_running_server_and_does_not_end_it(
    prepared: Path,
) -> None:
    async with started(prepared) as owner:
        visitor = EmbeddedPostgres(prepared)
        assert await visitor.start() == owner.url
        assert visitor.is_running
        assert (owner.is_owner, visitor.is_owner) == (True, False)
        await visitor.stop()
        assert await ask(owner.url, "SELECT 1") == 1
    assert not visitor.is_running
    await visitor.wait()


async def test_of_two_first_starts_at_once_one_owns_the_server(directory: Path) -> None:
    servers = [EmbeddedPostgres(directory), EmbeddedPostgres(directory)]
    try:
        urls = await asyncio.gather(*(server.start() for server in servers))
        assert urls[0] == urls[1]
        assert sorted(server.is_owner for server in servers) == [False, True]
        assert await ask(urls[0], "SELECT 1") == 1
    finally:
        for server in servers:
            await server.stop()


@needs_proc
async def test_the_server_ends_with_an_owner_that_was_killed(prepared: Path) -> None:
    with running(OWNER, prepared) as owner:
        await line_of(owner, "url")
        (minder,) = children_of(owner.pid)
        owner.kill()
        await nothing_runs_on(prepared)
        await eventually(lambda: not is_alive(minder))
    assert "database system is shut down" in (prepared / "postgres.log").read_text()


async def test_a_start_right_after_the_owner_was_killed_finds_all_data(prepared: Path) -> None:
    with running(OWNER, prepared) as owner:
        url = await line_of(owner, "url")
        await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        owner.kill()
        owner.wait()
        async with started(prepared) as server:
            assert server.is_owner
            assert await has_the_row(server)


@needs_proc
async def test_a_server_whose_owner_is_gone_is_not_used_though_it_still_answers(
    prepared: Path,
) -> None:
    with running(OWNER, prepared) as owner:
        url = await line_of(owner, "url")
        (minder,) = children_of(owner.pid)
        os.kill(minder, signal.SIGSTOP)
        try:
            owner.kill()
            owner.wait()
            assert await ask(url, "SELECT 1") == 1
            with pytest.raises(UnavailableError, match="Another process holds"):
                await EmbeddedPostgres(prepared, start_timeout_s=0.3).start()
        finally:
            os.kill(minder, signal.SIGCONT)
        async with started(prepared) as server:
            assert server.is_owner


@needs_proc
async def test_an_owner_killed_while_it_makes_the_cluster_leaves_nothing_in_the_way(
    tmp_path: Path,
) -> None:
    for number in range(5):  # until one is met in the middle of it, which takes a second
        directory = tmp_path / f"{number}"
        signs = (directory / "data.new" / "base", directory / "data")
        with running(OWNER, directory) as owner:
            await eventually(lambda signs=signs: any(sign.exists() for sign in signs))  # type: ignore[misc]
            minders = children_of(owner.pid)
            makers = [pid for minder in minders for pid in children_of(minder)]
            owner.kill()
            gone = [*minders, *makers]
            await eventually(lambda gone=gone: not any(map(is_alive, gone)))  # type: ignore[misc]
        if makers and not (directory / "data").exists():
            break
    assert not (directory / "data").exists()
    async with started(directory) as server:
        assert await ask(server.url, "SELECT 1") == 1


async def test_a_server_that_was_killed_recovers_at_the_next_start(prepared: Path) -> None:
    async with started(prepared) as server:
        await write_a_row(server)
        os.kill(server_pid(prepared), signal.SIGKILL)
        await asyncio.wait_for(server.wait(), 60)
        assert not server.is_running
        await server.start()
        assert await has_the_row(server)
    assert "automatic recovery in progress" in (prepared / "postgres.log").read_text()


async def test_a_watched_server_that_was_killed_comes_back_at_the_same_place(
    prepared: Path,
) -> None:
    async with started(prepared) as server:
        url = server.url
        watch = asyncio.create_task(server.keep_running())
        killed = server_pid(prepared)
        os.kill(killed, signal.SIGKILL)
        place = PostgresDirectory(prepared)

        def is_another() -> bool:
            recorded = place.postmaster()  # none for as long as the file is being written
            return server.is_running and recorded is not None and recorded.pid != killed

        await eventually(is_another)
        watch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watch
        await server.start()
        assert await ask(url, "SELECT 1") == 1


@needs_proc
async def test_the_server_ends_with_its_minder_and_can_be_started_again(prepared: Path) -> None:
    async with started(prepared) as server:
        await write_a_row(server)
        (minder,) = [
            pid for pid in children_of(os.getpid()) if server_pid(prepared) in children_of(pid)
        ]
        os.kill(minder, signal.SIGKILL)
        await server.wait()
        await nothing_runs_on(prepared)
        await server.start()
        assert server.is_owner
        assert await has_the_row(server)
    await nothing_runs_on(prepared)


@needs_proc
async def test_a_session_that_outlives_a_killed_server_is_ended_before_the_next_start(
    prepared: Path,
) -> None:
    async with started(prepared) as server:
        connection = await psycopg.AsyncConnection.connect(server.url)
        busy = asyncio.create_task(connection.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
        backend = connection.info.backend_pid
        await eventually(lambda: "DO" in Path(f"/proc/{backend}/cmdline").read_text())
        os.kill(server_pid(prepared), signal.SIGKILL)
        await server.wait()
        assert is_alive(backend)
        await server.start()
        assert not is_alive(backend)
        with pytest.raises(psycopg.OperationalError):
            await busy
        await connection.close()
        assert await ask(server.url, "SELECT 1") == 1


@needs_proc
async def test_another_process_with_the_pid_of_a_dead_server_is_not_taken_for_it(
    prepared: Path,
) -> None:
    async with started(prepared) as server:
        left = prepared / "data" / "postmaster.pid"
        lines = left.read_text().splitlines()
        owner = left.stat()
        os.kill(int(lines[0]), signal.SIGKILL)
        await server.wait()
        await nothing_runs_on(prepared)
        # It must be the same user's: PostgreSQL itself sees through another's.
        stranger = await asyncio.create_subprocess_exec(
            "sleep", "60", user=owner.st_uid, group=owner.st_gid
        )
        try:
            left.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            assert not EmbeddedPostgres(prepared).is_running
            await server.start()
            assert await ask(server.url, "SELECT 1") == 1
            assert stranger.returncode is None
        finally:
            stranger.kill()
            await stranger.wait()


async def test_two_directories_have_two_servers(prepared: Path, tmp_path: Path) -> None:
    async with started(prepared) as one, started(tmp_path / "two") as two:
        await write_a_row(one)
        with pytest.raises(psycopg.errors.UndefinedTable):
            await has_the_row(two)


async def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    directory = tmp_path / ("long, with a comma " * 6).strip() / ("l" * 60)
    async with started(directory) as server:
        await write_a_row(server)
        assert await has_the_row(server)


@pytest.mark.parametrize(("found", "advice"), [("99", "release that carries 99"), ("9", "pg_dump")])
async def test_data_of_another_major_version_is_refused_with_what_to_do(
    directory: Path, found: str, advice: str
) -> None:
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "PG_VERSION").write_text(f"{found}\n")
    with pytest.raises(WrongVersionError, match=f"made by PostgreSQL {found}.*{advice}"):
        await EmbeddedPostgres(directory).start()
    assert [each.name for each in (directory / "data").iterdir()] == ["PG_VERSION"]


async def test_a_directory_that_holds_something_else_is_left_alone(directory: Path) -> None:
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "diary").write_text("dear")
    with pytest.raises(ConflictError, match="not a PostgreSQL data directory"):
        await EmbeddedPostgres(directory).start()
    assert (directory / "data" / "diary").read_text() == "dear"


async def test_a_server_that_does_not_start_says_why(prepared: Path) -> None:
    async with started(prepared):
        pass
    with (prepared / "data" / "postgresql.conf").open("a") as file:
        file.write("flux_capacitor = on\n")
    server = EmbeddedPostgres(prepared)
    with pytest.raises(UnavailableError, match="flux_capacitor"):
        await server.start()
    assert not server.is_running


async def test_a_start_that_is_cancelled_leaves_nothing_running(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    starting = asyncio.create_task(server.start())
    await eventually((directory / "data" / "postmaster.pid").exists)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not PostgresDirectory(directory).processes()
