from datetime import timedelta
from pathlib import Path

import pytest

from landform.cli.arguments import parse_lifetime, read_settings
from landform.kit.errors import InvalidError
from tests.cli import command


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(days=90)),
        ("8w", timedelta(weeks=8)),
    ],
)
def test_a_lifetime_is_a_number_and_a_unit(text: str, lifetime: timedelta) -> None:
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize("text", ["", "0d", "5", "d", "-3d", "1.5h", "3y", "999999w", "1h30m"])
def test_what_is_no_lifetime_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidError, match="write 30m, 12h, 90d or 8w"):
        parse_lifetime(text)


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDFORM_PORT", "9000")
    monkeypatch.setenv("LANDFORM_HOST", "0.0.0.0")
    settings = read_settings(port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "0.0.0.0")


def test_a_relative_home_is_made_absolute() -> None:
    assert read_settings(home=Path("somewhere")).home == Path.cwd() / "somewhere"


def test_a_wrong_setting_is_named_as_the_user_wrote_it() -> None:
    with pytest.raises(InvalidError, match=r"^--worker-slots: "):
        read_settings(worker_slots=0)


def test_a_wrong_variable_is_named_and_not_shown_as_it_may_be_secret() -> None:
    done = command.run("db", "check", LANDFORM_WORKER_SLOTS="hunter2secret")
    assert done.returncode == 1
    assert done.stderr.startswith("landform: LANDFORM_WORKER_SLOTS: ")
    assert "Traceback" not in done.stderr
    assert "hunter2secret" not in done.stdout + done.stderr


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; import landform.cli.main;"
        "print(*sorted({'sqlalchemy', 'fastapi', 'pydantic', 'psycopg', 'structlog'} &"
        " set(sys.modules)))"
    )
    done = command.run_python(script)
    assert done.stdout.split() in ([], ["structlog"])
