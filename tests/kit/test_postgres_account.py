import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from landform.kit.postgres import EmbeddedPostgres
from landform.kit.postgres_account import UNPRIVILEGED_ID
from landform.kit.postgres_binaries import find_binaries, reachable_binaries
from landform.kit.postgres_directory import PostgresDirectory
from tests.kit.processes import line_of, python_for_anyone, running
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

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
needs_python = pytest.mark.skipif(
    not python_for_anyone(), reason="no Python here that other users may run"
)
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
def home_of_nobody() -> Iterator[tuple[Path, int]]:
    nobody = pwd.getpwnam("nobody").pw_uid
    home = Path("/var/tmp", f"landform-test-{os.getpid()}")
    home.mkdir(mode=0o700)
    os.chown(home, nobody, nobody)
    yield home, nobody
    shutil.rmtree(home)


@needs_root
@needs_proc
async def test_root_runs_the_server_as_nobody_else_and_opens_no_parent_to_it(
    directory: Path,
) -> None:
    directory.parent.mkdir(mode=0o700)
    async with started(directory) as server:
        owners = set()
        for pid in PostgresDirectory(directory).processes():
            with suppress(FileNotFoundError):  # it has ended
                owners.add(Path(f"/proc/{pid}").stat().st_uid)
        assert owners == {UNPRIVILEGED_ID}
        groups = Path(f"/proc/{server_pid(directory)}/status").read_text()
        assert "Groups:\t \n" in groups
        assert server.is_running
    modes = [each.stat().st_mode & 0o777 for each in (directory.parent, directory)]
    assert modes == [0o700, 0o700]
    assert (directory / "data").stat().st_uid == UNPRIVILEGED_ID


@needs_root
async def test_data_that_root_restored_from_a_copy_is_given_to_the_server(
    prepared: Path, tmp_path: Path
) -> None:
    async with started(prepared) as server:
        await write_a_row(server)
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
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
async def test_another_user_of_the_machine_cannot_connect(prepared: Path) -> None:
    async with started(prepared) as server:
        sockets = PostgresDirectory(prepared).postmaster()
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
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(prepared):
        left = PostgresDirectory(prepared).postmaster()
    assert left is not None
    trap = left.socket_directory
    trap.mkdir()
    os.chown(trap, 65534, 65534)
    try:
        async with started(prepared) as server:
            used = PostgresDirectory(prepared).postmaster()
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
