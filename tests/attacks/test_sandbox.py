"""Where runs cannot be kept apart, the platform says so, or refuses to run."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from landform.kit.early import SUPERVISOR_VARIABLE
from tests.attacks.client import Client
from tests.attacks.pages import signed_in
from tests.cli.command import environment, eventually, landform_command
from tests.faults.configurations import pack
from tests.faults.platform import Platform

_MAIN = pack({"main.tf": 'resource "terraform_data" "x" {\n  input = "a"\n}\n'})
_SAID = "without a sandbox"


@pytest.fixture
def without_bubblewrap(tmp_path: Path) -> str:
    """A PATH with all that a worker needs but bubblewrap."""
    for name in ("terraform", "git", "setpriv", "true"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(found)
    return str(tmp_path)


def settings(platform: Platform, **more: str) -> dict[str, str]:
    return environment(
        LANDFORM_HOME=str(platform.home),
        LANDFORM_DATABASE_URL=platform.database_url,
        LANDFORM_LOG_FORMAT="json",
        **{SUPERVISOR_VARIABLE: str(os.getpid())},
        **more,
    )


def test_a_worker_that_must_have_a_sandbox_and_has_none_does_not_start(
    platform: Platform, without_bubblewrap: str
) -> None:
    ended = subprocess.run(
        landform_command("worker"),
        env=settings(platform, LANDFORM_SANDBOX="require", PATH=without_bubblewrap),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Runs need bubblewrap" in ended.stderr
    assert "worker ready" not in ended.stderr


@pytest.fixture
def bare(platform: Platform, without_bubblewrap: str) -> Iterator[Platform]:
    with platform.workers_with(PATH=without_bubblewrap):
        yield platform
    platform.restore()


def run_once(client: Client, workspace: str) -> str:
    run = client.start(workspace, client.upload(workspace, _MAIN), **{"auto-apply": True})
    client.wait(run, "applied")
    return run


def page_of(platform: Platform, client: Client, run: str) -> str:
    workspace = client.get(f"/runs/{run}")["relationships"]["workspace"]["data"]["id"]
    name = client.workspace(workspace)["name"]
    with signed_in(platform) as browser:
        return browser.get(f"/app/attacks/{name}/runs/{run}").text


def ready(platform: Platform) -> str:
    return (
        httpx2.get(f"{platform.url}/readyz", trust_env=False, timeout=30.0).raise_for_status().text
    )


def test_without_one_it_is_said_at_the_start_on_the_run_and_to_operators(
    bare: Platform, client: Client, workspace: str
) -> None:
    warning = "Runs are NOT kept from each other nor from this machine's files: no bubblewrap"
    assert all(worker.has_said(warning) for worker in bare.workers)
    eventually(lambda: "1 of 1 workers do not keep runs apart" in ready(bare), within_s=60)
    processes = client.get("/admin/processes")
    (worker,) = (one["attributes"] for one in processes if one["attributes"]["kind"] == "worker")
    assert worker["sandbox"] == "none"
    assert "there is no program 'bwrap'" in worker["sandbox-reason"]

    run = run_once(client, workspace)
    assert client.plan(run)["sandbox"] == client.apply(run)["sandbox"] == "none"
    assert _SAID in page_of(bare, client, run)


def test_with_one_nothing_is_said(platform: Platform, client: Client, workspace: str) -> None:
    run = run_once(client, workspace)
    assert client.plan(run)["sandbox"] == client.apply(run)["sandbox"] == "bubblewrap"
    assert _SAID not in page_of(platform, client, run)
    eventually(lambda: ready(platform) == "ready\n", within_s=60, say=lambda: ready(platform))
