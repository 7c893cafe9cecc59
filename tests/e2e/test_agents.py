"""Plans and applies on agents: processes that know the platform's address and a token, no more."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from landform.kit.early import SUPERVISOR_VARIABLE
from tests.cli import command
from tests.cli.command import Running, eventually
from tests.e2e.configurations import COLOR
from tests.e2e.gate import Gate
from tests.e2e.platforms import Organization

READY = re.compile(r"agent ready\s+.*?pool=(\S+)")
ADDED = "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."


class Pool:
    """An agent pool, a workspace that runs there, and the agents a test starts."""

    def __init__(self, organization: Organization, root: Path) -> None:
        self.organization = organization
        self.root = root
        self.api = organization.platform.api
        path = f"organizations/{organization.name}/agent-pools"
        self.id: str = self.api.send("POST", path, "agent-pools", {"name": "site"})["id"]
        self.token_id, self.token = self.new_token()
        self.workspace = organization.make_workspace(execution_mode="agent", agent_pool_id=self.id)
        self.started = 0

    def new_token(self) -> tuple[str, str]:
        path = f"agent-pools/{self.id}/authentication-tokens"
        made = self.api.send("POST", path, "authentication-tokens", {"description": "a test's"})
        return made["id"], made["attributes"]["token"]

    def agents(self) -> dict[str, str]:
        """Statuses by name."""
        rows = self.api.get(f"agent-pools/{self.id}/agents")
        return {row["attributes"]["name"]: row["attributes"]["status"] for row in rows}

    def status(self, run_id: str) -> str:
        return str(self.api.get(f"runs/{run_id}")["attributes"]["status"])

    @contextmanager
    def agent(self, name: str = "one", **settings: str) -> Iterator[Running]:
        """Run an agent, in a home of its own unless it had one by that name before."""
        self.started += 1
        home = self.root / name
        argv = command.landform_command("agent", "--home", home)
        env = {
            "LANDFORM_URL": self.organization.platform.url,
            "LANDFORM_AGENT_TOKEN": self.token,
            "LANDFORM_AGENT_NAME": name,
            "LANDFORM_CANCEL_GRACE_S": "3",
            "LANDFORM_TOOLCHAIN_OFFLINE": "true",
            SUPERVISOR_VARIABLE: str(os.getpid()),
            **settings,
        }
        with command.started(argv, self.root / f"output-{self.started}", **env) as running:
            running.wait_for(READY)
            yield running


@pytest.fixture
def pool(organization: Organization, tmp_path: Path) -> Pool:
    return Pool(organization, tmp_path / "agents")


def test_an_agent_plans_and_applies_with_nothing_but_an_address_and_a_token(pool: Pool) -> None:
    with pool.agent() as agent:
        assert pool.agents() == {"one": "idle"}
        done = pool.organization.initialized(COLOR).ok("apply", "-auto-approve")
        assert ADDED in done.said
        run = pool.workspace.newest_run()
        assert run["attributes"]["status"] == "applied"
        assert pool.workspace.outputs()["color"]
        suffix = run["id"].removeprefix("run-")
        assert f"plan-{suffix}" in agent.stderr
        assert f"apply-{suffix}" in agent.stderr
        assert pool.token not in agent.everything()
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(60) == 0
    assert pool.agents() == {"one": "exited"}


def test_a_run_waits_until_an_agent_of_its_pool_is_there(pool: Pool) -> None:
    terraform = pool.organization.initialized(COLOR)
    with terraform.at_terminal("plan") as terminal:
        run = pool.workspace.wait_for_run("plan_queued")
        assert run["attributes"]["wait-reason"] == (
            "Waiting for an agent: none of pool site is connected."
        )
        with pool.agent():
            terminal.wait_for("Plan: 1 to add, 0 to change, 0 to destroy.")
            assert terminal.end().status == 0


def test_an_agent_takes_a_new_token_from_its_file_while_it_runs(pool: Pool) -> None:
    file = pool.root.parent / "token"
    file.write_text(f"{pool.token}\n")
    with pool.agent(LANDFORM_AGENT_TOKEN="", LANDFORM_AGENT_TOKEN_FILE=str(file)):
        token_id, token = pool.new_token()
        pool.api.request("DELETE", f"authentication-tokens/{pool.token_id}")
        file.write_text(f"{token}\n")
        done = pool.organization.initialized(COLOR).ok("apply", "-auto-approve")
        assert ADDED in done.said
        last_used = pool.api.get(f"authentication-tokens/{token_id}")["attributes"]["last-used-at"]
        assert last_used is not None


def test_an_agent_without_a_good_token_ends_with_words(pool: Pool) -> None:
    url = pool.organization.platform.url
    env = {"LANDFORM_URL": url, "LANDFORM_AGENT_TOKEN": f"lfa_{'x' * 43}"}
    refused = command.run("agent", "--home", pool.root, **env)
    assert refused.returncode == 1
    assert f"landform: {url} refuses this agent: The token is not valid." in refused.stderr
    for wrong, words in (
        ({**env, "LANDFORM_URL": "landform.example.com"}, "Set LANDFORM_URL"),
        ({**env, "LANDFORM_AGENT_TOKEN": ""}, "Set LANDFORM_AGENT_TOKEN"),
    ):
        refused = command.run("agent", "--home", pool.root, **wrong)
        assert (refused.returncode, words in refused.stderr) == (1, True), refused.stderr


def test_an_agent_that_is_told_to_end_lets_its_plan_end_first(pool: Pool, gate: Gate) -> None:
    terraform = pool.organization.initialized(gate.data())
    # It waits for its phases no longer than it takes to stop a run.
    patient = pool.agent(LANDFORM_CANCEL_GRACE_S="120")
    with terraform.at_terminal("plan") as terminal, patient as agent:
        gate.until_reached()
        agent.process.send_signal(signal.SIGTERM)
        eventually(lambda: "waiting for phases" in agent.stderr, within_s=20)
        gate.open()
        assert agent.process.wait(60) == 0
        assert terminal.end().status == 0
    assert pool.workspace.newest_run()["attributes"]["status"] == "planned_and_finished"
