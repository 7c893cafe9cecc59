"""PostgreSQL restarted, away, a standby that only reads, and silent on who listens."""

import httpx2
import pytest

from landform.kit.db import READ_ONLY
from tests.attacks.pages import signed_in
from tests.cli.command import eventually
from tests.faults.client import Client, addresses, insist
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import LEASE_S, RECOVERY_S, Platform
from tests.faults.reader import Reader

_AWAY_S = 2 * LEASE_S
_POLL_S = 10.0
"""Without a notification, work must be found within this."""


@pytest.mark.parametrize(
    "away_s", [0.0, _AWAY_S, 60.0], ids=["restarted", "longer than a lease", "60 s"]
)
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
        gate.wait_for(f"apply/{name}/two", within_s=30)
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
        eventually(lambda: first.is_cut, within_s=RECOVERY_S)
    second = gate.wait_for(f"plan/{name}", count=2)
    assert first.ended is not None
    assert first.ended < second.began  # never are two at it
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
    assert all(part.is_alive for part in (*platform.workers, *platform.servers))
    assert client.act(run, "discard") == 202


def test_a_standby_in_the_database_s_place_answers_what_reads_and_an_apply_is_saved_later(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/one")
    eventually(lambda: b"one: Creating" in client.text_log_of(run, "apply"), within_s=15)
    workspace_name = client.workspace(workspace)["name"]
    page = f"{platform.url}/app/faults/{workspace_name}/runs/{run}"
    with signed_in(platform) as browser:
        # What notes the time of a request would like to note it now.
        platform.change("UPDATE api_tokens SET last_used_at = NULL")
        platform.change("UPDATE browser_sessions SET seen_at = seen_at - interval '1 day'")
        with platform.with_standby():
            for server in platform.servers:  # connections to the one that is gone are lost first
                own = Client("http://{}:{}".format(*server.address or ()), platform.token)
                insist(lambda own=own: own.run(run))  # type: ignore[misc] # bound
                own.close()
            assert client.run(run)["status"] == "applying"
            assert b"one: Creating" in client.text_log_of(run, "apply")
            assert browser.get(page).status_code == 200
            ready = httpx2.get(f"{platform.url}/readyz", trust_env=False, timeout=30.0)
            assert (ready.status_code, ready.text) == (200, f"ready\nwarning: {READ_ONLY}\n")
            for path in ("/organizations/faults/workspaces", f"/runs/{run}/actions/cancel"):
                refused = client.post(path, {"data": {"attributes": {"name": f"{name}-no"}}})
                assert refused.status_code == 503
                assert refused.json()["errors"][0]["detail"] == READ_ONLY
            visit.let_through()
            gate.wait_for(f"apply/{name}/two", within_s=30)
            assert client.state(workspace) is None
        client.wait(run, "applied")
    (apply,) = platform.rows(
        "SELECT attempts FROM run_phases WHERE run_id = %s AND phase = 'apply'", run
    )
    assert apply["attempts"] == 1
    assert addresses(client.state(workspace)) == {"terraform_data.one", "terraform_data.two"}
    assert all(part.is_alive for part in (*platform.workers, *platform.servers))
    after = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-2")))
    _is_found(platform, after, "plan")
    client.wait(after, "planned")
    assert client.act(after, "discard") == 202


def test_nobody_needs_to_be_woken_to_find_work_orders_and_lines(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    platform.until_all_listen()
    assert platform.database.mute(b"LISTEN") >= 6
    try:
        gate.hold(f"plan/{name}", f"apply/{name}/one")
        run = client.start(
            workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
        )
        _is_found(platform, run, "plan")
        gate.wait_for(f"plan/{name}")
        gate.open(f"plan/{name}")
        client.wait(run, "apply_queued", "applying")
        _is_found(platform, run, "apply")
        visit = gate.wait_for(f"apply/{name}/one")
        with Reader(client, client.apply(run)["log-read-url"]).following() as reader:
            eventually(lambda: b"one: Creating" in reader.read, within_s=_POLL_S)
            assert client.act(run, "cancel") == 202
            eventually(lambda: visit.is_cut, within_s=_POLL_S)
            client.wait(run, "canceled")
        assert reader.failures == 0
    finally:
        platform.database.cut()  # so that they find out, and listen again


def _is_found(platform: Platform, run: str, phase: str) -> None:
    """Return once a worker has taken this phase; what terraform does then takes its own time."""
    begun = "SELECT 1 FROM run_phases WHERE run_id = %s AND phase = %s AND attempts > 0"
    eventually(lambda: bool(platform.rows(begun, run, phase)), within_s=_POLL_S)


def _status(url: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url, headers=headers, trust_env=False, timeout=30.0).status_code
