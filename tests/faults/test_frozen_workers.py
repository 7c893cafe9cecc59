"""SIGSTOP of a worker for longer than its lease, then SIGCONT: the zombie is fenced."""

import asyncio

from sqlalchemy import text

from landform.kit.db import make_engine
from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Platform


def test_a_plan_of_a_frozen_worker_is_made_by_another_and_the_zombie_changes_nothing(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    first = gate.wait_for(f"plan/{name}")
    zombie = platform.worker_of(run)
    zombie.freeze()
    platform.sees_death_of(run)
    second = gate.wait_for(f"plan/{name}", count=2)
    assert first.ended is None
    second.let_through()
    client.wait(run, "planned")
    log = client.text_log(run)

    zombie.thaw()
    eventually(lambda: first.is_cut, within_s=RECOVERY_S)
    eventually(lambda: zombie.has_said("phase ended"), within_s=RECOVERY_S)
    (plan,) = platform.rows(
        "SELECT artefacts FROM run_phases WHERE run_id = %s AND phase = 'plan'", run
    )
    assert set(plan["artefacts"].values()) == {2}
    assert client.text_log(run) == log
    assert client.act(run, "apply") == 202
    client.wait(run, "applied")


def test_an_apply_of_a_frozen_worker_is_declared_dead_and_its_child_dies_at_the_thaw(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two", "three"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/two")
    zombie = platform.worker_of(run)
    zombie.freeze()
    ended = client.wait(run, "errored", within_s=RECOVERY_S)
    assert "The worker stopped answering while it applied." in ended["error"]
    assert visit.ended is None

    zombie.thaw()
    eventually(lambda: visit.is_cut, within_s=RECOVERY_S)
    eventually(lambda: zombie.has_said("phase ended"), within_s=RECOVERY_S)
    assert client.run(run) == ended
    assert client.state(workspace) is None
    assert [len(gate.at(f"apply/{name}/{each}")) for each in ("one", "two", "three")] == [1, 1, 0]
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200


def test_an_apply_that_ended_while_its_worker_was_frozen_does_not_count(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    before = client.start(
        workspace, client.upload(workspace, gated(gate, f"{name}-0")), **{"auto-apply": True}
    )
    client.wait(before, "applied")
    state = client.state(workspace)

    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = gate.wait_for(f"apply/{name}/two")
    eventually(lambda: "two: Creating" in client.text_log(run), within_s=15)
    zombie = platform.worker_of(run)
    zombie.freeze()
    client.wait(run, "errored", within_s=RECOVERY_S)
    visit.let_through()
    eventually(lambda: visit.passed, within_s=15)

    zombie.thaw()
    eventually(lambda: zombie.has_said("phase ended"), within_s=RECOVERY_S)
    assert client.run(run)["status"] == "errored"
    assert client.state(workspace) == state
    told = {each["address"] for each in client.apply(run)["maybe-not-in-state"]}
    assert told == {"terraform_data.one", "terraform_data.two"}
    for offered in client.offered_states(workspace):
        assert addresses(offered) == told
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200


async def test_a_process_that_froze_in_a_transaction_does_not_keep_others_from_its_rows(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(workspace, client.upload(workspace, gated(gate, name)))
    gate.wait_for(f"plan/{name}")
    engine = make_engine(platform.database_url)
    async with engine.connect() as connection:
        # Such a lock is held at some moment of every write; here we stand still at it.
        await connection.execute(
            text("SELECT 1 FROM leases WHERE run_id = :run FOR UPDATE"), {"run": run}
        )
        platform.worker_of(run).kill()
        await asyncio.to_thread(platform.sees_death_of, run)
        await asyncio.to_thread(gate.wait_for, f"plan/{name}", count=2)
        await connection.invalidate()
    await engine.dispose()
    gate.open(f"plan/{name}")
    client.wait(run, "planned")
