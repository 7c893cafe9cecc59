"""What is told of a plan, and how the real CLI draws it."""

import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from landform.contract import Artefact, Category, LogStream, Outcome, Variable
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.plan_output import read_plan, read_schemas, with_schemas
from landform.execution.sandbox import Sandbox, SandboxMode, detect

from .conftest import apply_job, make_host, plan_job, tar, tar_of
from .recorder import Recorder
from .rendering import render


def change(before: Any, after: Any, marks: Any, marks_after: Any = None) -> dict[str, Any]:
    return {
        "actions": ["update"],
        "before": before,
        "after": after,
        "after_unknown": {},
        "before_sensitive": marks,
        "after_sensitive": marks if marks_after is None else marks_after,
    }


def plan_of(*changes: dict[str, Any], **more: Any) -> bytes:
    entries = [
        {"address": f"a.x[{n}]", "mode": "managed", "type": "a", "provider_name": "p", "change": c}
        for n, c in enumerate(changes)
    ]
    return json.dumps({"format_version": "1.2", "resource_changes": entries, **more}).encode()


def hidden(before: Any, after: Any, marks: Any, marks_after: Any = None) -> tuple[Any, Any]:
    read = read_plan(plan_of(change(before, after, marks, marks_after)))
    (entry,) = read.redacted["resource_changes"]
    return entry["change"]["before"], entry["change"]["after"]


@pytest.mark.parametrize("value", ["secret", 12345, 1.5, True, False])
def test_equal_secrets_stay_equal_and_others_differ(value: Any) -> None:
    before, after = hidden({"s": value, "p": 1}, {"s": value, "p": 2}, {"s": True})
    assert before["s"] == after["s"]
    assert (before["p"], after["p"]) == (1, 2)
    assert type(before["s"]) is (int if isinstance(value, float) else type(value))
    other = (not value) if isinstance(value, bool) else value * 2
    before, after = hidden({"s": value}, {"s": other}, {"s": True})
    assert before["s"] != after["s"]
    if not isinstance(value, bool):
        assert value not in (before["s"], after["s"])


@pytest.mark.parametrize(
    ("before", "after", "marks", "marks_after"),
    [
        ({"m": {"key": "v1"}}, {"m": {"key": "v2"}}, {"m": True}, None),
        ({"m": ["v1", {"key": "v2"}]}, {"m": []}, {"m": True}, None),
        ({"l": ["v1", "v2"]}, {"l": ["v2"]}, {"l": [True, True]}, {"l": [True]}),
        ({"d": {"e": [{"key": "v1"}]}}, None, {"d": {"e": [{"key": True}]}}, False),
        (None, {"d": {"e": "v1"}}, False, {"d": {"e": True}}),
        ({"was": "v1"}, {"was": "v1"}, {"was": True}, {}),
        ({"now": "v1"}, {"now": "v1"}, {}, {"now": True}),
        ("v1", "v2", True, True),
    ],
)
def test_nothing_that_is_marked_on_either_side_is_left(
    before: Any, after: Any, marks: Any, marks_after: Any
) -> None:
    left = json.dumps(hidden(before, after, marks, marks_after))
    for value in ("v1", "v2"):
        assert value not in left
    if marks == {"m": True}:
        assert "key" not in left


def test_what_is_not_marked_keeps_every_digit() -> None:
    raw = plan_of().replace(
        b'"resource_changes": []',
        b'"resource_changes": [], "output_changes": {"o": {"actions": ["create"], "before": null,'
        b' "after": [0.10000000000000000001, 12345678901234567890123]}}',
    )
    document = with_schemas(read_plan(raw), read_schemas(b'{"format_version":"1.0"}'))
    assert b"[0.10000000000000000001,12345678901234567890123]" in document


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (plan_of(change(1, 1, False) | {"actions": ["no-op"]}), False),
        (plan_of(change(1, 2, False) | {"actions": ["read"]}), False),
        (plan_of(change(1, 2, False)), True),
        (plan_of(change(1, 1, False) | {"actions": ["no-op"], "importing": {"id": "i"}}), True),
        (plan_of(output_changes={"o": {"actions": ["create"]}}), True),
        (plan_of(output_changes={"o": {"actions": ["no-op"]}}), False),
        (plan_of(applyable=True), True),
        (plan_of(change(1, 2, False), applyable=False), False),
    ],
)
def test_a_plan_has_changes_when_there_is_something_to_apply(plan: bytes, expected: bool) -> None:
    assert read_plan(plan).has_changes is expected


@pytest.mark.parametrize(
    ("actions", "mode", "drifted"),
    [
        (["update"], "managed", 1),
        (["delete"], "managed", 1),
        (["no-op"], "managed", 0),  # moved to another address, and nothing else
        (["update"], "data", 0),
    ],
)
def test_drift_is_what_changed_or_is_gone(actions: list[str], mode: str, drifted: int) -> None:
    plan = json.loads(plan_of(change(1, 1, False) | {"actions": ["no-op"]}))
    plan["resource_drift"] = [{"mode": mode, "change": {"actions": actions}}]
    assert read_plan(json.dumps(plan).encode()).counts.drifted == drifted


def test_a_moved_object_is_a_change_to_older_versions() -> None:
    plan = json.loads(plan_of(change(1, 1, False) | {"actions": ["no-op"]}))
    plan["resource_changes"][0]["previous_address"] = "a.old"
    assert read_plan(json.dumps(plan).encode()).has_changes


def make_mirror(directory: Path) -> Path:
    """A mirror on disk with one provider, packed, as an operator would have it."""
    home = directory / "example.test" / "acme" / "sandbox"
    home.mkdir(parents=True)
    with zipfile.ZipFile(home / "terraform-provider-sandbox_1.0.0_linux_amd64.zip", "w") as packed:
        program = zipfile.ZipInfo("terraform-provider-sandbox_v1.0.0")
        program.external_attr = 0o755 << 16
        packed.writestr(
            program, f'#!/bin/sh\nexec {sys.executable} "$(dirname "$0")/provider.py" "$@"\n'
        )
        packed.write(Path(__file__).parent / "provider.py", "provider.py")
    return directory


@pytest.fixture
def equipped(tmp_path: Path, sandbox: Sandbox) -> Host:
    return make_host(
        tmp_path / "worker",
        sandbox,
        mirrors=(make_mirror(tmp_path / "mirror"),),
        visible=(Path(sys.prefix), Path(sys.base_prefix)),
    )


SECRETS = """
terraform {
  required_providers {
    sandbox = { source = "example.test/acme/sandbox" }
  }
}
variable "n" {}
variable "token" { sensitive = true }
variable "tags" {
  sensitive = true
  type = map(string)
}
resource "sandbox_thing" "x" {
  name   = "thing ${var.n}"
  secret = "own-${var.n}"
  port   = sensitive(4242424242420 + var.n)
  on     = sensitive(var.n == "1")
  tags   = { open = var.n, closed = var.token }
  list   = ["a", var.token]
}
resource "sandbox_thing" "steady" {
  name   = "steady ${var.n}"
  secret = "never-changes"
  tags   = sensitive({ same = "same-always" })
}
resource "sandbox_thing" "whole" {
  tags = var.tags
}
resource "terraform_data" "dynamic" {
  triggers_replace = { nested = [{ deep = var.token, flat = var.n }] }
}
output "o" {
  value     = var.token
  sensitive = true
}
output "plain" { value = var.n }
"""


def variables(number: int) -> list[Variable]:
    given = {
        "n": str(number),
        "token": f"tok-{number}",
        "tags": f'{{ k{number} = "tag-{number}" }}',
    }
    return [
        Variable(key=key, value=value, category=Category.TERRAFORM, hcl=key == "tags")
        for key, value in given.items()
    ]


async def test_the_cli_draws_a_redacted_plan_as_the_whole_one(
    plane: Recorder, equipped: Host, tmp_path: Path
) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=SECRETS)
    for step, number in (("create", 1), ("update", 2)):
        job = plan_job(phase_id=f"plan-{step}", variables=variables(number))
        planned = await run_phase(job, plane, host=equipped)
        assert planned.outcome is Outcome.FINISHED, planned
        redacted = plane.artefacts[Artefact.PLAN_JSON_REDACTED]
        # The number is long, as ids and stand-ins are random: a short one is in them at times.
        secrets = (b"tok-", b"own-", b"tag-", b"never-changes", b"same-always", b"424242424242")
        for secret in secrets:
            assert secret not in redacted
        drawn = await render(redacted, tmp_path / step)
        whole = plane.text(job)
        whole = whole[whole.index("used the selected providers") :]
        drawn = drawn[drawn.index("used the selected providers") :].partition("\nRun status")[0]
        # A secret collection that changes comes or goes, as far as the redacted plan tells.
        assert drawn.split() == whole.replace("~ tags = (", "+ tags = (").split()
        if step == "create":
            job = apply_job(phase_id="apply-create", variables=variables(number))
            applied = await run_phase(job, plane, host=equipped)
            assert applied.outcome is Outcome.FINISHED, applied


USES_PROVIDER = """
terraform {
  required_providers {
    sandbox = { source = "example.test/acme/sandbox" }
  }
}
resource "sandbox_thing" "x" { name = "n" }
"""


async def test_an_apply_and_a_locked_plan_download_no_provider_again(
    plane: Recorder, equipped: Host
) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=USES_PROVIDER)
    planned = await run_phase(plan_job(), plane, host=equipped)
    assert planned.outcome is Outcome.FINISHED, planned
    for packed in equipped.mirrors[0].rglob("*.zip"):
        packed.unlink()
    lock = plane.artefacts[Artefact.LOCK_FILE]
    assert b"example.test/acme/sandbox" in lock
    applied = await run_phase(apply_job(), plane, host=equipped)
    assert applied.outcome is Outcome.FINISHED, applied
    assert "Initializing" not in plane.text(apply_job(), LogStream.JSON)
    files = {"main_tf": USES_PROVIDER, "_terraform_lock_hcl": lock.decode()}
    plane.artefacts[Artefact.CONFIGURATION] = tar(**files)
    planned = await run_phase(plan_job(phase_id="plan-2"), plane, host=equipped)
    assert planned.outcome is Outcome.FINISHED, planned


async def test_another_organization_gets_no_provider_of_this_one(
    plane: Recorder, equipped: Host
) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=USES_PROVIDER)
    await run_phase(plan_job(), plane, host=equipped)
    for packed in equipped.mirrors[0].rglob("*.zip"):
        packed.unlink()
    job = apply_job(context={"organization": "other"})
    applied = await run_phase(job, plane, host=equipped)
    assert applied.outcome is Outcome.ERRORED
    assert "sandbox" in applied.error


async def test_what_a_run_downloads_by_its_own_trust_stays_its_own(
    plane: Recorder, equipped: Host
) -> None:
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=USES_PROVIDER)
    proxy = Variable(key="HTTPS_PROXY", value="http://127.0.0.1:9", category=Category.ENV)
    planned = await run_phase(plan_job(variables=[proxy]), plane, host=equipped)
    assert planned.outcome is Outcome.FINISHED, planned
    assert list((equipped.root / "providers").rglob("*provider*")) == []


async def test_a_provider_planted_in_a_configuration_is_neither_used_nor_kept(
    plane: Recorder, equipped: Host
) -> None:
    place = "_terraform/providers/example_test/acme/sandbox/1_0_0/linux_amd64".replace("_", ".")
    name = f"{place.replace('linux.amd64', 'linux_amd64')}/terraform-provider-sandbox_v1.0.0"
    from_user = {"main.tf": USES_PROVIDER, name: "#!/bin/sh\nexit 1\n"}
    plane.artefacts[Artefact.CONFIGURATION] = tar_of(from_user)
    planned = await run_phase(plan_job(), plane, host=equipped)
    assert planned.outcome is Outcome.FINISHED, planned
    (kept,) = (equipped.root / "providers").rglob("terraform-provider-sandbox_v1.0.0")
    assert b"provider.py" in kept.read_bytes()


async def test_a_provider_starts_however_long_the_path_of_the_home_is(
    plane: Recorder, tmp_path: Path
) -> None:
    without = await detect(SandboxMode.OFF)
    mirrors = (make_mirror(tmp_path / "mirror"),)
    host = make_host(tmp_path / ("long" * 20), without, mirrors=mirrors)
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=USES_PROVIDER)
    planned = await run_phase(plan_job(), plane, host=host)
    assert planned.outcome is Outcome.FINISHED, planned
    for link in Path(tempfile.gettempdir()).glob("landform-*"):
        if link.is_symlink() and link.readlink() == host.phases:
            link.unlink()
