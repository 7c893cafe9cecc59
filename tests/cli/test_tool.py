"""`landform tool`."""

from pathlib import Path

import pytest

from landform.toolchain.versions import parse_version
from tests.cli import command


@pytest.mark.parametrize("tool", ["terraform", "tofu"])
def test_the_versions_that_can_be_asked_for_are_printed_newest_first(
    tool: str, tmp_path: Path
) -> None:
    printed = command.run("tool", "versions", tool, "--home", tmp_path).stdout.split()
    assert printed == sorted(printed, key=parse_version, reverse=True)
    assert {"1.9.0", "1.10.0"} <= set(printed)
