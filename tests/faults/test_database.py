"""PostgreSQL restarted, away for longer than a lease, and silent on the connections that listen."""

import httpx2
import pytest

from tests.cli.command import eventually
from tests.faults.client import Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import LEASE_S, Platform
from tests.faults.reader import Reader

_AWAY_S = 2 * LEASE_S
_POLL_S = 10.0
"""Without a notification, work must be found within this."""


@pytest.mark.parametrize("away_s", [0.0, _AWAY_S], ids=["restarted", "away"])
def test_an_apply_goes_on_while_there_is_no_database(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str, away_s: float
) -> None:
    gate.hold(f"apply/{name}/one")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/one")
    with platform.without_postgres(at_least_s=away_s):
        assert _status(f"{platform.url}/readyz") == 503
        assert _status(f"{platform.url}/api/v2/runs/{run}", platform.token) == 503
        visit.let_through()
        gate.wait_for(f"apply/{name}/two", within_s=10)
    client.wait(run, "applied")
    assert visit.passed
    (apply,) = platform.rows(
        "SELECT attempts FROM run_phases WHERE run_id = %s AND phase = 'apply'", run
    )
    assert apply["attempts"] == 1
    assert all(part.is_alive for part in (*platform.workers, *platform.servers))


def test_a_plan_is_made_although_the_database_was_away_for_longer_than_a_lease(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    first = gate.wait_for(f"plan/{name}")
    with platform.without_postgres(at_least_s=_AWAY_S):
        eventually(lambda: first.is_cut, within_s=LEASE_S)  # another may make it by now
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
    assert all(part.is_alive for part in (*platform.workers, *platform.servers))
    assert client.act(run, "discard") == 202


def test_nobody_needs_to_be_woken_to_find_work_orders_and_lines(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    # A listener of ours and one of the job engine's in each worker, one in each server.
    eventually(lambda: platform.database.mute(b"LISTEN") > 0, within_s=5)
    try:
        gate.hold(f"plan/{name}", f"apply/{name}/one")
        run = client.start(
            workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
        )
        gate.wait_for(f"plan/{name}", within_s=_POLL_S)
        gate.open(f"plan/{name}")
        gate.wait_for(f"apply/{name}/one", within_s=_POLL_S)
        with Reader(client, client.apply(run)["log-read-url"]).following() as reader:
            eventually(lambda: b"one: Creating" in reader.read, within_s=_POLL_S)
            assert client.act(run, "cancel") == 202
            client.wait(run, "canceled", within_s=_POLL_S)
        assert reader.failures == 0
    finally:
        platform.database.cut()  # so that they find out, and listen again


def _status(url: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url, headers=headers, trust_env=False, timeout=30.0).status_code
