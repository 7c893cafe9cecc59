"""SIGTERM of a worker while a phase runs: it ends what it has, and takes no more."""

from collections.abc import Callable

from tests.cli.command import eventually
from tests.faults.client import Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Platform


def test_a_worker_that_is_stopped_ends_its_phase_and_takes_no_new_one(
    platform: Platform, client: Client, gate: Gate, make_workspace: Callable[..., str], name: str
) -> None:
    workspace, other = make_workspace(), make_workspace()
    gate.hold(f"apply/{name}/one", f"plan/{name}-2")
    # A worker waits for its phases no longer than it takes to stop a run.
    with platform.workers_with(LANDFORM_CANCEL_GRACE_S="120"):
        run = client.start(
            workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
        )
        gate.wait_for(f"apply/{name}/one")
        configuration = client.upload(other, gated(gate, f"{name}-2"))
        worker = platform.worker_of(run)
        worker.terminate()
        eventually(lambda: worker.has_said("waiting for phases"), within_s=15)
        second = client.start(other, configuration)
        gate.wait_for(f"plan/{name}-2")
        assert platform.worker_of(second) is not worker
        gate.open(f"apply/{name}/one")
        client.wait(run, "applied")
        assert worker.wait() == 0
        gate.open(f"plan/{name}-2")
        client.wait(second, "planned")
        assert client.act(second, "discard") == 202


def test_a_plan_that_outlasts_its_workers_farewell_is_handed_to_another_at_once(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    first = gate.wait_for(f"plan/{name}")
    worker = platform.worker_of(run)
    worker.terminate()
    assert worker.wait() == 0
    eventually(lambda: first.is_cut, within_s=15)  # the gate may see it a moment later
    # No time of ours: how long terraform takes to come to the gate again depends on the machine.
    held = "SELECT 1 FROM leases WHERE run_id = %s AND epoch = 1 AND leased_until > now()"
    assert not platform.rows(held, run)
    platform.sees_death_of(run)
    gate.wait_for(f"plan/{name}", count=2)
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202


def test_an_apply_that_outlasts_its_workers_farewell_is_not_done_again(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    run = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
    )
    visit = gate.wait_for(f"apply/{name}/one")
    worker = platform.worker_of(run)
    worker.terminate()
    assert worker.wait() == 0
    eventually(lambda: visit.is_cut, within_s=15)
    client.wait(run, "errored", within_s=RECOVERY_S)
    assert client.workspace(workspace)["locked"]
    assert [one["address"] for one in client.apply(run)["maybe-not-in-state"]] == [
        "terraform_data.one"
    ]
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200
