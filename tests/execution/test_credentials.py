"""Short-lived credentials: the tool finds them, nobody reads them, and Vault gets its back."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from landform.contract import Credentials, Outcome, PhaseJob, VaultLogin
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.sandbox import Sandbox, SandboxMode, detect
from landform.kit.egress_allow import Allow
from tests.standins.vault import Role, Vault, vault

from .conftest import Configure, apply_job, make_host, plan_job
from .recorder import Recorder
from .test_runs import both_logs, outputs

ISSUER = "https://landform.example.com"
SUBJECT = "organization:acme:project:main:workspace:hello:run_phase:plan"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbb"
GIVEN = Credentials(
    files={"workload-aws-token": TOKEN, "workload-aws-config": "token={files}/workload-aws-token"},
    environment={"AWS_WEB_IDENTITY_TOKEN_FILE": "{files}/workload-aws-token", "KUBE_TOKEN": TOKEN},
    secrets=[TOKEN],
)
PRINTS = """
resource "terraform_data" "it" {
  provisioner "local-exec" {
    command = <<-EOT
      set -e
      test "$(cat $AWS_WEB_IDENTITY_TOKEN_FILE)" = "$KUBE_TOKEN"
      test "$(stat -c %a $AWS_WEB_IDENTITY_TOKEN_FILE)" = 600
      echo "seen: $KUBE_TOKEN"
    EOT
  }
}
"""


async def test_the_tool_finds_files_and_environment_and_no_log_shows_them(
    configure: Configure, plane: Recorder, host: Host
) -> None:
    configure(PRINTS)
    planned = await run_phase(plan_job(credentials=GIVEN), plane, host=host)
    assert planned.outcome is Outcome.FINISHED, planned
    applied = await run_phase(apply_job(credentials=GIVEN), plane, host=host)
    assert applied.outcome is Outcome.FINISHED, both_logs(plane, apply_job())
    assert "seen: " in plane.text(apply_job())
    assert TOKEN not in both_logs(plane, apply_job()) + both_logs(plane, plan_job())
    assert not list(host.phases.glob("*"))


ALIASED = """
variable "tfc_aws_dynamic_credentials" {
  type = object({
    default = object({ shared_config_file = string })
    aliases = map(object({ shared_config_file = string }))
  })
}
resource "terraform_data" "it" { input = 1 }
output "config" {
  value = file(var.tfc_aws_dynamic_credentials.aliases["EAST"].shared_config_file)
}
"""
TAGGED = Credentials(
    files={"workload-aws-EAST-config": "[default] of {files}"},
    terraform={
        "tfc_aws_dynamic_credentials": json.dumps(
            {
                "default": {"shared_config_file": ""},
                "aliases": {"EAST": {"shared_config_file": "{files}/workload-aws-EAST-config"}},
            }
        )
    },
)


async def test_provider_blocks_with_an_alias_find_theirs_in_a_variable(
    configure: Configure, plane: Recorder, host: Host
) -> None:
    configure(ALIASED)
    assert (await run_phase(plan_job(credentials=TAGGED), plane, host=host)).error == ""
    assert (await run_phase(apply_job(credentials=TAGGED), plane, host=host)).error == ""
    assert outputs(plane)["config"] == "[default] of /landform/in"


async def test_without_a_sandbox_tags_are_refused_as_paths_would_change(
    configure: Configure, plane: Recorder, tmp_path: Path
) -> None:
    configure(ALIASED)
    bare = make_host(tmp_path / "bare", await detect(SandboxMode.OFF))
    result = await run_phase(plan_job(credentials=TAGGED), plane, host=bare)
    assert result.outcome is Outcome.ERRORED
    assert "Install bubblewrap" in result.error


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def server(key: RSAKey) -> Iterator[Vault]:
    public = {"keys": [key.as_dict(private=False)]}
    with vault(ISSUER, lambda: public, namespace="admin") as running:
        running.roles["run"] = Role(SUBJECT)
        yield running


def login(server: Vault, key: RSAKey, **changes: str) -> PhaseJob:
    moment = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": "vault.workload.identity"}
    claims |= {"nbf": moment - 60, "exp": moment + 600}  # type: ignore[dict-item]
    token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
    asked = {"address": server.url, "mount": "jwt", "role": "run", "namespace": "admin"}
    asked |= {"jwt": token} | changes
    return plan_job(credentials=Credentials(vault=VaultLogin(**asked), secrets=[token]))


@pytest.fixture
def open_host(tmp_path: Path, sandbox: Sandbox) -> Host:
    """A worker whose operator lets it call loopback."""
    return make_host(tmp_path / "open", sandbox, egress=Allow.parse("127.0.0.0/8"))


SIMPLE = 'resource "terraform_data" "it" {}'


async def test_a_run_is_signed_in_to_vault_for_as_long_as_it_lasts(
    configure: Configure, plane: Recorder, open_host: Host, server: Vault, key: RSAKey
) -> None:
    configure(SIMPLE)
    result = await run_phase(login(server, key), plane, host=open_host)
    assert result.outcome is Outcome.FINISHED, result
    assert len(server.server.asked("POST", "login$")) == 1
    assert len(server.server.asked("POST", "revoke-self$")) == 1
    assert not server.tokens


async def test_vaults_refusal_is_said_with_what_to_look_at(
    configure: Configure, plane: Recorder, open_host: Host, server: Vault, key: RSAKey
) -> None:
    configure(SIMPLE)
    server.roles["run"] = Role("organization:other")
    result = await run_phase(login(server, key), plane, host=open_host)
    assert result.outcome is Outcome.ERRORED
    assert "sub claim does not match bound subject" in result.error
    assert "/.well-known/openid-configuration" in result.error


async def test_a_vault_on_a_private_address_needs_the_operators_leave(
    configure: Configure, plane: Recorder, host: Host, server: Vault, key: RSAKey
) -> None:
    configure(SIMPLE)
    result = await run_phase(login(server, key), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "LANDFORM_EGRESS_ALLOW" in result.error
    assert not server.server.requests


async def test_what_a_run_has_to_know_about_itself_is_the_first_line_of_its_log(
    configure: Configure, plane: Recorder, host: Host
) -> None:
    configure(SIMPLE)
    await run_phase(plan_job(notice="This is the code of a fork."), plane, host=host)
    assert plane.text(plan_job()).startswith("This is the code of a fork.\n")
