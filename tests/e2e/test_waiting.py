"""Runs that have to wait: for a person's lock, for the run before, and no longer than they may."""

import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.gate import Gate
from tests.e2e.platforms import Organization

LOCKED = "Waiting for the manually locked workspace to be unlocked"


def test_an_apply_on_a_locked_workspace_says_why_it_waits_and_goes_on_when_it_is_unlocked(
    organization: Organization,
) -> None:
    terraform = organization.initialized(COLOR)
    workspace = organization.workspace()
    workspace.lock("maintenance until noon")
    with terraform.at_terminal("apply", "-auto-approve") as terminal:
        terminal.wait_for(LOCKED)
        run = workspace.newest_run()["attributes"]
        assert run["status"] == "pending"
        assert run["wait-reason"].endswith(": maintenance until noon")
        workspace.unlock()
        done = terminal.end()
    assert done.status == 0, done
    assert "1 added, 0 changed, 0 destroyed." in done.said


def test_a_plan_needs_no_turn_on_a_locked_workspace(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    organization.workspace().lock("maintenance")
    assert "Plan: 1 to add" in terraform.ok("plan").said


def test_an_apply_waits_for_the_run_before_it(organization: Organization, gate: Gate) -> None:
    first = organization.initialized(COLOR, gate.data())
    second = organization.initialized(COLOR)
    workspace = organization.workspace()
    with first.at_terminal("apply", "-auto-approve") as ahead:
        gate.until_reached()
        holder = workspace.newest_run()["id"]
        second.ok("plan")  # is no run that another would wait for
        with second.at_terminal("apply", "-auto-approve") as behind:
            behind.wait_for("Waiting for 1 run")
            waiting = workspace.newest_run()
            assert waiting["attributes"]["status"] == "pending"
            assert waiting["attributes"]["wait-reason"] == (
                f"Waiting for {holder}, which is planning."
            )
            gate.open()
            assert ahead.end().status == 0
            done = behind.end()
    assert done.status == 0, done
    assert workspace.outputs() == {"color": "red"}


@pytest.mark.parametrize(
    ("deed", "word", "status"),
    [("cancel", "canceled", 1), ("discard", "discarded", 0)],  # the CLI's, as with HCP Terraform
    ids=["cancel", "discard"],
)
def test_an_apply_that_waits_for_a_lock_ends_when_somebody_else_ends_its_run(
    organization: Organization, deed: str, word: str, status: int
) -> None:
    terraform = organization.initialized(COLOR)
    workspace = organization.workspace()
    workspace.lock("maintenance")
    with terraform.at_terminal("apply", "-auto-approve") as terminal:
        terminal.wait_for(LOCKED)
        run = workspace.newest_run()["id"]
        organization.platform.api.act(f"runs/{run}/actions/{deed}")
        done = terminal.end(within_s=30.0)
    assert done.status == status, done
    assert f"{word.capitalize()} before it began." in done.said
    assert workspace.newest_run()["attributes"]["status"] == word


def test_an_apply_waits_for_a_lock_only_as_long_as_it_is_told_to(
    organization: Organization,
) -> None:
    terraform = organization.initialized(COLOR)
    workspace = organization.workspace()
    workspace.lock("maintenance")
    done = terraform.run("apply", "-auto-approve", "-lock-timeout=2s")
    assert "Lock timeout exceeded" in done.said
    assert "The remote operation was successfully cancelled." in done.said
    assert workspace.newest_run()["attributes"]["status"] == "canceled"


def test_ctrl_c_while_it_waits_asks_whether_to_cancel(organization: Organization) -> None:
    terraform = organization.initialized(COLOR)
    workspace = organization.workspace()
    workspace.lock("maintenance")
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for(LOCKED)
        terminal.press_ctrl_c()
        terminal.wait_for("Do you want to cancel the remote operation")
        terminal.type("yes")
        terminal.wait_for("The remote operation was successfully cancelled.")
        terminal.end()
    assert workspace.newest_run()["attributes"]["status"] == "canceled"
