"""What an apply that died has made is taken into the state, and nothing is made a second time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import command
from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated_objects, pack
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Platform
from tests.faults.provider import SOURCE, make_mirror


@pytest.fixture
def bare(platform: Platform, tmp_path: Path) -> Iterator[Platform]:
    """Without a sandbox, so that the provider reaches its things, which are files."""
    mirror = make_mirror(tmp_path / "mirror")
    with platform.workers_with(
        LANDFORM_SANDBOX="off", LANDFORM_PROVIDER_MIRROR=str(mirror)
    ) as with_provider:
        yield with_provider


def test_after_a_recovery_terraform_makes_nothing_a_second_time(
    bare: Platform, client: Client, gate: Gate, workspace: str, name: str, tmp_path: Path
) -> None:
    world = tmp_path / "world"
    world.mkdir()
    main = f"""
        terraform {{
          required_providers {{
            world = {{ source = "{SOURCE}" }}
          }}
        }}
        resource "world_thing" "made" {{
          for_each  = toset(["a", "b \\"$${{c}}"])
          name      = each.key
          directory = "{world}"
        }}
        {gated_objects(gate, name, ("last",), after="world_thing.made")}
    """
    gate.hold(f"apply/{name}/last")
    archive = pack({"main.tf": main})
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/last", within_s=60)
    eventually(lambda: "last: Creating" in client.text_log(run), within_s=15)
    bare.worker_of(run).kill()
    client.wait(run, "errored", within_s=RECOVERY_S)
    bare.restore()
    assert len(list(world.iterdir())) == 2
    assert client.state(workspace) is None

    file = tmp_path / "recover.tf"
    said = _recover(bare, run, file)
    assert "3 import block(s), 2 of them with an id" in said
    assert {each["import-block"] for each in client.apply(run)["maybe-not-in-state"]} <= set(
        file.read_text().strip().split("\n\n")
    )
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200

    # What a provisioner started outlives its worker where no sandbox holds it; it still asks.
    main = main.replace(f"apply/{name}/", f"apply/{name}-2/")
    archive = pack({"main.tf": main})
    without = client.start(workspace, client.upload(workspace, archive))
    client.wait(without, "planned")
    assert client.plan(without)["resource-additions"] == 3  # as it would be without a recovery
    assert client.act(without, "discard") == 202
    archive = pack({"main.tf": main, "recover.tf": file.read_text()})
    recovered = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    client.wait(recovered, "applied", within_s=60)
    plan = client.plan(recovered)
    assert (plan["resource-imports"], plan["resource-additions"]) == (2, 1)
    assert len(list(world.iterdir())) == 2
    assert addresses(client.state(workspace)) == {"world_thing.made", "terraform_data.last"}


def test_a_run_that_lost_nothing_needs_no_recovery(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str, tmp_path: Path
) -> None:
    archive = gated_objects(gate, name, ("one",))
    run = client.start(
        workspace,
        client.upload(workspace, pack({"main.tf": archive})),
        **{"auto-apply": True},
    )
    client.wait(run, "applied")
    assert "nothing to do" in _recover(platform, run, tmp_path / "recover.tf")
    assert not (tmp_path / "recover.tf").exists()


def _recover(platform: Platform, run: str, file: Path) -> str:
    """Write the file by the API and by the database; both say the same."""
    url, other = platform.url, file.with_name("other.tf")
    words = ("runs", "recover", run)
    done = command.run(*words, "--url", url, "--output", file, LANDFORM_TOKEN=platform.token)
    assert done.returncode == 0, done.stderr
    environment = {
        "LANDFORM_HOME": str(platform.home),
        "LANDFORM_DATABASE_URL": platform.database_url,
    }
    there = command.run(*words, "--output", other, **environment)
    assert there.returncode == 0, there.stderr
    if file.exists():
        assert other.read_text() == file.read_text()
        again = command.run(*words, "--output", other, **environment)
        assert again.returncode == 1
        assert "is there already" in again.stderr
    wrong = command.run(*words, "--url", url, LANDFORM_TOKEN="wrong")
    assert (wrong.returncode, "does not take the token" in wrong.stderr) == (1, True)
    unknown = command.run(*words[:2], "run-none", "--url", url, LANDFORM_TOKEN=platform.token)
    assert (unknown.returncode, "There is no run-none" in unknown.stderr) == (1, True)
    return done.stdout
