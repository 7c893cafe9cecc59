"""`plan -out`, and all that is done with the file: `show`, `show -json`, `apply FILE`."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization
from tests.e2e.terraform import Terraform

ADDED = "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."


@pytest.fixture
def planned(organization: Organization) -> Terraform:
    terraform = organization.initialized(COLOR)
    done = terraform.ok("plan", "-out=saved")
    assert "Saved the plan to: saved" in done.said
    return terraform


def test_a_saved_plan_names_its_run_and_holds_nothing_back(
    organization: Organization, planned: Terraform
) -> None:
    saved = json.loads(planned.read("saved"))
    run = organization.workspace().newest_run()
    assert saved["run_id"] == run["id"]
    assert saved["hostname"] == organization.platform.hostname
    assert (run["attributes"]["status"], run["attributes"]["save-plan"]) == (
        "planned_and_saved",
        True,
    )
    assert not organization.workspace().attributes["locked"]


def test_a_saved_plan_is_shown(planned: Terraform) -> None:
    done = planned.ok("show", "saved")
    assert "# terraform_data.paint will be created" in done.said
    assert "Run status: planned and saved (confirmable)" in done.said


def test_a_saved_plan_is_shown_as_json(planned: Terraform) -> None:
    shown: Mapping[str, Any] = json.loads(planned.ok("show", "-json", "saved").stdout)
    (change,) = shown["resource_changes"]
    assert (change["address"], change["change"]["actions"]) == ("terraform_data.paint", ["create"])


def test_a_saved_plan_is_applied_without_a_question(
    organization: Organization, planned: Terraform
) -> None:
    done = planned.ok("apply", "saved")
    assert ADDED in done.said
    workspace = organization.workspace()
    assert workspace.outputs() == {"color": "red"}
    assert workspace.newest_run()["attributes"]["status"] == "applied"
    again = planned.fails("apply", "saved")
    assert "applied" in again.said


def test_a_saved_plan_applies_what_was_planned_whatever_is_in_the_directory_by_then(
    organization: Organization, planned: Terraform
) -> None:
    planned.write("main.tf", organization.cloud())
    assert ADDED in planned.ok("apply", "saved").said


def test_a_saved_plan_that_destroys_destroys(planned: Terraform) -> None:
    planned.ok("apply", "saved")
    planned.ok("plan", "-destroy", "-out=destroy")
    done = planned.ok("apply", "destroy")
    assert "0 added, 0 changed, 1 destroyed." in done.said


def test_a_saved_plan_is_refused_when_the_state_changed_after_it(
    organization: Organization, planned: Terraform
) -> None:
    planned.ok("apply", "-auto-approve", "-var=color=blue")
    done = planned.fails("apply", "saved")
    assert "another run was applied first" in done.said
    assert organization.workspace().outputs() == {"color": "blue"}


def test_a_saved_plan_without_changes_says_so_when_it_is_applied(
    organization: Organization, planned: Terraform
) -> None:
    planned.ok("apply", "saved")
    planned.ok("plan", "-out=nothing")
    status = organization.workspace().newest_run()["attributes"]["status"]
    assert status == "planned_and_finished"
    done = planned.fails("apply", "nothing")
    assert "no changes" in done.said


def test_a_saved_plan_that_was_discarded_is_refused(
    organization: Organization, planned: Terraform
) -> None:
    run = organization.workspace().newest_run()["id"]
    organization.platform.api.act(f"runs/{run}/actions/discard")
    done = planned.fails("apply", "saved")
    assert "discarded" in done.said


def test_a_saved_plan_of_another_workspace_is_refused(
    organization: Organization, planned: Terraform
) -> None:
    other = organization.initialized(COLOR, workspaces='name = "other"')
    other.write("saved", planned.read("saved"))
    done = other.fails("apply", "saved")
    assert "different workspace" in done.said
