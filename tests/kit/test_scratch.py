"""Directories for a moment's work, and what is left of them when their process is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from landform.kit.scratch import remove_abandoned, scratch

_OWNER = """
import sys
from landform.kit.scratch import scratch
with scratch() as path:
    (path / "file").write_text("x")
    print(path, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_empty_and_nothing_of_it_is_left(temporary: Path) -> None:
    with scratch() as path:
        assert list(path.iterdir()) == []
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "in").mkdir()
        (path / "in" / "file").write_text("x")
    assert list(temporary.iterdir()) == []


def test_it_stays_while_its_process_lives_and_goes_when_that_was_killed(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        env={"TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout
        path = Path(owner.stdout.readline().strip())
        remove_abandoned()
        assert (path / "file").exists()
        owner.kill()
        owner.wait()
        assert (path / "file").exists()
        with scratch():
            assert not path.exists()


def test_a_link_of_that_name_is_not_followed(temporary: Path) -> None:
    mine = temporary / "mine"
    mine.mkdir()
    (mine / "file").write_text("x")
    (temporary / "landform-scratch-evil").symlink_to(mine)
    remove_abandoned()
    assert (mine / "file").exists()
