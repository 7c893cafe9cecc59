"""`landform up` and the commands beside it, as processes."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import httpx2
import psycopg
import pytest

from landform.cli.database import database_of
from landform.cli.terraform_rc import create
from landform.kit.crypto import create_key_file
from landform.revision import wanted
from landform.settings import Settings
from landform.toolchain.cli_config import blocks
from tests.cli import command
from tests.cli.command import PASSWORD, READY, Running

pytestmark = pytest.mark.timeout(240)


def up(home: Path, *more: object) -> list[str]:
    return command.landform_command("up", "--home", home, "--port", 0, *more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "home"


@pytest.fixture(scope="module")
def platform(home: Path) -> Iterator[Running]:
    with command.started(up(home, "--log-format", "json"), home.parent / "output") as running:
        running.wait_for(READY)
        yield running


@pytest.fixture(scope="module")
def url(platform: Running) -> str:
    return platform.wait_for(READY)


@pytest.mark.parametrize("path", ["healthz", "readyz", "metrics"])
def test_a_platform_that_says_it_is_ready_is(url: str, path: str) -> None:
    assert httpx2.get(f"{url}/{path}", trust_env=False, timeout=30.0).status_code == 200


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(
    platform: Running, home: Path
) -> None:
    key = home / "encryption.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(key.read_text())) == 32


def test_the_first_admins_password_is_shown_once_and_is_in_no_log(platform: Running) -> None:
    (password,) = PASSWORD.findall(platform.stdout)
    assert len(password) >= 16
    assert password not in platform.stderr


def test_every_line_of_a_json_log_is_json_and_says_which_process_it_is_of(
    platform: Running,
) -> None:
    def processes() -> set[str]:
        return {
            json.loads(line)["process"]
            for line in platform.stderr.splitlines(keepends=True)
            if line.endswith("\n")
        }

    command.eventually(
        lambda: {"up", "server", "worker"} <= processes(), within_s=60, say=processes
    )


def test_a_second_platform_on_the_same_home_is_refused(platform: Running, home: Path) -> None:
    done = command.run("up", "--home", home, "--port", 0)
    assert done.returncode == 1
    assert re.search(rf"A platform runs on .* its process is {platform.process.pid} ", done.stderr)


def test_a_token_is_printed_alone_and_is_good_for_the_api(url: str, home: Path) -> None:
    done = command.run("token", "create", "--home", home, "--user", "admin", "--expires-in", "1h")
    assert re.fullmatch(r"\S{40,}\n", done.stdout), done
    assert done.stderr == ""
    answer = httpx2.get(
        f"{url}/api/v2/account/details",
        headers={"Authorization": f"Bearer {done.stdout.strip()}"},
        trust_env=False,
        timeout=30.0,
    )
    assert answer.status_code == 200
    assert answer.json()["data"]["attributes"]["username"] == "admin"


def test_a_token_of_nobody_is_refused(url: str, home: Path) -> None:
    done = command.run("token", "create", "--home", home, "--user", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "landform: There is no user 'nobody'.\n"


def test_the_clis_configuration_names_every_service_where_the_server_says_it_is(
    url: str, home: Path
) -> None:
    found = httpx2.get(f"{url}/.well-known/terraform.json", trust_env=False, timeout=30.0)
    services = found.json()
    written = blocks("landform.internal", url, "token")
    for name, where in services.items():
        if isinstance(where, str):
            assert f'"{name}" = "{where}"' in written
    for part, value in services["login.v1"].items():
        assert f'"{part}" = {json.dumps(value)}' in written
    assert services["login.v1"]["ports"] == [10000, 10010]


def test_the_clis_configuration_has_a_token_and_is_its_owners_alone(url: str, home: Path) -> None:
    done = command.run("cli-config", "--home", home)
    assert done.returncode == 0, done.stderr
    written = home / "terraform.rc"
    assert written.stat().st_mode & 0o777 == 0o600
    hostname = url.removeprefix("http://")
    assert re.search(rf'credentials "{hostname}" {{\n  token = "\S{{40,}}"\n', written.read_text())
    assert f"export TF_CLI_CONFIG_FILE={written}\n" in done.stdout


def test_the_clis_configuration_can_call_the_platform_by_another_name(
    url: str, home: Path, tmp_path: Path
) -> None:
    output = tmp_path / "rc"
    done = command.run(
        "cli-config", "--home", home, "--hostname", "landform.internal", "--output", output
    )
    assert done.returncode == 0, done.stderr
    assert output.read_text().startswith('host "landform.internal" {\n')
    assert 'credentials "landform.internal" {\n' in output.read_text()
    assert f'"tfe.v2" = "{url}/api/v2/"' in output.read_text()


async def test_the_clis_configuration_can_be_had_without_a_token_to_hand_it_out(
    url: str, home: Path, tmp_path: Path
) -> None:
    said = await create(Settings(home=home), None, None, tmp_path / "rc")
    assert "credentials" not in (tmp_path / "rc").read_text()
    assert f"terraform login {url.removeprefix('http://')}\n" in said


def test_the_database_has_the_schema_that_this_version_expects(url: str, home: Path) -> None:
    done = command.run("db", "check", "--home", home)
    assert done.returncode == 0, done.stdout
    assert done.stdout == "The database is at this version's schema.\n"


def test_a_port_that_another_program_has_is_refused(url: str, tmp_path: Path) -> None:
    port = url.rpartition(":")[2]
    done = command.run("up", "--home", tmp_path / "home", "--port", port)
    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.fixture(scope="module")
def stopped_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home on which a platform was started for the first time, and ended with Ctrl-C."""
    base = tmp_path_factory.mktemp("stopped")
    with command.started(up(base / "home"), base / "output") as running:
        running.wait_for(READY)
        assert running.press_ctrl_c() == 0, running.everything()
    assert command.processes_of(base / "home") == {}, "Ctrl-C left something running"
    return base / "home"


def test_a_token_can_be_made_while_the_platform_is_stopped(stopped_home: Path) -> None:
    done = command.run("token", "create", "--home", stopped_home, "--user", "admin")
    assert (done.returncode, done.stderr) == (0, "")
    assert command.processes_of(stopped_home) == {}


def test_a_second_start_makes_no_second_admin_and_killing_it_leaves_nothing_running(
    stopped_home: Path, tmp_path: Path
) -> None:
    key = (stopped_home / "encryption.key").read_text()
    with command.started(up(stopped_home), tmp_path) as running:
        running.wait_for(READY)
        assert "password" not in running.stdout
        assert (stopped_home / "encryption.key").read_text() == key
        assert len(command.processes_of(stopped_home)) > 3
        running.kill()
        command.nothing_left(stopped_home)


def test_a_home_without_its_key_is_refused_and_gets_no_new_one(stopped_home: Path) -> None:
    key, lost = stopped_home / "encryption.key", stopped_home / "lost.key"
    key.rename(lost)
    try:
        done = command.run("up", "--home", stopped_home, "--port", 0)
        assert done.returncode == 1
        assert "but not the key it is encrypted with" in done.stderr
        assert not key.exists()
    finally:
        lost.rename(key)


def test_a_home_with_another_key_is_refused_and_left_alone(stopped_home: Path) -> None:
    key, right = stopped_home / "encryption.key", stopped_home / "right.key"
    key.rename(right)
    create_key_file(key)
    try:
        done = command.run("up", "--home", stopped_home, "--port", 0)
        assert done.returncode == 1
        assert "not the one this database was made with" in done.stderr
        assert command.processes_of(stopped_home) == {}
    finally:
        right.replace(key)


async def test_a_home_of_a_newer_version_is_refused(stopped_home: Path) -> None:
    async with database_of(Settings(home=stopped_home)) as found:
        await _execute(found, "UPDATE alembic_version SET version_num = 'from-tomorrow'")
    try:
        done = await asyncio.to_thread(command.run, "up", "--home", stopped_home, "--port", 0)
        assert done.returncode == 1
        assert "another version of Landform" in done.stderr
    finally:
        async with database_of(Settings(home=stopped_home)) as found:
            await _execute(found, "UPDATE alembic_version SET version_num = %s", wanted())


async def _execute(settings: Settings, statement: LiteralString, *given: str) -> None:
    url = settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(statement, given)


@pytest.mark.parametrize("name", ["server", "worker"])
def test_a_process_that_dies_is_started_again(platform: Running, home: Path, name: str) -> None:
    def pid() -> int | None:
        words = f"-m landform {name} "
        return next(
            (pid for pid, said in command.processes_of(home).items() if words in said), None
        )

    command.eventually(lambda: pid() is not None, within_s=60)
    before = pid()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    command.eventually(lambda: pid() not in (None, before), within_s=60)


def test_the_worker_gives_way_to_whoever_waits_for_an_answer(platform: Running, home: Path) -> None:
    def nice() -> dict[str, int]:
        return {
            name: os.getpriority(os.PRIO_PROCESS, pid)
            for pid, said in command.processes_of(home).items()
            for name in ("server", "worker")
            if f"-m landform {name} " in said
        }

    own = os.getpriority(os.PRIO_PROCESS, 0)
    platform.wait_for(READY)
    wanted = {"server": own, "worker": min(own + 5, 19)}
    command.eventually(lambda: nice() == wanted, within_s=60, say=nice)
