"""Plans and applies from end to end."""

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest
import structlog

from landform.contract import Artefact, LogStream, Outcome, PhaseJob
from landform.execution.host import Host
from landform.execution.log import PhaseLog
from landform.execution.phase import run_phase

from .conftest import Configure, apply_job, plan_job
from .recorder import Recorder

ONE = """
resource "terraform_data" "x" {
  input = "hello"
}
output "o" { value = terraform_data.x.output }
"""


async def test_a_plan_an_apply_and_a_destroy_do_what_they_say(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(ONE)
    planned = await run_phase(plan_job(), plane, host=host)
    assert planned.outcome is Outcome.FINISHED
    assert planned.has_changes
    assert planned.counts.additions == 1
    assert plane.results == [planned]
    text = plane.text(plan_job())
    assert "terraform_data.x will be created" in text
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in text
    assert "backend" not in text
    assert {message["type"] for message in plane.messages(plan_job())} >= {
        "version",
        "planned_change",
        "change_summary",
    }
    shown = json.loads(plane.artefacts[Artefact.PLAN_JSON])
    assert shown["resource_changes"][0]["address"] == "terraform_data.x"

    applied = await run_phase(apply_job(), plane, host=host)
    assert applied.outcome is Outcome.FINISHED, applied
    assert applied.counts.additions == 1
    assert applied.maybe_not_in_state == ()
    assert [version.final for version in plane.states] == [True]
    text = plane.text(apply_job())
    assert "Apply complete! Resources: 1 added" in text
    assert 'o = "hello"' in text
    assert '"type":"outputs"' in plane.text(apply_job(), LogStream.JSON)

    destroy = {"options": {"is_destroy": True}, "phase_id": "plan-2"}
    planned = await run_phase(plan_job(**destroy), plane, host=host)
    assert planned.counts.destructions == 1
    applied = await run_phase(apply_job(phase_id="apply-2"), plane, host=host)
    assert applied.outcome is Outcome.FINISHED
    assert applied.counts.destructions == 1
    assert plane.states[-1].document["resources"] == []
    assert list(host.phases.iterdir()) == []
    assert list(host.spool.iterdir()) == []


async def test_a_plan_whose_lease_ends_while_the_last_of_its_log_is_sent_says_so(
    plane: Recorder, host: Host, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(ONE)
    is_over = asyncio.Event()
    close, append = PhaseLog.close, plane.append_log

    async def closing(log: PhaseLog, *, patience_s: float) -> None:
        is_over.set()
        await close(log, patience_s=patience_s)

    async def late(job: PhaseJob, stream: LogStream, offset: int, data: bytes) -> None:
        await is_over.wait()
        plane.fails_at = "renew"
        await plane.until(lambda: "No renewal came through; the child is stopped" in _events(logs))
        await append(job, stream, offset, data)

    monkeypatch.setattr(PhaseLog, "close", closing)
    plane.append_log = late  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        await run_phase(plan_job(lease_s=7.0), plane, host=host)
    assert plane.results == []
    assert "The result came too late" in _events(logs)


def _events(logs: Sequence[Mapping[str, object]]) -> list[object]:
    return [line["event"] for line in logs]
