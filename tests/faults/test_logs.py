"""Both logs against what terraform itself wrote, byte for byte."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from landform.execution import messages
from tests.faults.client import Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform

# A command of terraform's whose output goes through us and to a file of its own.
_TEE = """#!/bin/bash
set -o pipefail
exec 3>>"{said}.$1"
"{terraform}" "$@" | tee /dev/fd/3
"""
_OWN_BACKEND = ("Initializing the backend", 'Successfully configured the backend "http"')


@pytest.fixture
def overheard(platform: Platform, tmp_path: Path) -> Iterator[tuple[Platform, Path]]:
    said, tools = tmp_path / "said", tmp_path / "tools"
    tools.mkdir()
    tool = tools / "terraform_1.11.4"
    tool.write_text(_TEE.format(said=said, terraform="/usr/local/bin/terraform"))
    tool.chmod(0o755)
    with platform.workers_with(LANDFORM_SANDBOX="off", LANDFORM_TOOLCHAIN_DIR=str(tools)):
        yield platform, said


def test_both_logs_have_every_byte_that_terraform_wrote(
    overheard: tuple[Platform, Path], client: Client, gate: Gate, workspace: str, name: str
) -> None:
    _, said = overheard
    archive = gated(gate, name, ("one", "two"), lines=2000)
    run = client.start(workspace, client.upload(workspace, archive), **{"auto-apply": True})
    client.wait(run, "applied", within_s=120)
    for phase in ("plan", "apply"):
        told = _lines(said.with_suffix(f".{phase}"))
        # A worker that has planned before does without an init.
        init = _lines(said.with_suffix(".init")) if phase == "plan" else []
        structured = client.json_log(run.replace("run-", f"{phase}-", 1)).splitlines()
        expected = [line for line in (*init, *told) if not _is_our_own(line)]
        assert [line for line in structured if _is_terraforms(line)] == expected
        text = client.text_log_of(run, phase)
        shown = "\n".join(_shown(told, planning=phase == "plan"))
        assert shown.encode() in text


def _lines(path: Path) -> list[bytes]:
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [line for line in lines if line.startswith(b"{")]


def _is_terraforms(line: bytes) -> bool:
    message = messages.parse(line)
    return message is not None and message["@module"] == "terraform.ui"


def _is_our_own(line: bytes) -> bool:
    message = messages.parse(line)
    assert message is not None, line
    if message.get("type") != "init_output":
        return False
    return str(message["@message"]).lstrip().startswith(_OWN_BACKEND)


def _shown(lines: list[bytes], *, planning: bool) -> Iterator[str]:
    for line in lines:
        message = messages.parse(line)
        assert message is not None, line
        if message.get("type") == "version":  # said by init already, or said once at the top
            continue
        if said := messages.as_text(message, planning=planning):
            yield said
