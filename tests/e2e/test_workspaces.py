"""`terraform workspace`, where a configuration names tags and where it names one workspace."""

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization
from tests.e2e.terraform import Terraform

TAGS = 'tags = ["net"]'


@pytest.fixture
def one(organization: Organization) -> Terraform:
    terraform = organization.directory(organization.cloud(TAGS), COLOR)
    terraform.ok("init", answers="one\n")
    return terraform


def test_workspaces_are_made_listed_chosen_and_deleted(
    organization: Organization, one: Terraform
) -> None:
    assert 'Created and switched to workspace "two"!' in one.ok("workspace", "new", "two").said
    organization.make_workspace("of-others")
    assert one.ok("workspace", "list").stdout.split() == ["one", "*", "two"]
    assert 'Switched to workspace "one".' in one.ok("workspace", "select", "one").said
    assert one.ok("workspace", "show").stdout == "one\n"
    assert 'Deleted workspace "two"!' in one.ok("workspace", "delete", "two").said
    assert organization.workspace_names() == ["of-others", "one"]


def test_a_workspace_that_is_made_has_the_configurations_tags(
    organization: Organization, one: Terraform
) -> None:
    one.ok("workspace", "new", "two")
    assert organization.workspace("two").attributes["tag-names"] == ["net"]


def test_a_workspace_that_is_not_there_is_made_on_demand(
    organization: Organization, one: Terraform
) -> None:
    done = one.fails("workspace", "select", "two")
    assert 'Workspace "two" doesn\'t exist.' in done.said
    one.ok("workspace", "select", "-or-create", "two")
    assert organization.workspace_names() == ["one", "two"]


def test_a_workspace_is_made_once(one: Terraform) -> None:
    assert 'Workspace "one" already exists' in one.fails("workspace", "new", "one").said


def test_the_chosen_workspace_is_not_deleted(one: Terraform) -> None:
    done = one.fails("workspace", "delete", "one")
    assert 'Workspace "one" is your active workspace.' in done.said


def test_each_workspace_has_a_state_of_its_own(one: Terraform) -> None:
    one.ok("apply", "-auto-approve", "-var=color=one")
    one.ok("workspace", "new", "two")
    one.ok("apply", "-auto-approve", "-var=color=two")
    assert one.ok("output", "-raw", "color").stdout == "two"
    one.ok("workspace", "select", "one")
    assert one.ok("output", "-raw", "color").stdout == "one"


def test_a_workspace_that_manages_something_is_deleted_by_force_only(
    organization: Organization, one: Terraform
) -> None:
    organization.workspace("one").change(execution_mode="local")
    one.ok("apply", "-auto-approve")
    one.ok("workspace", "new", "two")
    done = one.fails("workspace", "delete", "one")
    assert "Workspace is not empty" in done.said
    assert organization.workspace_names() == ["one", "two"]
    one.ok("workspace", "delete", "-force", "one")
    assert organization.workspace_names() == ["two"]


def test_a_locked_workspace_is_not_deleted(organization: Organization, one: Terraform) -> None:
    one.ok("workspace", "new", "two")
    organization.workspace("one").lock("maintenance")
    done = one.fails("workspace", "delete", "one")
    assert "Error acquiring the state lock" in done.said
    assert organization.workspace_names() == ["one", "two"]


def test_a_configuration_that_names_one_workspace_has_that_one(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    assert terraform.ok("workspace", "show").stdout == "app\n"
    assert terraform.ok("workspace", "list").stdout.split() == ["*", "app"]
    done = terraform.fails("workspace", "new", "other")
    assert "workspaces not supported" in done.said
    assert organization.workspace_names() == ["app"]
