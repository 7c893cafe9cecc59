import asyncio
import os
import pwd
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from landform.kit.db import make_engine
from landform.kit.errors import ConflictError, UnavailableError
from landform.kit.postgres import EmbeddedPostgres
from landform.kit.postgres_account import UNPRIVILEGED_ID
from landform.kit.postgres_binaries import find_binaries, reachable_binaries
from landform.kit.postgres_directory import PostgresDirectory, WrongVersionError
from tests.kit.processes import (
    children_of,
    eventually,
    is_alive,
    line_of,
    python_for_anyone,
    running,
)

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can be somebody else")
needs_python = pytest.mark.skipif(
    not python_for_anyone(), reason="no Python here that other users may run"
)
needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

OWNER = """
import asyncio, sys
from pathlib import Path
from landform.kit.postgres import EmbeddedPostgres
async def main():
    print("url", await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
VISITOR = """
import os, sys, psycopg
print("uid", os.geteuid())
try:
    psycopg.connect(sys.argv[1]).close()
    print("connected")
except psycopg.OperationalError as error:
    print("refused", " ".join(str(error).split()))
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "home" / "postgres"


@asynccontextmanager
async def started(directory: Path, **options: Any) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(directory, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
def home_of_nobody() -> Iterator[tuple[Path, int]]:
    nobody = pwd.getpwnam("nobody").pw_uid
    home = Path("/var/tmp", f"landform-test-{os.getpid()}")
    home.mkdir(mode=0o700)
    os.chown(home, nobody, nobody)
    yield home, nobody
    shutil.rmtree(home)


async def ask(url: str, query: str) -> Any:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        answer = await connection.execute(query.encode())
        row = await answer.fetchone() if answer.description else None
        return row[0] if row and len(row) == 1 else row


async def write_a_row(server: EmbeddedPostgres) -> None:
    await ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")


async def has_the_row(server: EmbeddedPostgres) -> bool:
    return bool(await ask(server.url, "SELECT answer FROM kept") == 42)


def server_pid(directory: Path) -> int:
    recorded = PostgresDirectory(directory).postmaster()
    assert recorded is not None
    return recorded.pid


async def nothing_runs_on(directory: Path) -> None:
    await eventually(lambda: not PostgresDirectory(directory).processes())


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


async def test_data_is_still_there_after_a_stop_and_nothing_else_is(directory: Path) -> None:
    async with started(directory) as server:
        await write_a_row(server)
        sockets = PostgresDirectory(directory).postmaster()
        url = server.url
    assert not server.is_running
    assert not PostgresDirectory(directory).processes()
    assert sockets is not None
    assert not sockets.socket_directory.exists()
    async with started(directory) as server:
        assert server.url == url
        assert await has_the_row(server)


async def test_starting_twice_is_no_harm(directory: Path) -> None:
    async with started(directory) as server:
        pid = server_pid(directory)
        await server.start()
        assert server_pid(directory) == pid


async def test_a_second_process_uses_the_running_server_and_does_not_end_it(
    directory: Path,
) -> None:
    async with started(directory) as owner:
        visitor = EmbeddedPostgres(directory)
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
async def test_the_server_ends_with_an_owner_that_was_killed(directory: Path) -> None:
    with running(OWNER, directory) as owner:
        await line_of(owner, "url")
        (minder,) = children_of(owner.pid)
        owner.kill()
        await nothing_runs_on(directory)
        await eventually(lambda: not is_alive(minder))
    assert "database system is shut down" in (directory / "postgres.log").read_text()


async def test_a_start_right_after_the_owner_was_killed_finds_all_data(directory: Path) -> None:
    with running(OWNER, directory) as owner:
        url = await line_of(owner, "url")
        await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        owner.kill()
        owner.wait()
        async with started(directory) as server:
            assert server.is_owner
            assert await has_the_row(server)


@needs_proc
async def test_an_owner_killed_while_it_makes_the_cluster_leaves_nothing_in_the_way(
    directory: Path,
) -> None:
    with running(OWNER, directory) as owner:
        await eventually((directory / "data.new" / "base").exists)
        minders = children_of(owner.pid)
        makers = [pid for minder in minders for pid in children_of(minder)]
        owner.kill()
        assert makers
        await eventually(lambda: not any(map(is_alive, [*minders, *makers])))
    assert not (directory / "data").exists()
    async with started(directory) as server:
        assert await ask(server.url, "SELECT 1") == 1


async def test_a_server_that_was_killed_recovers_at_the_next_start(directory: Path) -> None:
    async with started(directory) as server:
        await write_a_row(server)
        os.kill(server_pid(directory), signal.SIGKILL)
        await asyncio.wait_for(server.wait(), 10)
        assert not server.is_running
        await server.start()
        assert await has_the_row(server)
    assert "automatic recovery in progress" in (directory / "postgres.log").read_text()


async def test_a_watched_server_that_was_killed_comes_back_at_the_same_place(
    directory: Path,
) -> None:
    async with started(directory) as server:
        url = server.url
        watch = asyncio.create_task(server.keep_running())
        killed = server_pid(directory)
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: server.is_running and server_pid(directory) != killed)
        watch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watch
        await server.start()
        assert await ask(url, "SELECT 1") == 1


@needs_proc
async def test_the_server_ends_with_its_minder_and_can_be_started_again(directory: Path) -> None:
    async with started(directory) as server:
        await write_a_row(server)
        (minder,) = [
            pid for pid in children_of(os.getpid()) if server_pid(directory) in children_of(pid)
        ]
        os.kill(minder, signal.SIGKILL)
        await server.wait()
        await server.start()
        assert server.is_owner
        assert await has_the_row(server)
    await nothing_runs_on(directory)


@needs_proc
async def test_a_session_that_outlives_a_killed_server_is_ended_before_the_next_start(
    directory: Path,
) -> None:
    async with started(directory) as server:
        connection = await psycopg.AsyncConnection.connect(server.url)
        busy = asyncio.create_task(connection.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
        backend = connection.info.backend_pid
        await eventually(lambda: "DO" in Path(f"/proc/{backend}/cmdline").read_text())
        os.kill(server_pid(directory), signal.SIGKILL)
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
    directory: Path,
) -> None:
    async with started(directory) as server:
        left = directory / "data" / "postmaster.pid"
        lines = left.read_text().splitlines()
        owner = left.stat()
        os.kill(int(lines[0]), signal.SIGKILL)
        await server.wait()
        await nothing_runs_on(directory)
        # It must be the same user's: PostgreSQL itself sees through another's.
        stranger = await asyncio.create_subprocess_exec(
            "sleep", "60", user=owner.st_uid, group=owner.st_gid
        )
        try:
            left.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            assert not EmbeddedPostgres(directory).is_running
            await server.start()
            assert await ask(server.url, "SELECT 1") == 1
            assert stranger.returncode is None
        finally:
            stranger.kill()
            await stranger.wait()


async def test_two_directories_have_two_servers(tmp_path: Path) -> None:
    async with started(tmp_path / "one") as one, started(tmp_path / "two") as two:
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


async def test_a_server_that_does_not_start_says_why(directory: Path) -> None:
    async with started(directory):
        pass
    with (directory / "data" / "postgresql.conf").open("a") as file:
        file.write("flux_capacitor = on\n")
    server = EmbeddedPostgres(directory)
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


@needs_root
@needs_proc
async def test_root_runs_the_server_as_nobody_else_and_opens_no_parent_to_it(
    directory: Path,
) -> None:
    directory.parent.mkdir(mode=0o700)
    async with started(directory) as server:
        pids = PostgresDirectory(directory).processes()
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in pids}
        assert owners == {UNPRIVILEGED_ID}
        groups = Path(f"/proc/{server_pid(directory)}/status").read_text()
        assert "Groups:\t \n" in groups
        assert server.is_running
    modes = [each.stat().st_mode & 0o777 for each in (directory.parent, directory)]
    assert modes == [0o700, 0o700]
    assert (directory / "data").stat().st_uid == UNPRIVILEGED_ID


@needs_root
async def test_data_that_root_restored_from_a_copy_is_given_to_the_server(
    directory: Path, tmp_path: Path
) -> None:
    async with started(directory) as server:
        await write_a_row(server)
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    assert (copy / "data").stat().st_uid == 0
    async with started(copy) as server:
        assert await has_the_row(server)


@needs_root
@needs_python
async def test_a_plain_user_runs_a_server_and_root_may_use_it(
    home_of_nobody: tuple[Path, int],
) -> None:
    home, nobody = home_of_nobody
    with running(OWNER, home / "postgres", uid=nobody) as owner:
        url = await line_of(owner, "url")
        assert Path(f"/proc/{server_pid(home / 'postgres')}").stat().st_uid == nobody
        visitor = EmbeddedPostgres(home / "postgres")
        assert await visitor.start() == url
        assert not visitor.is_owner
        await write_a_row(visitor)
        owner.kill()
        await nothing_runs_on(home / "postgres")
    async with started(home / "postgres") as by_root:
        assert Path(f"/proc/{server_pid(home / 'postgres')}").stat().st_uid == nobody
        assert await has_the_row(by_root)
    with running(OWNER, home / "postgres", uid=nobody) as owner:
        await line_of(owner, "url")
        owner.kill()
        await nothing_runs_on(home / "postgres")


@needs_root
@needs_python
async def test_a_plain_user_cannot_start_the_data_of_another(
    home_of_nobody: tuple[Path, int],
) -> None:
    home, nobody = home_of_nobody
    (home / "postgres" / "data").mkdir(parents=True)
    os.chown(home / "postgres", nobody, nobody)
    with running(OWNER, home / "postgres", uid=nobody) as owner:
        assert "belongs to root" in await line_of(owner, "landform.kit.errors.ConflictError:")


@needs_root
@needs_python
async def test_another_user_of_the_machine_cannot_connect(directory: Path) -> None:
    async with started(directory) as server:
        sockets = PostgresDirectory(directory).postmaster()
        assert sockets is not None
        assert sockets.socket_directory.stat().st_mode & 0o077 == 0
        nobody = pwd.getpwnam("nobody").pw_uid
        with running(VISITOR, server.url, uid=nobody) as visitor:
            assert "Permission denied" in await line_of(visitor, "refused")
        # Nor if the socket were open to all: the server asks the kernel who it is.
        sockets.socket_directory.chmod(0o755)
        (sockets.socket_directory / ".s.PGSQL.5432").chmod(0o777)
        with running(VISITOR, server.url, uid=nobody) as visitor:
            assert "Peer authentication failed" in await line_of(visitor, "refused")


@needs_root
async def test_a_socket_directory_laid_by_another_is_not_used(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(directory):
        left = PostgresDirectory(directory).postmaster()
    assert left is not None
    trap = left.socket_directory
    trap.mkdir()
    os.chown(trap, 65534, 65534)
    try:
        async with started(directory) as server:
            used = PostgresDirectory(directory).postmaster()
            assert used is not None
            assert used.socket_directory != trap
            assert await ask(server.url, "SELECT 1") == 1
    finally:
        trap.rmdir()


@needs_root
async def test_programs_others_cannot_reach_are_copied_to_where_they_can(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "closed" / "site"
    package = find_binaries().bin.parents[1]
    shutil.copytree(package, place / package.name, ignore=shutil.ignore_patterns("pginstall"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), place / f"{package.name}.libs")
    monkeypatch.syspath_prepend(place)
    assert find_binaries().bin.is_relative_to(place)
    cache = Path("/var/tmp", f"landform-test-{os.getpid()}")
    try:
        async with started(directory, cache=cache) as server:
            assert await ask(server.url, "SELECT 1") == 1
        copied = reachable_binaries(find_binaries(), cache=cache)
        assert copied.bin.is_relative_to(cache)
        assert (cache.stat().st_uid, cache.stat().st_mode & 0o022) == (0, 0)
        assert len(list(cache.iterdir())) == 1
    finally:
        shutil.rmtree(cache)
