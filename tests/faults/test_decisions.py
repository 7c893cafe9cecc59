"""Confirm and discard, twice, at once, and on a plan that is stale."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from landform.contract import Artefact
from landform.runs.attempt_paths import artefact_path
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform


@pytest.mark.parametrize(
    ("actions", "ends"),
    [
        (("apply", "apply"), {"applied"}),
        (("apply", "discard"), {"applied", "discarded"}),
        (("discard", "discard"), {"discarded"}),
    ],
)
def test_of_two_decisions_at_once_exactly_one_is_taken(
    platform: Platform,
    client: Client,
    gate: Gate,
    workspace: str,
    name: str,
    actions: Sequence[str],
    ends: set[str],
) -> None:
    for attempt in range(2):
        archive = gated(gate, f"{name}-{attempt}")
        run = client.start(workspace, client.upload(workspace, archive))
        client.wait(run, "planned")
        assert sorted(_at_once(platform, run, actions)) == [202, 409]
        client.wait(run, *ends)


def test_a_saved_plan_is_refused_when_the_state_moved_since(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    saved = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"save-plan": True}
    )
    client.wait(saved, "planned_and_saved")
    other = client.start(
        workspace, client.upload(workspace, gated(gate, f"{name}-2")), **{"auto-apply": True}
    )
    client.wait(other, "applied")
    state = client.state(workspace)
    refused = client.post(f"/runs/{saved}/actions/apply")
    assert refused.status_code == 409
    assert "is discarded" in refused.text
    assert client.run(saved)["status"] == "discarded"
    assert gate.at(f"apply/{name}/one") == []
    assert client.state(workspace) == state


def test_a_saved_plan_that_goes_stale_while_it_waits_is_not_applied(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    saved = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"save-plan": True}
    )
    client.wait(saved, "planned_and_saved")
    gate.hold(f"apply/{name}-2/one")
    other = client.start(
        workspace, client.upload(workspace, gated(gate, f"{name}-2")), **{"auto-apply": True}
    )
    gate.wait_for(f"apply/{name}-2/one")
    assert client.act(saved, "apply") == 202
    assert client.run(saved)["status"] == "confirmed"
    assert other in client.run(saved)["wait-reason"]
    gate.open(f"apply/{name}-2/one")
    client.wait(other, "applied")
    ended = client.wait(saved, "errored")
    assert "changed after the plan was made" in ended["error"]
    assert gate.at(f"apply/{name}/one") == []
    assert not client.workspace(workspace)["locked"]


def test_a_saved_plan_is_applied_when_nothing_moved(
    platform: Platform, client: Client, gate: Gate, make_workspace: Callable[..., str], name: str
) -> None:
    workspace = make_workspace()
    saved = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"save-plan": True}
    )
    client.wait(saved, "planned_and_saved")
    assert client.act(saved, "apply") == 202
    client.wait(saved, "applied")


def test_a_configuration_that_came_after_the_plan_is_not_what_is_applied(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    client.wait(run, "planned")
    client.upload(workspace, gated(gate, f"{name}-2", ("one", "two")))
    assert client.act(run, "apply") == 202
    client.wait(run, "applied")
    assert addresses(client.state(workspace)) == {"terraform_data.one"}
    assert gate.at(f"apply/{name}-2/one") == []


@pytest.mark.parametrize("file", ["plan", "configuration"])
def test_a_plan_that_was_altered_on_the_disk_is_not_applied(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str, file: str
) -> None:
    configuration = client.upload(workspace, gated(gate, name))
    run = client.start(workspace, configuration)
    client.wait(run, "planned")
    plan = artefact_path(run.replace("run-", "plan-", 1), Artefact.PLAN, 1)
    path = plan if file == "plan" else f"configurations/{configuration}.tar.gz"
    altered = platform.home / "objects" / path
    content = bytearray(altered.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    assert client.act(run, "apply") == 202
    ended = client.wait(run, "errored")
    assert "altered" in ended["error"], ended
    assert gate.at(f"apply/{name}/one") == []
    assert client.state(workspace) is None
    assert not client.workspace(workspace)["locked"]


def _at_once(platform: Platform, run: str, actions: Sequence[str]) -> list[int]:
    def act(action: str) -> int:
        own = Client(platform.url, platform.token)
        try:
            return own.act(run, action)
        finally:
            own.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))
