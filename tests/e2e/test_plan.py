"""`terraform plan` with every flag that reaches the platform."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.api import Workspace
from tests.e2e.platforms import Organization
from tests.e2e.terraform import Terraform

TWO = """
variable "color" {
  default = "red"
}

variable "sizes" {
  type    = list(number)
  default = [1]
}

resource "terraform_data" "paint" {
  input = var.color
}

resource "terraform_data" "box" {
  input = var.sizes
}

output "color" {
  value = terraform_data.paint.output
}
"""


@dataclass(frozen=True)
class Flags:
    """Flags of a plan on what is applied already.

    Attributes:
        shows: what the CLI prints because of them.
        run: what the platform knows of the run because of them.
        status: the CLI's exit status.
    """

    arguments: tuple[str, ...]
    shows: tuple[str, ...]
    hides: tuple[str, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    status: int = 0


NO_CHANGES = "No changes. Your infrastructure matches the configuration."

PLANS = {
    "none": Flags((), (NO_CHANGES,), run={"plan-only": True, "has-changes": False}),
    "destroy": Flags(
        ("-destroy",), ("Plan: 0 to add, 0 to change, 2 to destroy.",), run={"is-destroy": True}
    ),
    "target": Flags(
        ("-target=terraform_data.paint", "-var=color=blue", "-var=sizes=[2]"),
        ("Plan: 0 to add, 1 to change, 0 to destroy.", "Resource targeting is in effect"),
        hides=("terraform_data.box will be updated",),
        run={"target-addrs": ["terraform_data.paint"]},
    ),
    "replace": Flags(
        ("-replace=terraform_data.box",),
        ("terraform_data.box will be replaced, as requested", "1 to add, 0 to change, 1 to dest"),
        run={"replace-addrs": ["terraform_data.box"]},
    ),
    "refresh-only": Flags(
        ("-refresh-only",),
        ("No changes. Your infrastructure still matches the configuration.",),
        run={"refresh-only": True},
    ),
    "no refresh": Flags(
        ("-refresh=false",), (NO_CHANGES,), hides=("Refreshing state...",), run={"refresh": False}
    ),
    "a variable": Flags(
        ("-var=color=blue",),
        ('~ input = "red" -> "blue"', "Plan: 0 to add, 1 to change, 0 to destroy."),
        run={"has-changes": True, "status": "planned_and_finished"},
    ),
    "a variable that is no string": Flags(
        ("-var=sizes=[1, 2]",), ("+ 2,", "Plan: 0 to add, 1 to change, 0 to destroy.")
    ),
    "a file of variables": Flags(("-var-file=blue.tfvars",), ('"red" -> "blue"',)),
    "detailed exit status": Flags(
        ("-detailed-exitcode", "-var=color=blue"), ('"red" -> "blue"',), status=2
    ),
    "detailed exit status without changes": Flags(("-detailed-exitcode",), (NO_CHANGES,)),
    "compact warnings": Flags(("-compact-warnings",), (NO_CHANGES,)),
    "parallelism of its own is refused": Flags(
        ("-parallelism=3",), ("Custom parallelism values are currently not supported",), status=1
    ),
}


@pytest.fixture(scope="module")
def applied(shared_organization: Organization) -> Terraform:
    terraform = shared_organization.initialized(TWO)
    terraform.ok("apply", "-auto-approve")
    terraform.write("blue.tfvars", 'color = "blue"\n')
    return terraform


@pytest.fixture(scope="module")
def workspace(applied: Terraform, shared_organization: Organization) -> Workspace:
    return shared_organization.workspace()


@pytest.mark.parametrize("flags", PLANS.values(), ids=PLANS)
def test_a_flag_of_a_plan_does_on_the_platform_what_it_says(
    applied: Terraform, workspace: Workspace, flags: Flags
) -> None:
    state = workspace.related("current-state-version")
    done = applied.run("plan", *flags.arguments)
    assert done.status == flags.status, done
    for text in flags.shows:
        assert text in done.said, done
    for text in flags.hides:
        assert text not in done.said, done
    shown = workspace.newest_run()["attributes"] if flags.run else {}
    assert {name: shown[name] for name in flags.run} == flags.run
    assert workspace.related("current-state-version") == state


def test_a_plan_names_the_run_and_where_to_see_it(
    applied: Terraform, workspace: Workspace, shared_organization: Organization
) -> None:
    done = applied.ok("plan")
    page = f"/app/{shared_organization.name}/app/runs/{workspace.newest_run()['id']}"
    assert page in done.said


def test_generated_configuration_of_an_import_is_written_where_it_was_asked_for(
    organization: Organization,
) -> None:
    block = 'import {\n  to = terraform_data.found\n  id = "found-1"\n}\n'
    terraform = organization.initialized(block)
    done = terraform.ok("plan", "-generate-config-out=generated.tf")
    assert "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy." in done.said
    assert 'resource "terraform_data" "found"' in terraform.read("generated.tf")
    assert organization.workspace().newest_run()["attributes"]["allow-config-generation"]
    terraform.ok("apply", "-auto-approve")
    assert terraform.ok("state", "list").stdout == "terraform_data.found\n"


def test_configuration_is_generated_also_by_a_plan_that_fails(organization: Organization) -> None:
    terraform = organization.initialized(
        """
        variable "amount" { default = 1 }
        import {
          to = terraform_data.found
          id = "found-1"
        }
        resource "terraform_data" "bad" {
          lifecycle {
            precondition {
              condition     = var.amount > 2
              error_message = "Too few."
            }
          }
        }
        """
    )
    done = terraform.fails("plan", "-generate-config-out=generated.tf")
    assert "Too few." in done.said
    assert 'resource "terraform_data" "found"' in terraform.read("generated.tf")


def test_a_plan_runs_in_the_workspaces_working_directory(organization: Organization) -> None:
    workspace = organization.make_workspace(working_directory="deep/inside")
    terraform = organization.directory()
    terraform.write("deep/shared/main.tf", 'output "from" {\n  value = "beside"\n}\n')
    terraform.write(
        "deep/inside/main.tf",
        organization.cloud()
        + 'module "shared" {\n  source = "../shared"\n}\n'
        + 'output "from" {\n  value = module.shared.from\n}\n',
    )
    inside = Terraform(terraform.directory / "deep/inside", terraform.environment)
    inside.ok("init")
    done = inside.ok("apply", "-auto-approve")
    assert 'from = "beside"' in done.said
    assert workspace.outputs() == {"from": "beside"}
