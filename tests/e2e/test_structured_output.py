"""The same run shown from JSON lines and from text."""

from dataclasses import dataclass

import httpx2
import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization

WARNS = """
check "colour" {
  assert {
    condition     = var.color == "green"
    error_message = "It is not green."
  }
}
"""


@dataclass(frozen=True)
class Output:
    """How a workspace gives its output to the `cloud` block."""

    structured: bool
    log_starts: str


OUTPUTS = {"structured": Output(True, "{"), "text": Output(False, "T")}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_a_run_is_shown_from_plan_to_outputs(organization: Organization, output: Output) -> None:
    organization.make_workspace(structured_run_output_enabled=output.structured)
    terraform = organization.initialized(COLOR, WARNS)
    done = terraform.ok("apply", "-auto-approve")
    for text in (
        "# terraform_data.paint will be created",
        '+ input = "red"',
        "Plan: 1 to add, 0 to change, 0 to destroy.",
        "Warning: Check block assertion failed",
        "It is not green.",
        "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.",
        'color = "red"',
    ):
        assert text in done.said, done


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_everything_an_apply_does_is_shown(organization: Organization, output: Output) -> None:
    organization.make_workspace(structured_run_output_enabled=output.structured)
    terraform = organization.initialized(COLOR)
    done = terraform.ok("apply", "-auto-approve")
    assert "terraform_data.paint: Creating..." in done.said
    assert "terraform_data.paint: Creation complete" in done.said


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_an_error_is_shown_with_its_place(organization: Organization, output: Output) -> None:
    organization.make_workspace(structured_run_output_enabled=output.structured)
    terraform = organization.initialized('output "bad" {\n  value = nothing.at.all\n}\n')
    done = terraform.fails("plan")
    assert "Error: Reference to undeclared resource" in done.said
    assert "value = nothing.at.all" in done.said
    assert "on main.tf line" in done.said


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_the_log_the_cloud_block_is_given_is_of_the_kind_the_workspace_says(
    organization: Organization, output: Output
) -> None:
    organization.make_workspace(structured_run_output_enabled=output.structured)
    organization.initialized(COLOR).ok("plan")
    plan = organization.workspace().newest_run()["relationships"]["plan"]["data"]["id"]
    platform = organization.platform
    answer = httpx2.get(
        f"{platform.url}/api/v2/plans/{plan}",
        headers={
            "Authorization": f"Bearer {platform.token}",
            "Terraform-Version": "1.11.4",
            "X-Terraform-Integration": "cloud",
        },
        trust_env=False,
        timeout=30.0,
    )
    attributes = answer.json()["data"]["attributes"]
    assert attributes["structured-run-output-enabled"] == output.structured
    log = httpx2.get(attributes["log-read-url"], trust_env=False, timeout=30.0).text
    assert log.startswith("\x02")
    assert any(line.startswith('{"@level"') for line in log.splitlines()) == output.structured
