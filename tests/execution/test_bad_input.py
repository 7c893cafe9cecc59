"""What cannot be planned or applied, and what is said of it."""

import pytest

from landform.contract import Artefact, LogStream, Outcome
from landform.execution.host import Host
from landform.execution.phase import run_phase

from .conftest import Configure, apply_job, env, plan_job, tar_of, terraform
from .recorder import Recorder

NO_SUCH_PROVIDER = """
terraform {
  required_providers {
    x = { source = "127.0.0.1:9/a/b" }
  }
}
"""
BAD: dict[str, tuple[dict[str, str], dict[str, object], tuple[str, ...]]] = {
    "a configuration that does not parse": (
        {"main.tf": 'resource "terraform_data" "x" {\n  input = \n}\n'},
        {},
        ("main.tf line 2", "Correct the configuration"),
    ),
    "a missing variable": (
        {"main.tf": 'variable "region" {}\noutput "o" { value = var.region }'},
        {},
        ("region", "Set it as a variable of the workspace"),
    ),
    "a version that is not allowed": (
        {"main.tf": 'terraform { required_version = ">= 99" }'},
        {},
        ("Unsupported Terraform Core version", "Let the workspace use a version"),
    ),
    "a provider that cannot be had": (
        {"main.tf": NO_SUCH_PROVIDER},
        {},
        ("provider", "reaches its registry"),
    ),
    "no configuration": ({}, {}, ("No configuration files", "working directory")),
    "a working directory that is not there": (
        {"main.tf": ""},
        {"working_directory": "envs/prod"},
        ("no directory 'envs/prod'", "Change the workspace's working directory"),
    ),
    "a working directory that leaves": (
        {"main.tf": ""},
        {"working_directory": "../.."},
        ("leaves the configuration", "relative"),
    ),
    "a reserved variable": (
        {"main.tf": ""},
        {"variables": [env("LD_PRELOAD", "/x.so")]},
        ("LD_PRELOAD", "Remove it"),
    ),
    "a value that is no HCL": (
        {"main.tf": 'variable "v" {}'},
        {"variables": [terraform("v", "{ not closed", hcl=True)]},
        ("variables.tfvars", "Correct"),
    ),
    "an unknown target": (
        {"main.tf": ""},
        {"options": {"target_addrs": ["not an address"]}},
        ("Invalid target", "Change the options"),
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_named_with_its_remedy(case: str, plane: Recorder, host: Host) -> None:
    files, job, expected = BAD[case]
    plane.artefacts[Artefact.CONFIGURATION] = tar_of(files)
    result = await run_phase(plan_job(**dict(job)), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    for part in expected:
        assert part in result.error
    assert plane.results == [result]
    assert Artefact.PLAN not in plane.artefacts
    assert "Error: " in plane.text(plan_job())
    assert "Error" in plane.text(plan_job(), LogStream.JSON)
    assert list(host.phases.iterdir()) == []


async def test_a_bad_archive_and_no_archive_are_named(plane: Recorder, host: Host) -> None:
    result = await run_phase(plan_job(), plane, host=host)
    assert "no configuration" in result.error
    plane.artefacts[Artefact.CONFIGURATION] = b"no tar"
    result = await run_phase(plan_job(phase_id="plan-2"), plane, host=host)
    assert "not a gzip file" in result.error
    assert "not a gzip file" in plane.text(plan_job(phase_id="plan-2"))


async def test_an_apply_without_a_readable_plan_says_so(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure("")
    result = await run_phase(apply_job(), plane, host=host)
    assert "no plan to apply" in result.error
    plane.artefacts[Artefact.PLAN] = b"no plan"
    result = await run_phase(apply_job(phase_id="apply-2"), plane, host=host)
    assert "cannot be read" in result.error
    assert plane.states == []


async def test_a_plan_of_a_state_that_moved_is_refused_as_stale(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    first = plane.artefacts[Artefact.PLAN]
    await run_phase(apply_job(), plane, host=host)
    assert plane.artefacts[Artefact.PLAN] is first
    result = await run_phase(apply_job(phase_id="apply-2"), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "stale" in result.error
    assert "start a new run" in result.error
    assert len(plane.states) == 1
