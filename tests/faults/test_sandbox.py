"""The same without bubblewrap, where a run can leave its marks on the machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import eventually
from tests.faults.client import Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Platform

_WARNING = "Runs are NOT kept from each other nor from this machine's files: no bubblewrap"


@pytest.fixture
def bare(platform: Platform) -> Iterator[Platform]:
    with platform.workers_with(LANDFORM_SANDBOX="off"):
        yield platform


def test_the_other_tests_of_faults_run_inside_the_sandbox(platform: Platform) -> None:
    assert not any(worker.has_said(_WARNING) for worker in platform.workers)


def test_without_a_sandbox_too_a_killed_worker_costs_no_object_a_second_making(
    bare: Platform, client: Client, gate: Gate, workspace: str, name: str, tmp_path: Path
) -> None:
    assert all(worker.has_said(_WARNING) for worker in bare.workers)
    markers = tmp_path / "markers"
    gate.hold(f"plan/{name}", f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two", "three"), markers=markers)
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"plan/{name}")
    bare.worker_of(run).kill()
    bare.sees_death_of(run)
    gate.wait_for(f"plan/{name}", count=2)
    assert visit.is_cut
    gate.open(f"plan/{name}")

    gate.wait_for(f"apply/{name}/two")
    eventually(lambda: "one: Creation complete" in client.text_log(run), within_s=15)
    bare.worker_of(run).kill()
    client.wait(run, "errored", within_s=RECOVERY_S)
    bare.restore()
    assert markers.read_text().split() == ["one", "two"]
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200
