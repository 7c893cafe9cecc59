"""The queue of a workspace: one run at a time, in order, and every waiting run says why."""

from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform


def test_five_runs_of_a_workspace_are_applied_one_after_another_in_order(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    names = [f"{name}-{number}" for number in range(5)]
    configurations = [client.upload(workspace, gated(gate, each)) for each in names]
    runs = [
        client.start(workspace, configuration, **{"auto-apply": True})
        for configuration in configurations
    ]
    client.wait(runs[-1], "applied", within_s=200)
    assert {client.run(run)["status"] for run in runs} == {"applied"}
    places = {f"{phase}/{each}" for each in names for phase in ("plan", "apply")}
    seen = [visit.place.removesuffix("/one") for visit in gate.visits]
    expected = [f"{phase}/{each}" for each in names for phase in ("plan", "apply")]
    assert [place for place in seen if place in places] == expected
    assert addresses(client.state(workspace)) == {"terraform_data.one"}


def test_a_locked_workspace_holds_its_queue_and_says_why(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    path = f"/workspaces/{workspace}/actions"
    assert client.post(f"{path}/lock", {"reason": "moving house"}).status_code == 200
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    waiting = client.run(run)
    assert waiting["status"] == "pending"
    assert "moving house" in waiting["wait-reason"]
    assert client.post(f"{path}/unlock").status_code == 200
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202


def test_a_plan_only_run_overtakes_the_queue(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    gate.wait_for(f"plan/{name}")
    configuration = client.upload(workspace, gated(gate, f"{name}-2"))
    waiting = client.start(workspace, configuration)
    speculative = client.start(
        workspace,
        client.upload(workspace, gated(gate, f"{name}-3"), speculative=True),
    )
    client.wait(speculative, "planned_and_finished")
    assert client.run(waiting)["wait-reason"] == f"Waiting for {run}, which is planning."
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
    assert "Waiting for" in client.run(waiting)["wait-reason"]
    assert client.act(run, "discard") == 202
    client.wait(waiting, "planned")
    assert client.act(waiting, "discard") == 202


def test_a_run_whose_worker_was_killed_keeps_its_place(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    first = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
    )
    gate.wait_for(f"plan/{name}")
    second = client.start(
        workspace, client.upload(workspace, gated(gate, f"{name}-2")), **{"auto-apply": True}
    )
    platform.worker_of(first).kill()
    gate.wait_for(f"plan/{name}", count=2)
    assert client.run(second)["status"] == "pending"
    gate.open(f"plan/{name}")
    client.wait(second, "applied")
    assert client.run(first)["status"] == "applied"
