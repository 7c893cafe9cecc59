"""Workspaces that only keep state: plans and applies run where the CLI is."""

import json

import pytest

from tests.e2e.api import Workspace
from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization
from tests.e2e.terraform import Terraform


@pytest.fixture
def workspace(organization: Organization) -> Workspace:
    return organization.make_workspace(execution_mode="local")


@pytest.fixture
def terraform(organization: Organization, workspace: Workspace) -> Terraform:
    return organization.initialized(COLOR)


def test_a_local_apply_keeps_its_state_on_the_platform_and_makes_no_run(
    workspace: Workspace, terraform: Terraform
) -> None:
    assert "Plan: 1 to add" in terraform.ok("plan").said
    done = terraform.ok("apply", "-auto-approve")
    assert "Running apply in" not in done.said
    assert workspace.outputs() == {"color": "red"}
    assert workspace.runs() == []
    assert not workspace.attributes["locked"]
    assert not (terraform.directory / "terraform.tfstate").exists()


def test_a_local_apply_asks_and_destroys(workspace: Workspace, terraform: Terraform) -> None:
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Enter a value:")
        assert workspace.attributes["locked"]
        terminal.type("yes")
        assert terminal.end().status == 0
    terraform.ok("destroy", "-auto-approve")
    assert workspace.outputs() == {}


def test_a_local_plan_can_be_saved_and_applied(workspace: Workspace, terraform: Terraform) -> None:
    terraform.ok("plan", "-out=saved")
    terraform.ok("apply", "saved")
    assert workspace.outputs() == {"color": "red"}


def test_a_local_run_sees_no_variables_of_the_workspace(
    workspace: Workspace, terraform: Terraform
) -> None:
    workspace.set_variable("color", "of the workspace")
    terraform.ok("apply", "-auto-approve")
    assert workspace.outputs() == {"color": "red"}


def test_a_local_apply_is_refused_while_somebody_else_holds_the_lock(
    workspace: Workspace, terraform: Terraform
) -> None:
    workspace.lock("maintenance")
    done = terraform.fails("apply", "-auto-approve")
    assert "workspace already locked" in done.said
    assert terraform.ok("apply", "-auto-approve", "-lock=false").status == 0


def test_a_local_apply_that_fails_keeps_what_it_made(
    workspace: Workspace, terraform: Terraform
) -> None:
    terraform.write(
        "fails.tf",
        """
        resource "terraform_data" "fails" {
          depends_on = [terraform_data.paint]
          provisioner "local-exec" {
            command = "exit 3"
          }
        }
        """,
    )
    terraform.fails("apply", "-auto-approve")
    assert len(terraform.ok("state", "list").stdout.split()) == 2
    assert not workspace.attributes["locked"]


def test_a_workspace_can_change_over_to_remote_execution_and_keeps_its_state(
    workspace: Workspace, terraform: Terraform
) -> None:
    terraform.ok("apply", "-auto-approve")
    serial = json.loads(terraform.ok("state", "pull").stdout)["serial"]
    workspace.change(execution_mode="remote")
    done = terraform.ok("apply", "-auto-approve", "-var=color=blue")
    assert "Running apply in" in done.said
    assert workspace.outputs() == {"color": "blue"}
    assert json.loads(terraform.ok("state", "pull").stdout)["serial"] == serial + 1


def test_state_of_a_local_back_end_moves_to_the_platform(organization: Organization) -> None:
    terraform = organization.directory(COLOR)
    terraform.ok("init")
    terraform.ok("apply", "-auto-approve")
    terraform.write("cloud.tf", organization.cloud('name = "moved"'))
    with terraform.at_terminal("init") as terminal:
        terminal.wait_for("Should Terraform migrate your existing state")
        terminal.type("yes")
        done = terminal.end()
    assert done.status == 0, done
    assert organization.workspace("moved").outputs() == {"color": "red"}
    assert "No changes." in terraform.ok("plan").said
