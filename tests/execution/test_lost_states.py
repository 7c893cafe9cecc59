"""States that the platform, the disk or we ourselves did not take."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from landform.contract import Outcome
from landform.execution import messages
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.state import recover_spool

from .conftest import Configure, apply_job, make_host, plan_job
from .recorder import Recorder


async def test_a_state_that_is_refused_is_offered_and_the_apply_ends_errored(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    plane.refuses_state = True
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "The lineage is another." in result.error
    assert "compare them" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    (offered,) = plane.offered
    assert b"terraform_data" in offered
    assert "refused the state" in plane.text(apply_job())
    assert list(host.spool.iterdir()) == []


async def test_a_state_larger_than_allowed_is_found_where_terraform_left_it(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" { input = "0123456789" }')
    await run_phase(plan_job(), plane, host=host)
    object.__setattr__(host, "state_bytes", 100)
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "Failed to save state" in result.error
    assert "The newest state is lost" in result.error
    assert plane.states == []
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt


async def test_a_fault_of_the_platforms_own_loses_neither_the_state_nor_the_list(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    plane.fails_at = "put_state"
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "did not reach the platform" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt
    assert await recover_spool(host, plane) == 0
    assert b"terraform_data" in plane.offered[0]


async def test_a_fault_of_the_workers_own_loses_the_list_of_nothing_that_was_made(
    plane: Recorder, host: Host, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    as_text = messages.as_text

    def fails_at_the_end(message: Mapping[str, Any], *, planning: bool) -> str:
        if message.get("type") == "change_summary":
            raise RuntimeError("a fault of ours")
        return as_text(message, planning=planning)

    monkeypatch.setattr(messages, "as_text", fails_at_the_end)
    plane.down_at = "put_state"
    object.__setattr__(host, "clock", type(host.clock)(farewell_s=0.2))
    result = await run_phase(apply_job(), plane, host=host)
    assert "RuntimeError: a fault of ours" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt


async def test_a_state_for_which_the_disk_has_no_room_is_passed_on(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    host.spool.touch()  # no directory can be made there
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.FINISHED, result
    assert (result.maybe_not_in_state, result.state_in_doubt) == ((), False)
    (state,) = plane.states
    assert state.final
    assert b"terraform_data" in state.data


async def test_a_state_that_neither_disk_nor_platform_takes_is_said_to_be_lost(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    host.spool.touch()
    object.__setattr__(host, "clock", type(host.clock)(farewell_s=0.2))
    plane.fails_at = "put_state"
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "The newest state is lost" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt


async def test_an_errored_state_is_sent_after_all(
    plane: Recorder, host: Host, configure: Configure, tmp_path: Path
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    state = b'{"version":4,"serial":7,"lineage":"l","outputs":{},"resources":[]}'
    tool = tmp_path / "errored"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{state.decode()}' > errored.tfstate\nexit 1\n")
    tool.chmod(0o755)

    async def ensure(*_: object) -> Path:
        return tool

    other = make_host(tmp_path / "other", host.sandbox, ensure_tool=ensure)
    result = await run_phase(apply_job(), plane, host=other)
    assert result.outcome is Outcome.ERRORED
    assert [version.data for version in plane.states] == [state]
    assert plane.states[0].final


async def test_what_a_platform_did_not_take_is_offered_at_the_next_start(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    clock = type(host.clock)(farewell_s=0.2)
    host = make_host(host.root, host.sandbox, clock=clock)
    plane.down_at = "put_state"
    result = await run_phase(apply_job(token="lfr_secret"), plane, host=host)
    assert "did not reach the platform" in result.error
    assert result.maybe_not_in_state
    (directory,) = host.spool.iterdir()
    header = json.loads((directory / "header.json").read_text())
    assert header["phase_id"] == "apply-1"
    assert (header["variables"], header["token"]) == ([], "")
    assert await recover_spool(host, plane) == 1
    plane.down = False
    (host.phases / "dead.1").mkdir()
    assert await recover_spool(host, plane) == 0
    (offered,) = plane.offered
    assert b"terraform_data" in offered
    assert list(host.spool.iterdir()) == []
    assert list(host.phases.iterdir()) == []
