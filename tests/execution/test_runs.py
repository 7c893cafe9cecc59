"""What users do with plans and applies."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from landform.contract import Artefact, LogStream, Outcome, PhaseJob
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.sandbox import Sandbox

from .conftest import Configure, apply_job, env, make_host, plan_job, tar_of, terraform
from .recorder import Recorder


def both_logs(plane: Recorder, job: PhaseJob) -> str:
    return plane.text(job) + plane.text(job, LogStream.JSON)


def outputs(plane: Recorder) -> dict[str, Any]:
    document: dict[str, Any] = plane.states[-1].document
    return {name: output["value"] for name, output in document["outputs"].items()}


async def run_both(plane: Recorder, host: Host, **job: object) -> None:
    planned = await run_phase(plan_job(**job), plane, host=host)
    assert planned.outcome is Outcome.FINISHED, planned
    applied = await run_phase(apply_job(**job), plane, host=host)
    assert applied.outcome is Outcome.FINISHED, applied


COUNTED = """
variable "n" { default = 3 }
resource "terraform_data" "a" {
  count = var.n
  input = "v"
}
resource "terraform_data" "b" {}
"""


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, (0, 0, 0)),
        ({"is_destroy": True}, (0, 0, 4)),
        ({"replace_addrs": ["terraform_data.b"]}, (1, 0, 1)),
        ({"replace_addrs": ["terraform_data.b", "terraform_data.a[0]"]}, (2, 0, 2)),
        ({"is_destroy": True, "target_addrs": ["terraform_data.a[1]"]}, (0, 0, 1)),
        ({"refresh": False}, (0, 0, 0)),
        ({"refresh_only": True}, (0, 0, 0)),
    ],
)
async def test_each_option_of_a_plan_reaches_terraform(
    options: dict[str, object],
    counts: tuple[int, int, int],
    plane: Recorder,
    host: Host,
    configure: Configure,
) -> None:
    configure(COUNTED)
    await run_both(plane, host)
    result = await run_phase(plan_job(phase_id="plan-2", options=options), plane, host=host)
    assert result.outcome is Outcome.FINISHED, result
    told = (result.counts.additions, result.counts.changes, result.counts.destructions)
    assert told == counts
    assert result.has_changes is any(counts)


async def test_a_plan_without_refresh_says_nothing_of_refreshing(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(COUNTED)
    await run_both(plane, host)
    job = plan_job(phase_id="plan-2", options={"refresh": False})
    await run_phase(job, plane, host=host)
    assert "Refreshing state" not in plane.text(job)
    job = plan_job(phase_id="plan-3")
    await run_phase(job, plane, host=host)
    assert "Refreshing state" in plane.text(job)


async def test_an_import_is_counted_and_its_configuration_is_generated(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('import {\n  to = terraform_data.new\n  id = "abc"\n}\n')
    result = await run_phase(plan_job(options={"allow_config_generation": True}), plane, host=host)
    assert result.outcome is Outcome.FINISHED, result
    assert result.counts.imports == 1
    assert result.has_changes
    generated = plane.artefacts[Artefact.GENERATED_CONFIGURATION].decode()
    assert 'resource "terraform_data" "new"' in generated


async def test_what_a_plan_found_and_generated_before_it_failed_is_kept_and_is_no_plan_to_apply(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        """
        variable "count_of_it" { default = 1 }
        import {
          to = terraform_data.new
          id = "abc"
        }
        resource "terraform_data" "bad" {
          lifecycle {
            precondition {
              condition     = var.count_of_it > 2
              error_message = "Never."
            }
          }
        }
        """
    )
    result = await run_phase(plan_job(options={"allow_config_generation": True}), plane, host=host)
    assert result.outcome is Outcome.ERRORED, result
    assert "Resource precondition failed" in result.error
    generated = plane.artefacts[Artefact.GENERATED_CONFIGURATION].decode()
    assert 'resource "terraform_data" "new"' in generated
    for name in (Artefact.PLAN_JSON, Artefact.PLAN_JSON_REDACTED):
        [change] = json.loads(plane.artefacts[name])["resource_changes"]
        assert change["change"]["generated_config"].startswith('resource "terraform_data" "new"')
    assert Artefact.PLAN not in plane.artefacts


CLOUD = 'cloud {\n organization = "acme"\n workspaces { name = "x" }\n }'


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("main.tf", CLOUD),
        ("main.tf", 'backend "remote" {\n organization = "a"\n workspaces { name = "x" }\n }'),
        ("main.tf", 'backend "local" {\n path = "/tmp/somewhere.tfstate"\n }'),
        ("main.tf", ""),
        ("override.tf", CLOUD),
        ("zzz_override.tf", CLOUD),
        ("é_override.tf", CLOUD),
    ],
)
async def test_the_platform_keeps_the_state_whatever_the_configuration_says(
    block: str, name: str, plane: Recorder, host: Host
) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar_of(
        {"res.tf": 'resource "terraform_data" "x" {}', name: f"terraform {{\n{block}\n}}"}
    )
    await run_both(plane, host)
    assert len(plane.states) == 1


async def test_a_configuration_in_json_works_too(plane: Recorder, host: Host) -> None:
    main = {"terraform": {"cloud": {"organization": "a"}}, "output": {"o": {"value": "json"}}}
    plane.artefacts[Artefact.CONFIGURATION] = tar_of({"main.tf.json": json.dumps(main)})
    await run_both(plane, host)
    assert outputs(plane) == {"o": "json"}


async def test_a_working_directory_is_gone_into(plane: Recorder, host: Host) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar_of(
        {
            "envs/prod/main.tf": 'module "m" { source = "../../modules/m" }\noutput "o" {'
            "\n  value = module.m.o\n}",
            "modules/m/main.tf": 'output "o" { value = "from a module" }',
        }
    )
    await run_both(plane, host, working_directory="envs/prod")
    assert outputs(plane) == {"o": "from a module"}


VARIABLES = """
variable "s" {}
variable "list" { type = list(string) }
variable "from_file" { default = "default" }
variable "both" { default = "default" }
output "s" { value = var.s }
output "list" { value = var.list }
output "from_file" { value = var.from_file }
output "both" { value = var.both }
"""


async def test_variables_mean_what_they_say_and_win_over_files(plane: Recorder, host: Host) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar_of(
        {
            "main.tf": VARIABLES,
            "terraform.tfvars": 'from_file = "file"\nboth = "file"',
            "zzzz.auto.tfvars": 'both = "auto"',
        }
    )
    text = 'a "b" \\ ${c} %{d} $${e}\nline\t\x01é🎉'
    variables = [
        terraform("s", text),
        terraform("list", '["x", "y"]', hcl=True),
        terraform("both", "workspace"),
        terraform("undeclared", "is no error"),
    ]
    await run_both(plane, host, variables=variables)
    assert outputs(plane) == {
        "s": text,
        "list": ["x", "y"],
        "from_file": "file",
        "both": "workspace",
    }
    assert "Warning: Value for undeclared variable" in plane.text(plan_job())


SHOW = """
variable "password" {}
variable "key" {}
variable "map" { type = map(string) }
resource "terraform_data" "x" {
  input = { p = var.password, k = var.key, m = var.map, plain = "visible" }
  provisioner "local-exec" {
    command = "echo pw=$PASSWORD; printf '%s' \\"$KEY\\"; echo token=$TOKEN; echo ${var.map.inner}"
    environment = { PASSWORD = nonsensitive(var.password), KEY = var.key }
  }
}
output "o" { value = "${var.password}-${var.map.inner}" }
"""
KEY = "-----BEGIN KEY-----\nMIIabcdefghijklmnop\nqrstuvwxyz0123456789\n-----END KEY-----\n"


@pytest.mark.parametrize("stream", LogStream)
async def test_clients_miss_nothing_when_they_leave_out_three_lines_of_an_applys_log(
    plane: Recorder, host: Host, stream: LogStream
) -> None:
    await run_phase(apply_job(), plane, host=host)  # of a run that has no plan
    lines = plane.text(apply_job(), stream).splitlines()
    assert "Terraform v1.11.4" in lines[0]
    assert lines[3:] == ["", "Error: The run has no plan to apply. Start a new run."]


async def test_sensitive_values_are_in_no_log_and_no_redacted_plan(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(SHOW)
    variables = [
        terraform("password", 'hunter2"\\<&>', sensitive=True),
        terraform("key", KEY, sensitive=True),
        terraform("map", '{ inner = "deep-secret" }', hcl=True, sensitive=True),
        env("TOKEN", "tok-12345", sensitive=True),
    ]
    await run_both(plane, host, variables=variables)
    said = both_logs(plane, plan_job()) + both_logs(plane, apply_job())
    redacted = plane.artefacts[Artefact.PLAN_JSON_REDACTED].decode()
    for secret in ("hunter2", "MIIabc", "qrstuv", "deep-secret", "tok-12345"):
        assert secret not in said
        assert secret not in redacted
    assert "token=(sensitive value)" in said
    assert "visible" in said
    assert "visible" in redacted
    assert "hunter2" in plane.artefacts[Artefact.PLAN_JSON].decode()
    for job in (plan_job(), apply_job()):
        for line in plane.text(job, LogStream.JSON).splitlines():
            assert json.loads(line)["@message"]


TOKEN = "lfr_of-this-attempt"
SHOWS_TOKEN = """
resource "terraform_data" "x" {
  provisioner "local-exec" {
    command = "stat -c mode=%a $TF_CLI_CONFIG_FILE; cat $TF_CLI_CONFIG_FILE"
  }
}
"""


async def test_the_tool_has_the_attempts_token_for_the_platform_and_no_log_has_it(
    plane: Recorder, tmp_path: Path, sandbox: Sandbox, configure: Configure
) -> None:
    host = make_host(tmp_path / "worker", sandbox, platform_url="http://landform.test:8080")
    configure(SHOWS_TOKEN)
    await run_phase(plan_job(token=TOKEN), plane, host=host)
    result = await run_phase(apply_job(token=TOKEN), plane, host=host)
    assert result.outcome is Outcome.FINISHED, result
    said = plane.text(apply_job())
    assert "mode=600" in said
    assert 'credentials "landform.test:8080" {' in said
    assert 'token = "(sensitive value)"' in said
    assert '"tfe.v2" = "http://landform.test:8080/api/v2/"' in said
    assert TOKEN not in both_logs(plane, plan_job()) + both_logs(plane, apply_job())


async def test_the_tool_has_no_token_where_the_worker_does_not_know_the_platforms_address(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(SHOWS_TOKEN)
    await run_both(plane, host)
    assert "credentials" not in plane.text(apply_job())


async def test_a_secret_that_is_an_ordinary_word_does_not_break_the_log(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('variable "w" {}\nresource "terraform_data" "x" { input = var.w }')
    await run_both(plane, host, variables=[terraform("w", "create", sensitive=True)])
    types = [message["type"] for message in plane.messages(apply_job())]
    assert "apply_complete" in types
    redacted = json.loads(plane.artefacts[Artefact.PLAN_JSON_REDACTED])
    (change,) = redacted["resource_changes"]
    assert change["change"]["actions"] == ["create"]
    assert change["change"]["after"]["input"] == "(sensitive value)"


async def test_an_apply_shows_its_outputs_but_the_sensitive(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        'output "map" { value = { a = [1, true, null], "b c" = "x" } }\n'
        'output "hidden" {\n value = "secret-output"\n sensitive = true\n}\n'
    )
    await run_both(plane, host)
    text = plane.text(apply_job())
    assert "hidden = <sensitive>" in text
    assert "secret-output" not in both_logs(plane, apply_job())
    assert re.search(
        r'map = \{\n  a = \[\n    1,\n    true,\n    null,\n  \]\n  "b c" = "x"\n\}', text
    )
    assert "Apply complete! Resources: 0 added" in text


async def test_ephemeral_variables_reach_the_apply(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        'variable "eph" {\n ephemeral = true\n type = string\n}\n'
        'resource "terraform_data" "x" {\n provisioner "local-exec" {\n'
        '  command = "test \\"$E\\" = right"\n  environment = { E = var.eph }\n }\n}'
    )
    await run_both(plane, host, variables=[terraform("eph", "right")])


async def test_a_run_knows_its_names_and_nothing_of_the_workers_environment(
    plane: Recorder, host: Host, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDFORM_SECRET_OF_THE_WORKER", "leak")
    configure(
        'resource "terraform_data" "x" {\n provisioner "local-exec" { command = "env | sort" }\n}'
    )
    await run_both(plane, host, variables=[env("MINE", "yes")])
    text = plane.text(apply_job())
    for line in (
        "MINE=yes",
        "TFC_RUN_ID=run-1",
        "TFE_RUN_ID=run-1",
        "TFC_WORKSPACE_NAME=hello",
        "TFC_ORGANIZATION_NAME=acme",
        "TF_IN_AUTOMATION=1",
    ):
        assert f": {line}" in text
    assert "leak" not in text
    assert "PYTHON" not in text


async def test_a_configuration_cannot_bring_its_own_cache_or_errored_state(
    plane: Recorder, host: Host
) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar_of(
        {
            "main.tf": 'resource "terraform_data" "x" {\n'
            ' provisioner "local-exec" { command = "exit 1" }\n}',
            "errored.tfstate": '{"lineage": "planted", "serial": 99}',
            ".terraform/terraform.tfstate": "not json",
            ".terraform/environment": "other",
        }
    )
    await run_phase(plan_job(), plane, host=host)
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "exit status 1" in result.error
    assert [state.document["lineage"] for state in plane.states] != ["planted"]
    assert len(plane.states) == 1


async def test_without_a_sandbox_all_works_as_well(
    plane: Recorder, host: Host, configure: Configure, tmp_path: Any
) -> None:
    configure(SHOW)
    plain = make_host(tmp_path / "plain", Sandbox())
    variables = [
        terraform("password", "hunter2", sensitive=True),
        terraform("key", KEY, sensitive=True),
        terraform("map", '{ inner = "deep-secret" }', hcl=True, sensitive=True),
        env("TOKEN", "tok-12345", sensitive=True),
    ]
    await run_both(plane, plain, variables=variables)
    assert len(plane.states) == 1
