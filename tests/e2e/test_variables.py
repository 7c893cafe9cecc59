"""How inputs reach a run, which of them wins, and what is never shown."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.platforms import Organization

SECRET = "hush-hush-1234"
SHOWS = """
variable "shown" {
  default = "of the configuration"
}

output "shown" {
  value = var.shown
}
"""


@dataclass(frozen=True)
class Source:
    """Where a value can come from, beside those that lose against it.

    Attributes:
        files: of the working directory.
        variables: of the workspace: key, value and what else the API takes.
        arguments: of the plan.
    """

    wins: str
    files: dict[str, str] = field(default_factory=dict)
    variables: tuple[dict[str, Any], ...] = ()
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


TFVARS = {"terraform.tfvars": 'shown = "of terraform.tfvars"\n'}
AUTO = {**TFVARS, "a.auto.tfvars": 'shown = "of an automatic file"\n'}
WORKSPACE = {"key": "shown", "value": "of the workspace"}
ENV = {"key": "TF_VAR_shown", "value": "of the run's environment", "category": "env"}

SOURCES = {
    "the configuration's default": Source("of the configuration"),
    "the run's environment": Source("of the run's environment", variables=(ENV,)),
    "terraform.tfvars": Source("of terraform.tfvars", TFVARS, (ENV,)),
    "*.auto.tfvars": Source("of an automatic file", AUTO, (ENV,)),
    "the workspace": Source("of the workspace", AUTO, (ENV, WORKSPACE)),
    "a file named with the plan": Source(
        "of a file",
        {**AUTO, "f.tfvars": 'shown = "of a file"\n'},
        (WORKSPACE,),
        ("-var-file=f.tfvars",),
    ),
    "a flag of the plan": Source("of a flag", AUTO, (WORKSPACE,), ("-var=shown=of a flag",)),
    "the workspace, as the CLI's environment stays where it is": Source(
        "of the workspace", AUTO, (WORKSPACE,), environment={"TF_VAR_shown": "of the CLI"}
    ),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_value_wins_over_those_before_it(organization: Organization, source: Source) -> None:
    terraform = organization.initialized(SHOWS)
    for name, text in source.files.items():
        terraform.write(name, text)
    for variable in source.variables:
        organization.workspace().set_variable(**variable)
    done = terraform.ok("plan", *source.arguments, **source.environment)
    assert f'+ shown = "{source.wins}"' in done.said


@dataclass(frozen=True)
class Value:
    """A variable of a workspace, and what the configuration makes of it."""

    type: str
    value: str
    means: Any
    hcl: bool = False


VALUES = {
    "text": Value("string", 'quotes " and ${no} interpolation\nof lines', None),
    "number": Value("number", "42", 42),
    "truth": Value("bool", "true", True),
    "list": Value("list(string)", '["a", "b"]', ["a", "b"], hcl=True),
    "map": Value("map(number)", "{ a = 1 }", {"a": 1}, hcl=True),
    "null": Value("string", "null", None, hcl=True),
}


def test_values_of_every_type_reach_the_run(organization: Organization) -> None:
    blocks = [
        f'variable "{name}" {{\n  type = {each.type}\n}}\n'
        f'output "{name}" {{\n  value = jsonencode(var.{name})\n}}\n'
        for name, each in VALUES.items()
    ]
    terraform = organization.initialized(*blocks)
    workspace = organization.workspace()
    for name, each in VALUES.items():
        workspace.set_variable(name, each.value, hcl=each.hcl)
    terraform.ok("apply", "-auto-approve")
    outputs = terraform.ok("output", "-json").stdout
    found = {name: json.loads(each["value"]) for name, each in json.loads(outputs).items()}
    text = VALUES["text"].value
    assert found == {name: each.means for name, each in VALUES.items()} | {"text": text}


@pytest.mark.parametrize("structured", [True, False])
def test_what_is_sensitive_is_used_and_not_shown(
    organization: Organization, structured: bool
) -> None:
    organization.make_workspace(structured_run_output_enabled=structured)
    terraform = organization.initialized(
        """
        variable "secret" {}

        resource "terraform_data" "uses" {
          input = "it is ${var.secret}!"
          provisioner "local-exec" {
            command = "echo $GREETING, $HIDDEN and ${var.secret}"
          }
        }

        output "length" {
          value = length(var.secret)
        }
        """
    )
    workspace = organization.workspace()
    workspace.set_variable("secret", SECRET, sensitive=True)
    workspace.set_variable("GREETING", "hello", category="env")
    workspace.set_variable("HIDDEN", "quiet-5678", category="env", sensitive=True)
    done = terraform.ok("apply", "-auto-approve")
    assert "hello, (sensitive value) and (sensitive value)" in done.said
    assert 'input = "it is (sensitive value)!"' in done.said
    assert SECRET not in done.said
    assert "quiet-5678" not in done.said
    assert workspace.outputs() == {"length": len(SECRET)}
    shown = {row["attributes"]["key"]: row["attributes"]["value"] for row in workspace.get("vars")}
    assert shown == {"secret": None, "GREETING": "hello", "HIDDEN": None}


def test_what_the_configuration_calls_sensitive_is_not_shown(organization: Organization) -> None:
    terraform = organization.initialized(
        f"""
        variable "secret" {{
          default   = "{SECRET}"
          sensitive = true
        }}

        resource "terraform_data" "uses" {{
          input = var.secret
        }}

        output "secret" {{
          value     = var.secret
          sensitive = true
        }}
        """
    )
    terraform.ok("plan", "-out=saved")
    assert SECRET not in terraform.ok("show", "saved").said
    done = terraform.ok("apply", "saved")
    assert SECRET not in done.said
    assert "secret = (sensitive value)" in done.said
    assert terraform.ok("output", "-raw", "secret").stdout == SECRET


def test_a_variable_without_a_value_is_named(organization: Organization) -> None:
    terraform = organization.initialized('variable "needed" {}\n')
    done = terraform.fails("plan", "-input=false")
    assert "No value for required variable" in done.said
    assert 'variable "needed"' in done.said
    error = organization.workspace().newest_run()["attributes"]["error"]
    assert "main.tf line" in error
