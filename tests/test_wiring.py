"""What every process sets up for itself."""

import logging
import uuid
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from landform.bootstrap import configure_logs
from landform.settings import Settings

SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def printed(settings: Settings, canary: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a process with these settings logs when it is to log the canary."""
    configure_logs(settings, process="test")
    structlog.get_logger().error("It said so.", text=f"<{canary}>")
    text = capsys.readouterr().err
    assert "It said so." in text
    return text


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_setting_is_in_a_log(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    canary = uuid.uuid4().hex
    settings = Settings.model_validate({name: canary})
    assert canary not in printed(settings, canary, capsys)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("database_url", "postgresql://landform:{}@db.example/landform"),
        ("audit_webhook", "https://landform:{}@hooks.example/audit"),
    ],
)
@pytest.mark.parametrize("written", ["{}", "p%40{}"])
def test_a_password_in_an_address_is_in_no_log_without_it(
    name: str, url: str, written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = uuid.uuid4().hex
    settings = Settings.model_validate({name: url.format(written.format(canary))})
    password = written.format(canary).replace("%40", "@")
    assert canary not in printed(settings, password, capsys)


@pytest.mark.parametrize("variable", ["AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_KEY"])
def test_credentials_of_the_object_store_are_in_no_log(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = uuid.uuid4().hex
    monkeypatch.setenv(variable, canary)
    assert canary not in printed(Settings(), canary, capsys)


def test_an_address_that_is_none_does_not_keep_a_process_from_saying_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "<hello there>" in printed(Settings(audit_webhook="http://[x"), "hello there", capsys)
