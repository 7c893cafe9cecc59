"""Configurations and settings that cannot work: the CLI says why, and nothing is half done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization

CHILD = 'module "child" {\n  source = "./child"\n}\n'


@dataclass(frozen=True)
class Fault:
    """Something that is wrong once a directory is initialized.

    Attributes:
        child: the text of a module of the configuration.
        settings: of the workspace.
        says: what the CLI prints.
    """

    says: tuple[str, ...]
    child: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


FAULTS = {
    "a reference to nothing": Fault(
        ("Reference to undeclared input variable", "on child/main.tf line 2"),
        'output "bad" {\n  value = var.missing\n}\n',
    ),
    "an argument that there is not": Fault(
        ("Unsupported argument", "on child/main.tf line 2"),
        'resource "terraform_data" "bad" {\n  wrong = 1\n}\n',
    ),
    "another version of the language": Fault(
        ("Unsupported Terraform Core version", "on child/main.tf line 2", "1.11.4"),
        'terraform {\n  required_version = ">= 9.9"\n}\n',
    ),
    "a provider that cannot be had": Fault(
        ("Failed to query available provider packages", "127.0.0.1:1/acme/none"),
        'terraform {\n  required_providers {\n    none = { source = "127.0.0.1:1/acme/none" }\n'
        "  }\n}\n",
    ),
    "a version of terraform that cannot be had": Fault(
        ("Terraform 1.3.7 is not on this machine", "downloads are switched off", "Put it on PATH"),
        settings={"terraform_version": "1.3.7"},
    ),
    "a working directory that there is not": Fault(
        ("The configuration has no directory 'not/there'", "Change the workspace's"),
        settings={"working_directory": "not/there"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_planned_is_explained(organization: Organization, fault: Fault) -> None:
    terraform = organization.directory(organization.cloud(), COLOR, CHILD)
    terraform.write("child/main.tf", "")
    terraform.ok("init")
    terraform.write("child/main.tf", fault.child)
    workspace = organization.workspace()
    if fault.settings:
        workspace.change(**fault.settings)
    done = terraform.fails("apply", "-auto-approve")
    for text in fault.says:
        assert text in done.said, done
    run = workspace.newest_run()["attributes"]
    assert run["status"] == "errored"
    assert run["error"]
    assert not workspace.attributes["locked"]
    assert workspace.related("current-state-version") is None


def test_the_workspace_works_again_once_the_fault_is_mended(organization: Organization) -> None:
    terraform = organization.initialized('output "bad" {\n  value = nothing.at.all\n}\n')
    terraform.fails("apply", "-auto-approve")
    terraform.write("main.tf", organization.cloud() + COLOR)
    assert "1 added" in terraform.ok("apply", "-auto-approve").said


def test_a_configuration_of_nothing_but_the_cloud_block_is_planned(
    organization: Organization,
) -> None:
    assert "No changes." in organization.initialized().ok("plan").said


def test_files_that_are_to_be_ignored_are_not_uploaded(organization: Organization) -> None:
    terraform = organization.initialized(
        'output "files" {\n  value = sort(fileset(path.module, "*.txt"))\n}\n'
    )
    terraform.write(".terraformignore", "secret.txt\n")
    terraform.write("secret.txt", "hush")
    terraform.write("open.txt", "hello")
    terraform.ok("apply", "-auto-approve")
    assert organization.workspace().outputs() == {"files": ["open.txt"]}


def test_caches_and_overrides_of_the_directory_do_no_harm(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    terraform.write(".terraform/terraform.tfstate.backup", "not a state")
    terraform.write("zz_override.tf", 'variable "color" {\n  default = "of an override"\n}\n')
    done = terraform.ok("plan")
    assert '+ input = "of an override"' in done.said


@pytest.mark.parametrize("name", ["terraform.tfstate", "terraform.tfstate.d/old/terraform.tfstate"])
def test_state_that_was_left_in_the_directory_does_no_harm(
    organization: Organization, name: str
) -> None:
    before = organization.directory(COLOR)
    before.ok("init")
    before.ok("apply", "-auto-approve")
    terraform = organization.initialized(COLOR)
    terraform.write(name, before.read("terraform.tfstate"))
    assert "Plan: 1 to add" in terraform.ok("plan").said
