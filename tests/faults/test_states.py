"""The upload of a state refused, slow, and cut off after it succeeded."""

import asyncio

from sqlalchemy import text

from landform.kit.db import make_engine
from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import LEASE_S, Platform, since

_BOTH = {"terraform_data.one", "terraform_data.two"}


def test_a_state_that_is_refused_is_offered_and_its_objects_are_listed(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    before = client.start(
        workspace, client.upload(workspace, gated(gate, f"{name}-0")), **{"auto-apply": True}
    )
    client.wait(before, "applied")
    gate.hold(f"apply/{name}/two")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/two")
    # As if somebody had broken the lock and brought the workspace another state.
    newest = "SELECT current_state_version_id FROM workspaces WHERE id = %s"
    change = f"UPDATE state_versions SET lineage = %s WHERE id = ({newest})"
    (row,) = platform.rows(f"SELECT lineage FROM state_versions WHERE id = ({newest})", workspace)
    assert platform.change(change, "another", workspace) == 1
    gate.open(f"apply/{name}/two")
    ended = client.wait(run, "errored")
    assert platform.change(change, row["lineage"], workspace) == 1
    assert "refused the state" in ended["error"]
    assert client.workspace(workspace)["locked"]
    (offered,) = client.offered_states(workspace)
    assert addresses(offered) == _BOTH
    assert {each["address"] for each in client.apply(run)["maybe-not-in-state"]} == _BOTH
    assert client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code == 200


async def test_a_state_that_takes_longer_than_a_lease_is_saved_once(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    visit = await asyncio.to_thread(gate.wait_for, f"apply/{name}/one")
    engine = make_engine(platform.database_url)
    async with engine.connect() as connection:
        await connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
        lock = text("SELECT 1 FROM workspaces WHERE id = :id FOR UPDATE")
        await connection.execute(lock, {"id": workspace})
        visit.let_through()
        await asyncio.to_thread(
            eventually,
            lambda: since(visit.began) > 1.5 * LEASE_S and visit.passed,
            within_s=4 * LEASE_S,
        )
        assert client.run(run)["status"] == "applying"
    await engine.dispose()
    client.wait(run, "applied")
    assert addresses(client.state(workspace)) == _BOTH
    _was_saved_once(platform, run)


def test_a_state_whose_saving_was_not_answered_is_saved_once(
    platform: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"apply/{name}/one")
    archive = gated(gate, name, ("one", "two"))
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    gate.wait_for(f"apply/{name}/one")
    platform.database.cut_after(b"INSERT INTO state_versions", b"COMMIT")
    gate.open(f"apply/{name}/one")
    client.wait(run, "applied")
    assert platform.database.has_cut
    assert addresses(client.state(workspace)) == _BOTH
    _was_saved_once(platform, run)


def _was_saved_once(platform: Platform, run: str) -> None:
    saved = platform.rows("SELECT serial, status FROM state_versions WHERE run_id = %s", run)
    assert len({row["serial"] for row in saved}) == len(saved)
    assert {row["status"] for row in saved} == {"finalized"}
