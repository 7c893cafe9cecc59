"""`backend "remote"`: what was there before the `cloud` block, and is in use."""

import json

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization
from tests.e2e.terraform import Terraform

ADDED = "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."


@pytest.fixture
def terraform(organization: Organization) -> Terraform:
    terraform = organization.directory(organization.remote('name = "app"'), COLOR)
    done = terraform.ok("init")
    assert 'Successfully configured the backend "remote"!' in done.said
    return terraform


def test_a_workspace_is_made_at_the_clis_version(
    organization: Organization, terraform: Terraform
) -> None:
    assert organization.workspace().attributes["terraform-version"] == "1.11.4"


def test_a_plan_is_shown(organization: Organization, terraform: Terraform) -> None:
    done = terraform.ok("plan")
    assert "Running plan in the remote backend." in done.said
    assert "# terraform_data.paint will be created" in done.said
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in done.said
    assert organization.workspace().newest_run()["attributes"]["plan-only"]


@pytest.mark.parametrize(
    ("flags", "shows"),
    [
        (("-target=terraform_data.paint",), "1 to add"),
        (("-replace=terraform_data.paint",), "1 to add"),
        (("-refresh=false",), "1 to add"),
        (("-destroy",), "No changes. No objects need to be destroyed."),
        (("-refresh-only",), "Changes to Outputs:"),
    ],
)
def test_a_plan_takes_flags(terraform: Terraform, flags: tuple[str, ...], shows: str) -> None:
    assert shows in terraform.ok("plan", *flags).said


def test_variables_come_from_files_and_not_from_flags(terraform: Terraform) -> None:
    done = terraform.fails("plan", "-var=color=blue")
    assert "Run variables are currently not supported" in done.said
    terraform.write("blue.auto.tfvars", 'color = "blue"\n')
    assert '+ input = "blue"' in terraform.ok("plan").said


def test_an_apply_asks(organization: Organization, terraform: Terraform) -> None:
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Enter a value:")
        terminal.type("yes")
        done = terminal.end()
    assert done.status == 0, done
    assert ADDED in done.said
    assert organization.workspace().outputs() == {"color": "red"}


def test_an_apply_that_is_approved_beforehand_shows_its_plan_and_what_it_does(
    organization: Organization, terraform: Terraform
) -> None:
    done = terraform.ok("apply", "-auto-approve")
    assert "# terraform_data.paint will be created" in done.said
    assert ADDED in done.said
    assert 'color = "red"' in done.said
    assert "0 added, 0 changed, 1 destroyed." in terraform.ok("destroy", "-auto-approve").said
    assert organization.workspace().outputs() == {}


def test_a_workspace_that_applies_by_itself_is_not_asked_about(
    organization: Organization, terraform: Terraform
) -> None:
    organization.workspace().change(auto_apply=True)
    done = terraform.ok("apply", "-input=false")
    assert organization.workspace().outputs() == {"color": "red"}
    assert "Enter a value" not in done.said


def test_state_is_read_and_changed(organization: Organization, terraform: Terraform) -> None:
    terraform.ok("apply", "-auto-approve")
    assert terraform.ok("state", "list").stdout == "terraform_data.paint\n"
    assert terraform.ok("output", "-raw", "color").stdout == "red"
    terraform.ok("state", "mv", "terraform_data.paint", "terraform_data.varnish")
    terraform.ok("taint", "terraform_data.varnish")
    terraform.ok("state", "rm", "terraform_data.varnish")
    assert terraform.ok("state", "list").stdout == ""
    terraform.ok("import", "terraform_data.paint", "found-1")
    assert terraform.ok("state", "list").stdout == "terraform_data.paint\n"
    assert not organization.workspace().attributes["locked"]


def test_a_state_of_other_infrastructure_is_pushed_by_force(terraform: Terraform) -> None:
    terraform.ok("apply", "-auto-approve")
    state = json.loads(terraform.ok("state", "pull").stdout)
    state["lineage"] = "3d9a3c76-0000-4000-8000-000000000000"
    terraform.write("other.tfstate", json.dumps(state))
    done = terraform.fails("state", "push", "other.tfstate")
    assert "cannot import state with lineage" in done.said
    terraform.ok("state", "push", "-force", "other.tfstate")
    assert json.loads(terraform.ok("state", "pull").stdout)["lineage"] == state["lineage"]


@pytest.fixture
def prefixed(organization: Organization) -> Terraform:
    organization.make_workspace("net-one")
    organization.make_workspace("network")
    terraform = organization.directory(organization.remote('prefix = "net-"'), COLOR)
    terraform.ok("init", answers="1\n")
    return terraform


def test_a_prefix_is_left_out_of_the_names_of_workspaces(
    organization: Organization, prefixed: Terraform
) -> None:
    prefixed.ok("workspace", "new", "two")
    assert organization.workspace_names() == ["net-one", "net-two", "network"]
    assert prefixed.ok("workspace", "list").stdout.split() == ["one", "*", "two"]
    prefixed.ok("workspace", "select", "one")
    prefixed.ok("workspace", "delete", "two")
    assert organization.workspace_names() == ["net-one", "network"]


def test_workspaces_with_a_prefix_plan_and_apply(
    organization: Organization, prefixed: Terraform
) -> None:
    assert ADDED in prefixed.ok("apply", "-auto-approve").said
    assert organization.workspace("net-one").outputs() == {"color": "red"}


def test_the_first_workspace_with_a_prefix_can_be_made(organization: Organization) -> None:
    terraform = organization.directory(organization.remote('prefix = "sea-"'), COLOR)
    assert "No existing workspaces." in terraform.fails("init", "-input=false").said
    terraform.ok("workspace", "new", "one")
    assert organization.workspace_names() == ["sea-one"]
    assert "Plan: 1 to add" in terraform.ok("plan").said


def test_plans_are_not_saved_and_the_reason_is_given(terraform: Terraform) -> None:
    done = terraform.fails("plan", "-out=saved")
    assert "Saving a generated plan is currently not supported" in done.said


def test_a_directory_moves_from_the_remote_back_end_to_the_cloud_block(
    organization: Organization, terraform: Terraform
) -> None:
    terraform.ok("apply", "-auto-approve")
    terraform.write("main.tf", organization.cloud() + COLOR)
    with terraform.at_terminal("init") as terminal:
        terminal.wait_for("Enter a value:")
        terminal.type("yes")
        done = terminal.end()
    assert done.status == 0, done
    assert "No changes." in terraform.ok("plan").said
