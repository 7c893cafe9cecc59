"""Servers that die, and connections that do."""

import pytest

from tests.cli.command import eventually
from tests.faults.client import Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform
from tests.faults.reader import Reader


def test_a_log_reader_goes_on_without_a_gap_when_every_server_was_killed(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two", "three"), lines=300)
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/two")
    with Reader(client, client.apply(run)["log-read-url"]).following() as reader:
        eventually(lambda: b"one line 300" in reader.read, within_s=10)
        platform.kill_servers()
        gate.open(f"apply/{name}/two")
        eventually(lambda: reader.failures > 0, within_s=10)
        platform.restore()
        client.wait(run, "applied")
    assert bytes(reader.read) == client.read_log(client.apply(run)["log-read-url"], 0, 1 << 20)
    for each in ("one", "two", "three"):
        said = [f"{name} {each} line {number}" for number in range(1, 301)]
        # The server's death has taken nothing of what terraform said, and doubled nothing.
        lines = [
            line for line in reader.read.decode().splitlines() if f"{name} {each} line" in line
        ]
        assert [line.rpartition("): ")[2] for line in lines if "echo" not in line] == said


def test_a_log_reader_sees_both_attempts_at_a_plan_in_one_piece(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    gate.wait_for(f"plan/{name}")
    with Reader(client, client.plan(run)["log-read-url"]).following() as reader:
        eventually(
            lambda: b"outside: Refreshing" in reader.read, within_s=10, say=lambda: reader.read
        )
        platform.worker_of(run).kill()
        gate.wait_for(f"plan/{name}", count=2)
        gate.open(f"plan/{name}")
        client.wait(run, "planned")
    text = reader.read.decode()
    assert text.count("outside: Refreshing") == 2
    assert text.index("planning again") < text.rindex("outside: Refreshing")
    assert client.act(run, "discard") == 202


def test_runs_go_on_while_there_is_no_server(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
    )
    gate.wait_for(f"plan/{name}")
    platform.kill_servers()
    gate.open(f"plan/{name}")
    gate.wait_for(f"apply/{name}/one")
    platform.restore()
    client.wait(run, "applied")


@pytest.mark.parametrize("only_listeners", [True, False], ids=["listeners", "all"])
def test_cut_connections_to_the_database_cost_no_run_its_phase(
    platform: Platform,
    client: Client,
    gate: Gate,
    workspace: str,
    name: str,
    only_listeners: bool,
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
    )
    gate.wait_for(f"plan/{name}")
    # One of ours and one of the job engine's in each worker, one in each server.
    assert platform.cut_connections(only_listeners=only_listeners) >= 6
    gate.open(f"plan/{name}")
    client.wait(run, "applied", within_s=10)
    assert len(gate.at(f"plan/{name}")) == 1
    (attempts,) = platform.rows("SELECT sum(attempts) AS n FROM run_phases WHERE run_id = %s", run)
    assert attempts["n"] == 2
    assert all(worker.is_alive for worker in platform.workers)


def test_a_log_reader_is_woken_again_after_its_servers_listener_was_cut(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/two")
    with Reader(client, client.apply(run)["log-read-url"]).following() as reader:
        eventually(lambda: b"one: Creation complete" in reader.read, within_s=10)
        platform.cut_connections(only_listeners=True)
        gate.open(f"apply/{name}/two")
        eventually(lambda: b"two: Creation complete" in reader.read, within_s=5)
        client.wait(run, "applied")
    assert reader.failures == 0
