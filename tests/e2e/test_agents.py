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
from tests.cli.command import Running
from tests.e2e.configurations import COLOR
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
        assert agent.process.wait(30) == 0
    assert pool.agents() == {"one": "exited"}
