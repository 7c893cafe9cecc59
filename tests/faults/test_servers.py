"""Servers that die, and connections that do."""

import socket
from urllib.parse import urlsplit

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
        eventually(lambda: b"one line 300" in reader.read, within_s=30)
        platform.kill_servers()
        gate.open(f"apply/{name}/two")
        eventually(lambda: reader.failures > 0, within_s=30)
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
            lambda: b"outside: Refreshing" in reader.read, within_s=30, say=lambda: reader.read
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
    platform.until_all_listen()
    assert platform.cut_connections(only_listeners=only_listeners) >= 6
    gate.open(f"plan/{name}")
    client.wait(run, "applied")
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
        eventually(lambda: b"one: Creation complete" in reader.read, within_s=30)
        platform.cut_connections(only_listeners=True)
        gate.open(f"apply/{name}/two")
        eventually(lambda: b"two: Creation complete" in reader.read, within_s=30)
        client.wait(run, "applied")
    assert reader.failures == 0


def test_a_server_that_is_stopped_lets_readers_go_on_at_the_other(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two", f"apply/{name}/three")
    archive = gated(gate, name, ("one", "two", "three"), lines=200)
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/two")
    address = client.apply(run)["log-read-url"]
    readers = [Reader(client, address) for _ in range(4)]
    with (
        readers[0].following(),
        readers[1].following(),
        readers[2].following(),
        readers[3].following(),
    ):
        eventually(lambda: all(b"one line 200" in each.read for each in readers), within_s=30)
        stopped = platform.servers[0]
        stopped.terminate()
        gate.open(f"apply/{name}/two")
        gate.wait_for(f"apply/{name}/three")
        assert stopped.wait() == 0
        gate.open(f"apply/{name}/three")
        client.wait(run, "applied")
    whole = client.read_log(address, 0, 1 << 20)
    assert [bytes(each.read) for each in readers] == [whole] * 4
    assert sum(each.refusals for each in readers) == 0


def test_a_server_that_is_stopped_ends_the_request_that_it_has(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    stopped = platform.servers[0]
    assert stopped.address is not None
    host, port = stopped.address
    own = Client(f"http://{host}:{port}", platform.token)
    archive = gated(gate, name)
    configuration = own.announce(workspace)
    with socket.create_connection(stopped.address, timeout=30) as connection:
        path = urlsplit(own.upload_address(configuration)).path
        lines = (
            *(f"PUT {path} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(archive)}"),
            *("Expect: 100-continue", "", ""),
        )
        connection.sendall("\r\n".join(lines).encode())
        # Only a request that it has begun to read is one that it has.
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(archive[:100])
        own.close()
        stopped.terminate()
        eventually(lambda: not _takes_connections(stopped.address), within_s=30)
        connection.sendall(archive[100:])
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert stopped.wait() == 0
    run = client.start(workspace, configuration)
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202


def _takes_connections(address: tuple[str, int] | None) -> bool:
    assert address is not None
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True
