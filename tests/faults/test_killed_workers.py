"""kill -9 of a worker: a plan is made again, an apply never is."""

import time
from collections.abc import Callable, Iterator

import pytest

from landform.settings import Settings
from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Platform, since


def test_a_plan_whose_worker_was_killed_is_made_by_another(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    first = gate.wait_for(f"plan/{name}")
    killed = platform.worker_of(run)
    killed.kill()
    began = time.monotonic()
    platform.sees_death_of(run)
    gate.wait_for(f"plan/{name}", count=2)
    platform.measured("a killed plan runs again", since(began))
    assert first.is_cut
    assert platform.worker_of(run) is not killed
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
    assert "The worker stopped answering; planning again." in client.text_log(run)
    assert client.act(run, "apply") == 202
    client.wait(run, "applied")
    assert addresses(client.state(workspace)) == {"terraform_data.one"}


def test_a_plan_that_takes_every_worker_with_it_is_given_up_after_three_attempts(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    for attempt in (1, 2, 3):
        gate.wait_for(f"plan/{name}", count=attempt)
        platform.worker_of(run).kill()
        platform.restore()
        platform.sees_death_of(run, epoch=attempt)
    ended = client.wait(run, "errored", within_s=RECOVERY_S)
    assert ended["error"] == "The worker stopped answering while it planned."
    assert len(gate.at(f"plan/{name}")) == 3
    assert not client.workspace(workspace)["locked"]


@pytest.fixture(params=[{}, {"LANDFORM_SANDBOX": "off"}], ids=["auto", "off"])
def with_and_without_sandbox(
    request: pytest.FixtureRequest, platform: Platform
) -> Iterator[Platform]:
    with platform.workers_with(**request.param):
        yield platform


@pytest.mark.usefixtures("with_and_without_sandbox")
def test_an_apply_whose_worker_was_killed_is_never_done_again(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    before = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-0")))
    client.wait(before, "planned")
    assert client.act(before, "apply") == 202
    client.wait(before, "applied")
    state = client.state(workspace)

    objects = ("one", "two", "three")
    gate.hold(f"apply/{name}/two")
    configuration = client.upload(workspace, gated(gate, name, objects))
    run = client.start(workspace, configuration, **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/two")
    waiting = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-2")))
    eventually(lambda: "two: Creating" in client.text_log(run), within_s=15)
    platform.worker_of(run).kill()
    began = time.monotonic()

    ended = client.wait(run, "errored", within_s=RECOVERY_S)
    platform.measured("a killed apply is declared", since(began))
    assert "The worker stopped answering while it applied." in ended["error"]
    assert visit.is_cut
    assert client.state(workspace) == state
    made, begun = client.apply(run)["maybe-not-in-state"]
    assert made["address"] == "terraform_data.one"
    assert made["id-value"]
    assert begun["address"] == "terraform_data.two"
    locked = client.get(f"/workspaces/{workspace}")
    assert locked["attributes"]["locked"]
    assert locked["relationships"]["locked-by"]["data"] == {"type": "runs", "id": run}
    assert run in client.run(waiting)["wait-reason"]

    platform.restore()
    unlocked = client.post(f"/workspaces/{workspace}/actions/force-unlock")
    assert unlocked.status_code == 200, unlocked.text
    client.wait(waiting, "planned")
    assert client.act(waiting, "discard") == 202
    assert [len(gate.at(f"apply/{name}/{each}")) for each in objects] == [1, 1, 0]


def test_other_workspaces_go_on_when_a_worker_is_killed(
    platform: Platform,
    client: Client,
    gate: Gate,
    make_workspace: Callable[..., str],
    name: str,
) -> None:
    gate.hold(*(f"plan/{name}-{number}" for number in range(4)))
    runs = []
    for number in range(4):
        workspace = make_workspace()
        archive = gated(gate, f"{name}-{number}")
        runs.append(client.start(workspace, client.upload(workspace, archive)))
    for number in range(4):
        gate.wait_for(f"plan/{name}-{number}")
    platform.worker_of(runs[0]).kill()
    gate.open_all()
    platform.sees_death_of(runs[0])
    for run in runs:
        client.wait(run, "planned")
        assert client.act(run, "discard") == 202


def test_the_last_snapshot_of_a_killed_apply_is_kept_and_what_came_after_it_is_listed(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two", f"apply/{name}/four")
    archive = gated(gate, name, ("one", "two", "three", "four"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/two")
    # Terraform hands over a state in the middle of an apply at most every 20 s.
    eventually(lambda: since(visit.began) > 20.5, within_s=40)
    gate.open(f"apply/{name}/two")
    gate.wait_for(f"apply/{name}/four")
    eventually(lambda: client.state(workspace) is not None, within_s=15)
    eventually(lambda: "four: Creating" in client.text_log(run), within_s=15)
    platform.worker_of(run).kill()

    client.wait(run, "errored", within_s=RECOVERY_S)
    kept = addresses(client.state(workspace))
    listed = {each["address"] for each in client.apply(run)["maybe-not-in-state"]}
    assert "terraform_data.one" in kept
    assert "terraform_data.four" in listed
    assert kept | listed == {f"terraform_data.{each}" for each in ("one", "two", "three", "four")}
    assert not kept & listed
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200


def test_with_the_default_lease_too_a_death_is_seen_within_fifteen_seconds(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    defaults = Settings.model_fields
    lease_s, sweep_s = (defaults[each].default for each in ("lease_s", "sweep_s"))
    gate.hold(f"plan/{name}", f"apply/{name}/one")
    with platform.everything_with(LANDFORM_LEASE_S=str(lease_s), LANDFORM_SWEEP_S=str(sweep_s)):
        archive = gated(gate, name)
        run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
        gate.wait_for(f"plan/{name}")
        platform.worker_of(run).kill()
        killed = time.monotonic()
        platform.sees_death_of(run)
        gate.wait_for(f"plan/{name}", count=2)
        platform.measured("by default: a killed plan runs again", since(killed))
        platform.restore()
        gate.open(f"plan/{name}")
        gate.wait_for(f"apply/{name}/one")
        platform.worker_of(run).kill()
        killed = time.monotonic()
        client.wait(run, "errored", within_s=RECOVERY_S)
        platform.measured("by default: a killed apply is declared", since(killed))
    platform.restore()
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200
