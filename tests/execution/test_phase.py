"""Plans and applies from end to end."""

import json

from landform.contract import Artefact, LogStream, Outcome
from landform.execution.host import Host
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
