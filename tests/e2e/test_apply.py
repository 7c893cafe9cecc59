"""`terraform apply`, `destroy` and `refresh`, with every answer to the question they ask."""

from dataclasses import dataclass

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.gate import Gate
from tests.e2e.platforms import Organization

ADDED = "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."


@dataclass(frozen=True)
class Answer:
    """What is answered when the CLI asks whether to apply."""

    typed: str
    status: int
    says: str
    run: str


ANSWERS = {
    "yes": Answer("yes", 0, ADDED, "applied"),
    "no": Answer("no", 1, "Apply discarded.", "discarded"),
    "something else": Answer("y", 1, "Apply discarded.", "discarded"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_decides_what_becomes_of_the_plan(
    organization: Organization, answer: Answer
) -> None:
    terraform = organization.initialized(COLOR)
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Plan: 1 to add, 0 to change, 0 to destroy.")
        terminal.wait_for('Do you want to perform these actions in workspace "app"')
        terminal.wait_for("Enter a value:")
        run = organization.workspace().newest_run()
        assert run["attributes"]["status"] == "planned"
        assert run["attributes"]["actions"]["is-confirmable"]
        terminal.type(answer.typed)
        done = terminal.end()
    assert done.status == answer.status, done
    assert answer.says in done.said
    workspace = organization.workspace()
    assert workspace.newest_run()["attributes"]["status"] == answer.run
    assert not workspace.attributes["locked"]


def test_an_answer_from_a_script_is_taken_too(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    assert ADDED in terraform.ok("apply", answers="yes\n").said


def test_auto_approve_asks_nothing(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    done = terraform.ok("apply", "-auto-approve")
    assert ADDED in done.said
    assert 'Outputs: color = "red"' in done.said
    workspace = organization.workspace()
    run = workspace.newest_run()["attributes"]
    assert (run["status"], run["auto-apply"]) == ("applied", True)
    assert workspace.outputs() == {"color": "red"}


def test_nothing_to_change_is_not_asked_about(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    done = terraform.ok("apply")
    assert "No changes. Your infrastructure matches the configuration." in done.said
    assert "Enter a value" not in done.said
    run = organization.workspace().newest_run()["attributes"]
    assert run["status"] == "planned_and_finished"


def test_outputs_alone_are_changes(organization: Organization) -> None:
    terraform = organization.initialized('output "one" {\n  value = 1\n}\n')
    done = terraform.ok("apply", "-auto-approve")
    assert "Changes to Outputs: + one = 1" in done.said
    assert organization.workspace().outputs() == {"one": 1}


def test_an_apply_that_has_little_to_say_says_it(organization: Organization) -> None:
    terraform = organization.initialized('output "one" {\n  value = 1\n}\n')
    done = terraform.ok("apply", "-auto-approve")
    assert (
        "Apply complete! Resources: 0 added, 0 changed, 0 destroyed. Outputs: one = 1" in done.said
    )


def test_destroy_with_yes_leaves_nothing(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    with terraform.at_terminal("destroy") as terminal:
        terminal.wait_for("Plan: 0 to add, 0 to change, 1 to destroy.")
        terminal.wait_for('Do you really want to destroy all resources in workspace "app"')
        terminal.type("yes")
        done = terminal.end()
    assert done.status == 0, done
    assert "Apply complete! Resources: 0 added, 0 changed, 1 destroyed." in done.said
    assert terraform.ok("state", "list").stdout == ""
    assert organization.workspace().newest_run()["attributes"]["is-destroy"]


def test_destroy_with_auto_approve_can_be_limited_to_a_target(organization: Organization) -> None:
    more = 'resource "terraform_data" "other" {}\n'
    terraform = organization.initialized(COLOR, more)
    terraform.ok("apply", "-auto-approve")
    done = terraform.ok("destroy", "-auto-approve", "-target=terraform_data.other")
    assert "0 added, 0 changed, 1 destroyed." in done.said
    assert terraform.ok("state", "list").stdout.split() == ["terraform_data.paint"]


def test_refresh_takes_over_new_outputs_and_changes_no_resource(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    terraform.write("more.tf", 'output "more" {\n  value = "new"\n}\n')
    terraform.ok("refresh")
    workspace = organization.workspace()
    run = workspace.newest_run()["attributes"]
    assert (run["refresh-only"], run["auto-apply"], run["status"]) == (True, True, "applied")
    assert workspace.outputs() == {"color": "red", "more": "new"}


def test_an_apply_that_fails_says_why_and_keeps_what_it_made(
    organization: Organization, gate: Gate
) -> None:
    terraform = organization.initialized(COLOR, gate.data(after="terraform_data.paint"))
    with terraform.at_terminal("apply", "-auto-approve") as terminal:
        terminal.wait_for("terraform_data.paint: Creation complete")
        gate.shut()
        done = terminal.end()
    assert done.status == 1, done
    assert "Error: Unable to find remote state" in done.said
    workspace = organization.workspace()
    assert workspace.newest_run()["attributes"]["status"] == "errored"
    assert not workspace.attributes["locked"]
    assert terraform.ok("state", "list").stdout == "terraform_data.paint\n"


def test_a_workspace_that_applies_by_itself_still_asks_whoever_uses_the_cloud_block(
    organization: Organization,
) -> None:
    """The `cloud` block always says whether the run applies by itself: `-auto-approve` or not."""
    organization.make_workspace(auto_apply=True)
    terraform = organization.initialized(COLOR)
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Enter a value:")
        terminal.type("no")
        terminal.end()
    assert organization.workspace().newest_run()["attributes"]["status"] == "discarded"


def test_a_workspace_that_allows_no_destroy_says_so(organization: Organization) -> None:
    workspace = organization.make_workspace(allow_destroy_plan=False)
    terraform = organization.initialized(COLOR)
    terraform.ok("apply", "-auto-approve")
    done = terraform.fails("destroy", "-auto-approve")
    assert "Workspace app does not allow destroy plans." in done.said
    assert workspace.outputs() == {"color": "red"}


def test_somebody_else_can_confirm_while_the_cli_asks(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Enter a value:")
        run = organization.workspace().newest_run()
        organization.platform.api.act(f"runs/{run['id']}/actions/apply")
        done = terminal.end()
    assert done.status == 0, done
    assert "approved using the UI or API" in done.said
    assert ADDED in done.said


def test_somebody_else_can_discard_while_the_cli_asks(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("Enter a value:")
        run = organization.workspace().newest_run()
        organization.platform.api.act(f"runs/{run['id']}/actions/discard")
        done = terminal.end()
    assert done.status == 1, done
    assert "discarded using the UI or API" in done.said


def test_an_apply_without_a_terminal_and_without_approval_is_refused(
    organization: Organization,
) -> None:
    terraform = organization.initialized(COLOR)
    done = terraform.fails("apply", "-input=false")
    assert "Cannot confirm apply due to -input=false" in done.said
    assert organization.workspace().newest_run()["attributes"]["status"] == "planned"


def test_a_plan_that_needs_approvals_is_shown_and_left_to_those_who_give_them(
    organization: Organization,
) -> None:
    workspace = organization.make_workspace()
    api = organization.platform.api
    team = api.send("POST", f"organizations/{organization.name}/teams", "teams", {"name": "sec"})
    rule = {"approvals-needed": 1, "teams": [team["id"]]}
    api.send("PATCH", f"workspaces/{workspace.id}/approval-rule", "approval-rules", rule)
    terraform = organization.initialized(COLOR)
    done = terraform.run("apply")
    assert "Before it is applied, this needs 1 approval of sec." in done.said
    assert "Plan: 1 to add" in done.said
    assert "Do you want to perform these actions" not in done.said
    assert workspace.newest_run()["attributes"]["status"] == "planned"
