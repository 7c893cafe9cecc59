"""`landform keys` on a real platform: it is killed in the middle, and nobody notices."""

import asyncio
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from landform.kit.crypto import Keyring, parse_keys, used_key_id
from landform.kit.storage import open_store
from tests.cli.command import environment, eventually, landform_command
from tests.faults.client import Client
from tests.faults.configurations import pack
from tests.faults.platform import Platform

_CONFIGURATION = pack({"main.tf": 'resource "terraform_data" "one" {\n  input = "a"\n}\n'})
_OBJECTS = 4000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with (
        tempfile.TemporaryDirectory(prefix="landform-keys-") as directory,
        Platform(Path(directory), worker_count=1).running() as platform,
    ):
        yield platform


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[Client]:
    client = Client(platform.url, platform.token)
    client.make_organization("keys")
    yield client
    client.close()


def command(platform: Platform, *words: str) -> "subprocess.Popen[str]":
    given = {
        "LANDFORM_HOME": str(platform.home),
        "LANDFORM_DATABASE_URL": platform.database_url,
    }
    return subprocess.Popen(
        landform_command("keys", *words),
        env=environment(**given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return out


def used(platform: Platform) -> dict[str, int]:
    """Return how many objects of the store each key encrypts."""
    found: dict[str, int] = {}
    for path in (platform.home / "objects").rglob("*"):
        if path.is_file() and "#" not in path.name:  # what obstore has not finished writing
            name = used_key_id(path.read_bytes())
            found[name] = found.get(name, 0) + 1
    return found


def fill(platform: Platform) -> None:
    """Put many objects beside those of the runs, as years do, sealed with today's key."""
    key = parse_keys((platform.home / "encryption.key").read_text())[0]
    store = open_store(f"file://{platform.home}/objects", Keyring(key))

    async def put() -> None:
        for number in range(_OBJECTS):
            await store.put(f"years/{number:05}", b"x" * 100)

    asyncio.run(put())


def run_to_its_end(client: Client, workspace: str) -> str:
    run = client.start(workspace, client.upload(workspace, _CONFIGURATION), **{"auto-apply": True})
    client.wait(run, "applied", "planned_and_finished", within_s=120)
    return run


def test_a_rotation_that_is_killed_goes_on_while_runs_plan_apply_and_are_read(
    platform: Platform, client: Client
) -> None:
    workspace = client.make_workspace("keys", "app")
    first = run_to_its_end(client, workspace)
    fill(platform)
    (old,) = used(platform)

    some = sorted((platform.home / "objects/years").iterdir())[:: _OBJECTS // 40]
    rotation = command(platform, "rotate")
    eventually(
        lambda: any(used_key_id(path.read_bytes()) != old for path in some),
        within_s=120,
        say=platform.everything,
    )
    rotation.send_signal(signal.SIGKILL)
    rotation.communicate()
    half = used(platform)
    assert half[old] > 0
    assert len(half) == 2

    listed = ended(command(platform, "list"))
    (new,) = set(half) - {old}
    assert re.search(rf"^{new}\s+current", listed, re.MULTILINE)
    assert re.search(rf"^{old}\s+older\s+\d+\s+[1-9]", listed, re.MULTILINE)
    assert f"holds {new}, {old}" in listed

    rotation = command(platform, "rotate")
    second = run_to_its_end(client, workspace)
    said = ended(rotation)
    assert f"Going on with the rotation to key {new}" in said
    assert set(used(platform)) == {new}
    assert [len(key) for key in parse_keys((platform.home / "encryption.key").read_text())] == [
        32
    ] * 2
    for run in (first, second):
        assert "terraform_data.one" in client.text_log(run)
    assert client.state(workspace)
    assert not [
        line
        for part in (*platform.servers, *platform.workers)
        for line in part.said()
        if line.get("level") == "error"
    ]


def test_after_it_the_old_key_can_be_taken_away(platform: Platform, client: Client) -> None:
    ended(command(platform, "rotate"))
    file = platform.home / "encryption.key"
    kept = file.read_text()
    file.write_text(kept.splitlines()[0] + "\n")
    try:
        for worker in platform.workers:
            worker.kill()
        platform.kill_servers()
        platform.restore()
        run_to_its_end(client, client.make_workspace("keys", "after"))
        assert " missing " not in ended(command(platform, "list"))
    finally:
        file.write_text(kept)
