"""Plans that leave out an init: the same plan, sooner; and init comes back where it is needed."""

import json
from collections.abc import Callable

import pytest

from landform.contract import Artefact, Outcome, PhaseJob
from landform.execution.host import Host
from landform.execution.phase import run_phase

from .conftest import plan_job, tar, tar_of
from .recorder import Recorder

ONE = 'resource "terraform_data" "one" { input = "x" }\n'


def inits(plane: Recorder, job: PhaseJob) -> int:
    return sum(message["type"] == "init_output" for message in plane.messages(job))


async def planned(plane: Recorder, host: Host, epoch: int, archive: bytes) -> PhaseJob:
    plane.artefacts[Artefact.CONFIGURATION] = archive
    job = plan_job(phase_id=f"plan-{epoch}")
    await run_phase(job, plane, host=host)
    return job


async def test_a_second_plan_needs_no_init_and_says_the_same(plane: Recorder, host: Host) -> None:
    first = await planned(plane, host, 1, tar(main_tf=ONE))
    shown = plane.artefacts[Artefact.PLAN_JSON]
    second = await planned(plane, host, 2, tar(main_tf=ONE))
    assert inits(plane, first)
    assert not inits(plane, second)
    kinds = [message["type"] for message in plane.messages(second)]
    assert kinds == ["version", "planned_change", "change_summary"]
    assert "Plan: 1 to add" in plane.text(second)
    assert [result.outcome for result in plane.results] == [Outcome.FINISHED] * 2
    again = json.loads(plane.artefacts[Artefact.PLAN_JSON])
    assert again["resource_changes"] == json.loads(shown)["resource_changes"]


NEEDS_INIT: dict[str, dict[str, str]] = {
    "modules": {"main.tf": 'module "m" { source = "./m" }\n', "m/main.tf": ONE},
    "modules in JSON that hides the word": {
        "main.tf.json": '{"m\\u006fdule": {"m": {"source": "./m"}}}',
        "m/main.tf": ONE,
    },
    "a record of modules that is out of date": {
        "main.tf": 'module "m" { source = "./m" }\n',
        "m/main.tf": ONE,
        ".terraform/modules/modules.json": '{"Modules":[{"Key":"","Source":"","Dir":"."}]}',
    },
}


@pytest.mark.parametrize("case", NEEDS_INIT)
async def test_init_comes_back_for(case: str, plane: Recorder, host: Host) -> None:
    await planned(plane, host, 1, tar(main_tf=ONE))
    job = await planned(plane, host, 2, tar_of(NEEDS_INIT[case]))
    assert plane.results[-1].outcome is Outcome.FINISHED, plane.text(job)
    assert inits(plane, job)
    assert plane.results[-1].counts.additions == 1
    assert "rror" not in plane.text(job)


async def test_uploaded_modules_are_planned_at_once(plane: Recorder, host: Host) -> None:
    await planned(plane, host, 1, tar(main_tf=ONE))
    manifest = {"Modules": [{"Key": "", "Source": "", "Dir": "."}]}
    manifest["Modules"].append({"Key": "m", "Source": "./m", "Dir": "m"})
    files = {
        "main.tf": 'module "m" {\n  source = "./m"\n}\n',
        "m/main.tf": ONE,
        ".terraform/modules/modules.json": json.dumps(manifest),
    }
    job = await planned(plane, host, 2, tar_of(files))
    assert plane.results[-1].counts.additions == 1
    assert not inits(plane, job)


async def test_an_error_is_said_once_and_after_an_init(plane: Recorder, host: Host) -> None:
    await planned(plane, host, 1, tar(main_tf=ONE))
    job = await planned(plane, host, 2, tar(main_tf='output "o" { value = var.missing }\n'))
    assert plane.results[-1].outcome is Outcome.ERRORED
    assert inits(plane, job)
    assert plane.text(job).count("Reference to undeclared input variable") == 1
    assert "(and " not in plane.results[-1].error


BAD_RECORDS: dict[str, Callable[[str], str]] = {
    "one of another kind": lambda text: text.replace('"http"', '"local"'),
    "one that leads elsewhere": lambda text: text.replace(
        '"address": null', '"address": "http://127.0.0.1:9/"'
    ),
    "no JSON": lambda text: text[:40],
}


@pytest.mark.parametrize("case", BAD_RECORDS)
async def test_a_kept_record_does_no_harm_when_it_is(
    case: str, plane: Recorder, host: Host
) -> None:
    await planned(plane, host, 1, tar(main_tf=ONE))
    (kept,) = (host.root / "backends").iterdir()
    good = kept.read_text()
    kept.write_text(BAD_RECORDS[case](good))
    assert kept.read_text() != good
    job = await planned(plane, host, 2, tar(main_tf=ONE))
    assert plane.results[-1].outcome is Outcome.FINISHED, plane.text(job)
    assert inits(plane, job)
    assert kept.read_text() == good
