"""Cancel, discard and force-cancel, at every stage and at once."""

from collections.abc import Callable, Iterator

import pytest

from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform


def test_a_canceled_plan_stops_and_the_next_run_has_its_turn(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    visit = gate.wait_for(f"plan/{name}")
    waiting = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-2")))
    assert client.act(run, "cancel") == 202
    assert client.act(run, "cancel") == 409
    assert not client.run(run)["actions"]["is-cancelable"]
    client.wait(run, "canceled")
    eventually(lambda: visit.is_cut, within_s=15)  # the gate may see it a moment later
    assert client.act(run, "cancel") == 409
    client.wait(waiting, "planned")
    assert client.act(waiting, "discard") == 202


def test_a_canceled_apply_keeps_the_state_of_what_it_made(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two", "three"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/two")
    assert client.act(run, "cancel") == 202
    ended = client.wait(run, "canceled")
    eventually(lambda: visit.is_cut, within_s=15)  # the gate may see it a moment later
    assert "terraform_data.one" in addresses(client.state(workspace))
    assert "terraform_data.three" not in addresses(client.state(workspace))
    assert client.apply(run)["status"] == "canceled"
    assert client.apply(run)["maybe-not-in-state"] == [], ended
    assert not client.workspace(workspace)["locked"]


def test_a_run_that_waits_for_its_turn_is_canceled_at_once_and_leaves_the_other_alone(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    gate.wait_for(f"plan/{name}")
    waiting = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-2")))
    assert client.act(waiting, "cancel") == 202
    assert client.run(waiting)["status"] == "canceled"
    assert client.run(run)["status"] == "planning"
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202
    assert gate.at(f"plan/{name}-2") == []


@pytest.mark.parametrize("phase", ["plan", "apply"])
def test_a_phase_that_waits_for_a_worker_is_canceled_at_once_and_never_begins(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str, phase: str
) -> None:
    configuration = client.upload(workspace, gated(gate, name))
    if phase == "apply":
        run = client.start(workspace, configuration)
        client.wait(run, "planned")
    for worker in platform.workers:
        worker.freeze()
    if phase == "apply":
        assert client.act(run, "apply") == 202
    else:
        run = client.start(workspace, configuration)
    assert client.run(run)["status"] == f"{phase}_queued"
    assert client.run(run)["wait-reason"] == "Waiting for a worker."
    assert client.act(run, "cancel") == 202
    assert client.run(run)["status"] == "canceled"
    assert not client.workspace(workspace)["locked"]
    for worker in platform.workers:
        worker.thaw()
    after = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-2")))
    client.wait(after, "planned")
    assert client.act(after, "discard") == 202
    assert gate.at(f"apply/{name}/one") == []
    assert len(gate.at(f"plan/{name}")) == (1 if phase == "apply" else 0)


@pytest.fixture
def patient(platform: Platform) -> Iterator[Platform]:
    """Workers that may be frozen for a while and keep what they do."""
    with platform.workers_with(LANDFORM_LEASE_S="120"):
        yield platform


def test_a_run_is_force_canceled_only_when_it_had_its_time_to_stop(
    patient: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    visit = gate.wait_for(f"plan/{name}")
    worker = patient.worker_of(run)
    worker.freeze()  # so that it does not kill it when that time is over
    assert client.act(run, "force-cancel") == 409
    assert client.act(run, "cancel") == 202
    assert client.act(run, "force-cancel") == 409
    assert not client.run(run)["actions"]["is-force-cancelable"]
    _let_ten_seconds_pass(patient, run)
    assert client.run(run)["actions"]["is-force-cancelable"]
    assert client.act(run, "force-cancel") == 202
    worker.thaw()
    client.wait(run, "canceled")
    eventually(lambda: visit.is_cut, within_s=15)  # the gate may see it a moment later
    assert client.act(run, "force-cancel") == 409


def test_an_apply_that_was_force_canceled_keeps_the_lock_and_names_what_it_made(
    patient: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/two")
    eventually(lambda: "two: Creating" in client.text_log(run), within_s=15)
    patient.worker_of(run).freeze()  # so that it cannot stop by itself before it is killed
    assert client.act(run, "cancel") == 202
    _let_ten_seconds_pass(patient, run)
    assert client.act(run, "force-cancel") == 202
    patient.worker_of(run).thaw()
    client.wait(run, "canceled")
    eventually(lambda: visit.is_cut, within_s=15)  # the gate may see it a moment later
    assert client.workspace(workspace)["locked"]
    told = {each["address"] for each in client.apply(run)["maybe-not-in-state"]}
    assert told == {"terraform_data.one", "terraform_data.two"}
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200


def test_a_force_cancel_repeated_ends_a_run_whatever_its_worker_does(
    patient: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    visit = gate.wait_for(f"plan/{name}")
    worker = patient.worker_of(run)
    worker.freeze()
    assert client.act(run, "cancel") == 202
    _let_ten_seconds_pass(patient, run)
    assert client.act(run, "force-cancel") == 202
    assert client.act(run, "force-cancel") == 202
    assert client.run(run)["status"] == "canceled"
    worker.thaw()
    eventually(lambda: visit.is_cut, within_s=15)


def test_a_plan_that_was_canceled_when_its_worker_died_is_not_made_again(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    gate.wait_for(f"plan/{name}")
    worker = platform.worker_of(run)
    worker.freeze()
    assert client.act(run, "cancel") == 202
    worker.kill()
    client.wait(run, "canceled")
    assert len(gate.at(f"plan/{name}")) == 1


def test_a_plan_only_run_is_canceled_like_any_other(
    platform: Platform,
    client: Client,
    gate: Gate,
    make_workspace: Callable[..., str],
    name: str,
) -> None:
    workspace = make_workspace()
    gate.hold(f"plan/{name}")
    configuration = client.upload(workspace, gated(gate, name))
    run = client.start(workspace, configuration, **{"plan-only": True})
    gate.wait_for(f"plan/{name}")
    assert client.act(run, "cancel") == 202
    client.wait(run, "canceled")


def _let_ten_seconds_pass(platform: Platform, run: str) -> None:
    assert platform.change(
        "UPDATE runs SET cancel_asked_at = cancel_asked_at - interval '10 s' WHERE id = %s", run
    )
