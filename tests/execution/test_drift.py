"""A plan of real terraform over things that somebody changed meanwhile."""

import json
from dataclasses import replace
from pathlib import Path

from landform.contract import Artefact, Outcome
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.sandbox import Sandbox
from tests.faults.provider import SOURCE, make_mirror

from .conftest import apply_job, make_host, plan_job, tar
from .recorder import Recorder

_THINGS = """
terraform {{
  required_providers {{
    world = {{ source = "{source}" }}
  }}
}}
resource "world_thing" "it" {{
  for_each  = toset(["one", "two", "three"])
  name      = each.key
  directory = "{directory}"
}}
"""


async def drifted(host: Host, plane: Recorder, phase_id: str) -> int:
    planned = await run_phase(plan_job(phase_id=phase_id), plane, host=host)
    assert planned.outcome is Outcome.FINISHED, planned
    return planned.counts.drifted


async def test_what_was_changed_or_taken_away_meanwhile_is_counted(tmp_path: Path) -> None:
    things = tmp_path / "things"
    things.mkdir()
    mirrors = (make_mirror(tmp_path / "mirror"),)
    # The things are files of this machine, which a sandbox would not show.
    host = replace(make_host(tmp_path / "worker", Sandbox()), mirrors=mirrors)
    plane = Recorder()
    text = _THINGS.format(source=SOURCE, directory=things)
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=text)
    assert await drifted(host, plane, "plan-1") == 0
    applied = await run_phase(apply_job(), plane, host=host)
    assert applied.outcome is Outcome.FINISHED, applied

    first, second, _ = sorted(things.iterdir())
    first.unlink()
    second.write_text(json.dumps({"name": "renamed"}))
    assert await drifted(host, plane, "plan-2") == 2
