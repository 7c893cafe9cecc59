"""Hundreds of runs on two servers and two workers, of which one each stands still for a while."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.cli.command import eventually
from tests.faults.client import Client
from tests.faults.configurations import pack
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Part, Platform, since

_WORKSPACES = 20
_FROZEN_AFTER = 0.1
_PATIENCE_S = 900.0
_MAIN = """
variable "number" {}

resource "terraform_data" "one" {
  triggers_replace = var.number
  provisioner "local-exec" {
    interpreter = ["/bin/bash", "-c"]
    command     = <<-EOT
      exec 3<>/dev/tcp/127.0.0.1/PORT
      printf 'GET /many/NAME/${var.number} HTTP/1.0\\r\\n\\r\\n' >&3
      read -r answer <&3; [[ $answer == *200* ]]
    EOT
  }
}
"""


@pytest.mark.parametrize(
    ("runs", "frozen_s"),
    [
        pytest.param(60, 10.0, id="60 runs"),
        pytest.param(500, 90.0, id="500 runs", marks=[pytest.mark.long, pytest.mark.timeout(1200)]),
    ],
)
def test_while_one_server_and_one_worker_stand_still_each_run_is_applied_once_and_in_order(
    platform: Platform,
    client: Client,
    gate: Gate,
    make_workspace: Callable[..., str],
    name: str,
    runs: int,
    frozen_s: float,
) -> None:
    began = time.monotonic()
    queued = _queue(client, gate, make_workspace, name, runs)
    eventually(lambda: len(gate.visits) >= runs * _FROZEN_AFTER, within_s=60)
    worker, server = platform.workers[0], platform.servers[0]
    eventually(lambda: _freezes_at_work(platform, worker), within_s=30)
    server.freeze()
    frozen = time.monotonic()
    held = _held_by(platform, worker)
    operator = Client("http://{}:{}".format(*platform.servers[1].address or ()), platform.token)
    _unlock_until(operator, platform, queued, lambda: since(frozen) > frozen_s)
    for part in (worker, server):
        part.thaw()
    _unlock_until(operator, platform, queued, lambda: not _open_runs(platform, queued))
    operator.close()
    platform.measured(f"{runs} runs, two parts frozen for {frozen_s:.0f} s", since(began))

    ended = {row["id"]: row["status"] for row in platform.rows("SELECT id, status FROM runs")}
    lost = {run for each in queued.values() for run in each if ended[run] != "applied"}
    assert lost <= {row["run_id"] for row in held if row["phase"] == "apply"}
    _check_zombie(platform, worker, held, lost)
    _check_order(gate, name, queued, lost)


def _queue(
    client: Client, gate: Gate, make_workspace: Callable[..., str], name: str, runs: int
) -> dict[str, list[str]]:
    """Create runs, one after another in each workspace; return their ids by workspace."""
    workspaces = [make_workspace() for _ in range(_WORKSPACES)]
    main = _MAIN.replace("PORT", str(gate.port))
    configurations = [
        client.upload(workspace, pack({"main.tf": main.replace("NAME", f"{name}-{number}")}))
        for number, workspace in enumerate(workspaces)
    ]
    queued: dict[str, list[str]] = defaultdict(list)
    for number in range(runs):
        workspace = workspaces[number % _WORKSPACES]
        variable = {"key": "number", "value": f'"{number // _WORKSPACES}"'}
        run = client.start(
            workspace,
            configurations[number % _WORKSPACES],
            **{"auto-apply": True, "variables": [variable]},
        )
        queued[workspace].append(run)
    return queued


def _held_by(platform: Platform, worker: Part) -> Sequence[dict[str, Any]]:
    return platform.rows(
        "SELECT phase_id, run_id, phase, epoch FROM leases"
        " WHERE state = 'leased' AND worker_id LIKE %s",
        f"%-{worker.pid}",
    )


def _freezes_at_work(platform: Platform, worker: Part) -> bool:
    """Freeze the worker; let it go on where it has no phase, as between two."""
    worker.freeze()
    if _held_by(platform, worker):
        return True
    worker.thaw()
    return False


def _open_runs(platform: Platform, queued: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:
    """Return which of the runs are not over; tests before this one have left others."""
    return platform.rows(
        "SELECT id FROM runs WHERE workspace_id = ANY(%s) AND NOT status IN ('applied', 'errored')",
        list(queued),
    )


def _unlock_until(
    operator: Client,
    platform: Platform,
    queued: Mapping[str, Sequence[str]],
    is_enough: Callable[[], bool],
) -> None:
    """Unlock what an apply that died has left locked, so that its queue goes on."""
    left_locked = """SELECT DISTINCT workspace.id FROM workspaces AS workspace
        JOIN runs AS run ON run.id = workspace.lock_holder_id
        WHERE workspace.id = ANY(%s) AND run.status = 'errored'"""

    def look() -> bool:
        for row in platform.rows(left_locked, list(queued)):
            operator.post(f"/workspaces/{row['id']}/actions/force-unlock")
        return is_enough()

    eventually(look, within_s=_PATIENCE_S)


def _check_zombie(
    platform: Platform, zombie: Part, held: Sequence[dict[str, Any]], lost: set[str]
) -> None:
    """What the frozen worker wanted to write when it went on changed nothing."""
    by_id = {
        row["id"]: row for row in platform.rows("SELECT id, attempts, artefacts FROM run_phases")
    }
    taken_over = _taken_over(platform)
    given_up = set[str]()
    for lease in held:
        phase = by_id[lease["phase_id"]]
        is_apply, is_lost = lease["phase"] == "apply", lease["run_id"] in lost
        if (lease["phase_id"], lease["epoch"]) not in taken_over:
            assert phase["attempts"] == 1
            # Its last word was on the way when the worker froze; or, thawed before anybody took
            # the apply over, the worker stopped it by itself.
            if is_lost:
                given_up.add(lease["phase_id"])
            continue
        given_up.add(lease["phase_id"])
        if is_apply:
            assert phase["attempts"] == 1
            assert is_lost
        else:
            assert phase["attempts"] > 1
            assert lease["epoch"] not in phase["artefacts"].values()
    assert given_up
    eventually(
        lambda: given_up <= _unfinished(zombie),
        within_s=RECOVERY_S,
        say=lambda: [line for line in zombie.said() if line.get("phase") in given_up],
    )


def _taken_over(platform: Platform) -> set[tuple[str, int]]:
    """Return phase and epoch of each attempt that was taken from its worker."""
    rows = platform.rows(
        "SELECT payload->>'phase_id' AS phase_id, (payload->>'epoch')::int AS epoch"
        " FROM events WHERE name = 'PhaseInterrupted'"
    )
    return {(row["phase_id"], row["epoch"]) for row in rows}


def _unfinished(worker: Part) -> set[str]:
    """Return the phases that the worker gave up, or was too late to end."""
    return {
        line["phase"]
        for line in worker.said()
        if line.get("event") == "The result came too late"
        or (line.get("event") == "phase ended" and line["outcome"] != "finished")
    }


def _check_order(gate: Gate, name: str, queued: dict[str, list[str]], lost: set[str]) -> None:
    """Each run that was applied made its object once, after those of the runs before it.

    One that was lost may make its own at any time after its worker went on: terraform was frozen
    with it, and the workspace was unlocked for the others as if somebody had looked.
    """
    passed = defaultdict(list)
    for visit in gate.visits:
        workspace, _, number = visit.place.removeprefix(f"many/{name}-").partition("/")
        passed[int(workspace)].append((int(number), visit.passed))
    for at, runs in enumerate(queued.values()):
        numbers = [number for number, _ in passed[at]]
        assert len(numbers) == len(set(numbers))
        applied = [number for number in numbers if runs[number] not in lost]
        assert applied == sorted(applied)
        was_passed = {number for number, was_passed in passed[at] if was_passed}
        assert {number for number, run in enumerate(runs) if run not in lost} <= was_passed
