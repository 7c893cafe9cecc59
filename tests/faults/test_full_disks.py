"""No room on the disk of a worker, of a server, of the object store."""

from tests.cli.command import eventually
from tests.faults.client import Client, addresses, put
from tests.faults.configurations import gated
from tests.faults.disks import full
from tests.faults.gate import Gate
from tests.faults.platform import Platform


def test_a_full_store_refuses_a_configuration_and_takes_it_once_there_is_room(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    configuration = client.announce(workspace)
    address = client.upload_address(configuration)
    archive = gated(gate, name)
    with full(platform.home / "objects" / "configurations"):
        refused = put(address, archive)
    assert refused.status_code == 503
    assert "did not take" in refused.text
    found = client.get(f"/configuration-versions/{configuration}")["attributes"]
    assert found["status"] == "pending"
    assert put(address, archive).status_code == 200
    run = client.start(workspace, configuration)
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202


def test_an_apply_waits_for_a_full_store_and_its_state_is_whole(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/one")
    with full(platform.home / "objects" / "states"):
        gate.open(f"apply/{name}/one")
        eventually(lambda: "Apply complete!" in client.text_log(run), within_s=60)
        assert client.run(run)["status"] == "applying"
        assert client.state(workspace) is None
    client.wait(run, "applied")
    assert addresses(client.state(workspace)) == {"terraform_data.one", "terraform_data.two"}


def test_a_server_without_room_to_check_an_upload_says_so_and_takes_it_later(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    archive = gated(gate, name)
    client.upload(workspace, archive)  # from now on the server knows where its room is
    configuration = client.announce(workspace)
    address = client.upload_address(configuration)
    with full(platform.temporary):
        refused = put(address, archive)
    assert refused.status_code == 503
    assert "no room" in refused.text
    assert put(address, archive).status_code == 200
    run = client.start(workspace, configuration)
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202


def test_a_worker_without_room_ends_a_plan_with_a_clear_error(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    configuration = client.upload(workspace, gated(gate, name))
    with full(*(room / "phases" for room in platform.rooms())):
        run = client.start(workspace, configuration)
        ended = client.wait(run, "errored")
    assert "no room" in ended["error"].lower(), ended
    again = client.start(workspace, configuration)
    client.wait(again, "planned")
    assert client.act(again, "discard") == 202


def test_a_state_for_which_a_worker_has_no_room_reaches_the_platform_all_the_same(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    run = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
    )
    gate.wait_for(f"apply/{name}/one")
    with full(*(room / "spool" for room in platform.rooms())):
        gate.open(f"apply/{name}/one")
        client.wait(run, "applied", within_s=120)
    assert client.apply(run)["maybe-not-in-state"] == []
    assert addresses(client.state(workspace)) == {"terraform_data.one"}
