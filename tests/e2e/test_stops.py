"""Ctrl-C, and runs that somebody else stops while the CLI looks on."""

from tests.e2e.configurations import COLOR
from tests.e2e.gate import Gate
from tests.e2e.platforms import Organization

SLOW = """
resource "terraform_data" "slow" {
  depends_on = [terraform_data.paint]
  provisioner "local-exec" {
    command = "sleep 60"
  }
}
"""
ASKS = "Do you want to cancel the remote operation"
AT_WORK = "terraform_data.slow: .*Executing"


def test_ctrl_c_in_a_plan_leaves_the_plan_running(organization: Organization, gate: Gate) -> None:
    terraform = organization.initialized(COLOR, gate.data())
    with terraform.at_terminal("plan") as terminal:
        terminal.wait_for("terraform_remote_state.gate: Refreshing")
        gate.until_reached()
        terminal.press_ctrl_c()
        done = terminal.end()
    assert done.status == 1, done
    workspace = organization.workspace()
    assert workspace.newest_run()["attributes"]["status"] == "planning"
    gate.open()
    workspace.wait_for_run("planned_and_finished")


def test_ctrl_c_in_the_plan_of_an_apply_asks_and_no_leaves_it_running(
    organization: Organization, gate: Gate
) -> None:
    terraform = organization.initialized(COLOR, gate.data())
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("terraform_remote_state.gate: Refreshing")
        gate.until_reached()
        terminal.press_ctrl_c()
        terminal.wait_for(ASKS)
        terminal.type("no")
        terminal.wait_for("The remote operation was not cancelled.")
        terminal.end()
    gate.open()
    workspace = organization.workspace()
    workspace.wait_for_run("planned")
    assert workspace.attributes["locked"]


def test_ctrl_c_in_the_plan_of_an_apply_and_yes_ends_the_run(
    organization: Organization, gate: Gate
) -> None:
    terraform = organization.initialized(COLOR, gate.data())
    with terraform.at_terminal("apply") as terminal:
        terminal.wait_for("terraform_remote_state.gate: Refreshing")
        gate.until_reached()
        terminal.press_ctrl_c()
        terminal.wait_for(ASKS)
        terminal.type("yes")
        terminal.wait_for("The remote operation was successfully cancelled.")
        terminal.end()
    workspace = organization.workspace()
    workspace.wait_for_run("canceled")
    assert not workspace.attributes["locked"]
    assert workspace.related("current-state-version") is None


def test_ctrl_c_in_an_apply_ends_it_and_keeps_what_it_made(organization: Organization) -> None:
    terraform = organization.initialized(COLOR, SLOW)
    with terraform.at_terminal("apply", "-auto-approve") as terminal:
        terminal.wait_for(AT_WORK)
        terminal.press_ctrl_c()
        terminal.wait_for("The remote operation was successfully cancelled.")
        done = terminal.end()
    assert ASKS not in done.said
    workspace = organization.workspace()
    workspace.wait_for_run("canceled")
    assert not workspace.attributes["locked"]
    kept = terraform.ok("state", "list").stdout.split()
    assert kept == ["terraform_data.paint", "terraform_data.slow"]
    assert "(tainted)" in terraform.ok("state", "show", "terraform_data.slow").stdout


def test_somebody_else_can_cancel_a_plan(organization: Organization, gate: Gate) -> None:
    terraform = organization.initialized(COLOR, gate.data())
    with terraform.at_terminal("plan") as terminal:
        terminal.wait_for("terraform_remote_state.gate: Refreshing")
        gate.until_reached()
        run = organization.workspace().newest_run()
        organization.platform.api.act(f"runs/{run['id']}/actions/cancel")
        done = terminal.end()
    assert done.status == 1, done
    assert "operation canceled" in done.said
    assert organization.workspace().newest_run()["attributes"]["status"] == "canceled"


def test_somebody_else_can_cancel_an_apply(organization: Organization) -> None:
    terraform = organization.initialized(COLOR, SLOW)
    with terraform.at_terminal("apply", "-auto-approve") as terminal:
        terminal.wait_for(AT_WORK)
        run = organization.workspace().newest_run()
        organization.platform.api.act(f"runs/{run['id']}/actions/cancel")
        done = terminal.end()
    assert done.status == 1, done
    assert "Interrupt received." in done.said
    assert organization.workspace().newest_run()["attributes"]["status"] == "canceled"
