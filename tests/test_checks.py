"""What `make check` looks for besides: vulnerable dependencies, and secrets in what is kept."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from requirements.audit import judge

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".secrets.baseline"
HOLE = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}


def audited(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": [*dependencies], "fixes": []}


def test_a_known_vulnerability_fails_the_check_and_says_what_mends_it() -> None:
    found = audited(
        {"name": "fine", "version": "1.0", "vulns": []},
        {"name": "holey", "version": "1.0", "vulns": [HOLE]},
        {"name": "odd", "skip_reason": "not found"},
    )
    failed, words = judge(found, "")
    assert failed
    assert "holey 1.0: PYSEC-1 (mended in 2.0)" in words


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "Traceback\nrequests.exceptions.ConnectionError: pypi.org"),
        (None, ""),
        (audited({"name": "odd", "skip_reason": "not found"}), ""),
    ],
)
def test_a_service_that_cannot_be_asked_fails_nothing_and_is_said(found: Any, said: str) -> None:
    failed, words = judge(found, said)
    assert not failed
    assert words.startswith("Dependencies were NOT audited")


def test_what_was_audited_is_counted() -> None:
    fine = {"name": "fine", "version": "1.0", "vulns": []}
    assert judge(audited(fine), "") == (False, "No known vulnerability in 1 pinned dependencies.")


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "QWERTYUIOPASDFGH",
        "ghp_" + "a1B2" * 9,
        "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ],
)
def test_a_secret_that_is_committed_is_found(tmp_path: Path, secret: str) -> None:
    kept = tmp_path / "settings.py"
    kept.write_text(f'value = "{secret}"\n')
    command = [str(Path(sys.executable).with_name("detect-secrets-hook")), "--baseline"]
    done = subprocess.run([*command, str(BASELINE), str(kept)], capture_output=True, check=False)
    assert done.returncode == 1, done.stdout
