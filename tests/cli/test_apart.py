"""Servers and workers as an operator runs them: apart, on a database and a store they share."""

import re
import secrets
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.cli import command
from tests.cli.command import PASSWORD, Running

pytestmark = pytest.mark.timeout(240)

PORT = re.compile(r'"port": (\d+)')
WORKS = re.compile(r"(worker ready)")


@pytest.fixture
def shared(postgres_server: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What every process is told: an empty database, a directory of objects, one key."""
    superuser = postgres_server.replace("landform@/landform?", "postgres@/postgres?")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("CREATE DATABASE apart OWNER landform")
        yield {
            "LANDFORM_DATABASE_URL": postgres_server.replace("/landform?", "/apart?"),
            "LANDFORM_STORAGE_URL": f"file://{tmp_path / 'objects'}",
            "LANDFORM_ENCRYPTION_KEY": secrets.token_hex(32),
            "LANDFORM_LOG_FORMAT": "json",
        }
        connection.execute("DROP DATABASE apart WITH (FORCE)")


def test_two_servers_and_a_worker_share_a_database_whose_key_they_all_need(
    shared: dict[str, str], tmp_path: Path
) -> None:
    first = command.run("db", "migrate", **shared)
    assert first.returncode == 0, first.stderr
    assert PASSWORD.search(first.stdout)
    again = command.run("db", "migrate", **shared)
    assert again.stdout == "The database is at this version's schema.\n"

    def start(name: str, *words: object) -> AbstractContextManager[Running]:
        home = tmp_path / name
        argv = command.landform_command(*words, "--home", home)
        return command.started(argv, home, command.SOURCES, **shared)

    with (
        start("one", "server", "--port", 0) as one,
        start("two", "server", "--port", 0) as two,
        start("three", "worker") as worker,
    ):
        token = command.run("token", "create", "--user", "admin", **shared).stdout.strip()
        for server in (one, two):
            url = f"http://127.0.0.1:{server.wait_for(PORT)}"
            becomes_ready(url)
            assert answers(f"{url}/api/v2/account/details", token)
        worker.wait_for(WORKS)
        refused_with_another_key(shared, tmp_path)
        for process in (one, two, worker):
            process.process.send_signal(signal.SIGTERM)
            assert process.process.wait(40) == 0, process.everything()


def refused_with_another_key(shared: dict[str, str], home: Path) -> None:
    other = {**shared, "LANDFORM_ENCRYPTION_KEY": secrets.token_hex(32)}
    done = command.run("server", "--port", 0, "--home", home, **other)
    assert done.returncode == 1
    assert "The encryption key is not the one this database was made with." in done.stderr


def becomes_ready(url: str) -> None:
    command.eventually(lambda: answers(f"{url}/readyz"), within_s=60)


def answers(url: str, token: str = "") -> bool:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx2.get(url, headers=headers, trust_env=False, timeout=30.0).status_code == 200
    except httpx2.TransportError:
        return False
