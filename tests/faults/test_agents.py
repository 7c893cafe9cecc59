"""An agent that dies, stands still or is cut off leaves what a worker leaves, and no more."""

from collections.abc import Callable

import pytest

from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.conftest import ORGANIZATION
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Part, Platform


class Pool:
    """A pool with a token, and a workspace that runs there."""

    def __init__(self, client: Client, make_workspace: Callable[..., str], name: str) -> None:
        self.client = client
        made = self._post(
            f"/organizations/{ORGANIZATION}/agent-pools", "agent-pools", {"name": name}
        )
        self.id = made["id"]
        path = f"/agent-pools/{self.id}/authentication-tokens"
        token = self._post(path, "agent-tokens", {"description": "a test's"})
        self.token, self.token_id = token["attributes"]["token"], token["id"]
        self.workspace = make_workspace(**{"execution-mode": "agent", "agent-pool-id": self.id})

    def agent_of(self, platform: Platform, run_id: str, agents: list[Part]) -> Part:
        """Return the agent that has the run's plan or apply now."""
        (row,) = platform.rows(
            "SELECT worker_id, pool FROM leases WHERE run_id = %s AND state = 'leased'", run_id
        )
        assert row["pool"] == self.id
        (agent,) = (
            each
            for each in agents
            if any(said.get("agent") == row["worker_id"] for said in each.said())
        )
        return agent

    def _post(self, path: str, kind: str, attributes: dict[str, str]) -> dict[str, dict[str, str]]:
        answer = self.client.post(path, {"data": {"type": kind, "attributes": attributes}})
        assert answer.status_code == 201, answer.text
        data: dict[str, dict[str, str]] = answer.json()["data"]
        return data


@pytest.fixture
def pool(client: Client, make_workspace: Callable[..., str], name: str) -> Pool:
    return Pool(client, make_workspace, name)


def test_a_plan_whose_agent_was_killed_is_made_by_another_agent_of_its_pool(
    platform: Platform, client: Client, gate: Gate, pool: Pool, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(pool.workspace, client.upload(pool.workspace, gated(gate, name)))
    with platform.agents(pool.token, 2) as agents:
        first = gate.wait_for(f"plan/{name}")
        killed = pool.agent_of(platform, run, agents)
        killed.kill()
        platform.sees_death_of(run)
        gate.wait_for(f"plan/{name}", count=2)
        assert first.is_cut
        assert pool.agent_of(platform, run, agents) is not killed
        gate.open(f"plan/{name}")
        client.wait(run, "planned")
        assert client.act(run, "apply") == 202
        client.wait(run, "applied")
        assert addresses(client.state(pool.workspace)) == {"terraform_data.one"}


def test_an_apply_whose_agent_was_killed_is_never_done_again(
    platform: Platform, client: Client, gate: Gate, pool: Pool, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    configuration = client.upload(pool.workspace, gated(gate, name, ("one", "two", "three")))
    run = client.start(pool.workspace, configuration, **{"auto-apply": True})
    with platform.agents(pool.token, 2) as agents:
        visit = gate.wait_for(f"apply/{name}/two")
        eventually(lambda: "two: Creating" in client.text_log(run), within_s=15)
        pool.agent_of(platform, run, agents).kill()
        ended = client.wait(run, "errored", within_s=RECOVERY_S)
        assert "The worker stopped answering while it applied." in ended["error"]
        assert visit.is_cut
        made, begun = client.apply(run)["maybe-not-in-state"]
        assert (made["address"], begun["address"]) == ("terraform_data.one", "terraform_data.two")
        assert client.workspace(pool.workspace)["locked"]
        gate.open(f"apply/{name}/two")
        unlocked = client.post(f"/workspaces/{pool.workspace}/actions/force-unlock")
        assert unlocked.status_code == 200, unlocked.text
        again = client.start(
            pool.workspace, client.upload(pool.workspace, gated(gate, f"{name}-2"))
        )
        client.wait(again, "planned")  # by the agent that is left
        assert client.act(again, "discard") == 202
    assert [len(gate.at(f"apply/{name}/{each}")) for each in ("one", "two", "three")] == [1, 1, 0]


def test_an_agent_that_stood_still_in_an_apply_says_nothing_more_when_it_goes_on(
    platform: Platform, client: Client, gate: Gate, pool: Pool, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    configuration = client.upload(pool.workspace, gated(gate, name, ("one", "two")))
    run = client.start(pool.workspace, configuration, **{"auto-apply": True})
    with platform.agents(pool.token) as agents:
        gate.wait_for(f"apply/{name}/two")
        (frozen,) = agents
        frozen.freeze()
        client.wait(run, "errored", within_s=RECOVERY_S)
        state = client.state(pool.workspace)
        gate.open(f"apply/{name}/two")
        frozen.thaw()
        eventually(lambda: frozen.has_said("phase ended"), within_s=RECOVERY_S)
        assert client.state(pool.workspace) == state
        assert client.run(run)["status"] == "errored"
    unlocked = client.post(f"/workspaces/{pool.workspace}/actions/force-unlock")
    assert unlocked.status_code == 200, unlocked.text


def test_a_token_that_is_withdrawn_in_an_apply_lets_its_lease_run_out_and_its_state_stays_to_hand(
    platform: Platform, client: Client, gate: Gate, pool: Pool, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    configuration = client.upload(pool.workspace, gated(gate, name))
    run = client.start(pool.workspace, configuration, **{"auto-apply": True})
    with platform.agents(pool.token) as agents:
        gate.wait_for(f"apply/{name}/one")
        client.delete(f"/authentication-tokens/{pool.token_id}")
        client.wait(run, "errored", within_s=RECOVERY_S)
        assert client.workspace(pool.workspace)["locked"]
        gate.open(f"apply/{name}/one")
        (cut_off,) = agents
        room = next(platform.directory.glob("agent-*/agent/0/spool"), None)
        eventually(
            lambda: any(platform.directory.glob("agent-*/agent/0/spool/*/state-*.tfstate")),
            within_s=RECOVERY_S,
            say=lambda: (room, cut_off.output.read_text(errors="replace")[-3000:]),
        )
        assert client.state(pool.workspace) is None
    assert [len(gate.at(f"apply/{name}/one"))] == [1]
    unlocked = client.post(f"/workspaces/{pool.workspace}/actions/force-unlock")
    assert unlocked.status_code == 200, unlocked.text
