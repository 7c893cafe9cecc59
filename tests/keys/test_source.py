"""Keys come from a setting, a command or a file, and are told to nobody."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from landform.keys import source as sources
from landform.keys.source import source_of
from landform.kit.crypto import KEY_BYTES, MissingKeyError, create_key_file, new_key
from landform.settings import Settings

KEY = b"\xc5" * KEY_BYTES


def settings(home: Path, **more: Any) -> Settings:
    return Settings(home=home, **more)


def printing(script: str) -> str:
    return shlex.join([sys.executable, "-c", script])


def test_the_file_of_the_home_is_read_when_nothing_else_is_set(tmp_path: Path) -> None:
    key = create_key_file(tmp_path / "encryption.key")
    source = source_of(settings(tmp_path))
    assert source.read() == (key,)
    assert source.is_file


def test_a_setting_wins_and_may_hold_older_keys_as_well(tmp_path: Path) -> None:
    create_key_file(tmp_path / "encryption.key")
    other = new_key()
    text = SecretStr(f"{KEY.hex()},{other.hex()}")
    source = source_of(settings(tmp_path, encryption_key=text, encryption_key_command="false"))
    assert source.read() == (KEY, other)
    assert not source.is_file
    assert KEY.hex() not in repr(source)


def test_a_command_is_asked_without_a_shell_and_what_it_prints_is_kept_from_logs(
    tmp_path: Path,
) -> None:
    known: list[str] = []
    command = printing(f"import sys; assert sys.argv[1] == '$HOME'; print('{KEY.hex()}')")
    source = source_of(
        settings(tmp_path, encryption_key_command=f"{command} '$HOME'"), known.append
    )
    assert source.read() == (KEY,)
    assert known == [KEY.hex()]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"print('{KEY.hex()}'); raise SystemExit(3)", "status 3"),
        (f"print('{KEY.hex()}0')", "64 hexadecimal digits"),
        ("pass", "no encryption key"),
        (f"print('{KEY.hex()} ' * 2000)", "bytes"),
        (f"import sys; sys.stderr.write('{KEY.hex()}'); raise SystemExit(1)", "status 1"),
    ],
)
def test_a_command_that_gives_no_key_is_an_error_that_does_not_repeat_it(
    tmp_path: Path, script: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = source_of(settings(tmp_path, encryption_key_command=printing(script)))
    with pytest.raises(MissingKeyError, match="LANDFORM_ENCRYPTION_KEY_COMMAND") as refusal:
        source.read()
    assert said in str(refusal.value)
    assert KEY.hex() not in str(refusal.value) + "".join(capfd.readouterr())


def test_a_command_that_does_not_end_is_given_up_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_COMMAND_S", 0.3)
    command = "sh -c 'sleep 60 & sleep 60'"
    with pytest.raises(MissingKeyError, match="did not end within"):
        source_of(settings(tmp_path, encryption_key_command=command)).read()


@pytest.mark.parametrize("command", ["/nowhere/at-all", "'unclosed"])
def test_a_command_that_cannot_be_run_is_an_error(tmp_path: Path, command: str) -> None:
    with pytest.raises(MissingKeyError):
        source_of(settings(tmp_path, encryption_key_command=command)).read()
