import os
from pathlib import Path

import pytest

from landform.cli import home
from landform.kit.errors import ConflictError, UnavailableError


def test_a_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with home.held(tmp_path / "new"):
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_held_home_is_refused_with_who_holds_it_and_where_it_answers(tmp_path: Path) -> None:
    with home.held(tmp_path):
        home.announce(tmp_path, "http://127.0.0.1:1234")
        with (
            pytest.raises(ConflictError, match=f"{os.getpid()}.*http://127.0.0.1:1234"),
            home.held(tmp_path),
        ):
            pass


def test_a_home_can_be_held_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with home.held(tmp_path):
            pass


def test_what_a_killed_platform_wrote_of_itself_is_not_believed(tmp_path: Path) -> None:
    with home.held(tmp_path):
        home.announce(tmp_path, "http://127.0.0.1:1234")
        assert home.find_running(tmp_path) == home.Running("http://127.0.0.1:1234", os.getpid())
    assert (tmp_path / "server.json").exists()
    assert home.find_running(tmp_path) is None


def test_nothing_runs_where_nothing_ever_ran(tmp_path: Path) -> None:
    assert home.find_running(tmp_path / "nowhere") is None


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UnavailableError, match="cannot be used as home"),
        home.held(tmp_path / "file" / "home"),
    ):
        pass
