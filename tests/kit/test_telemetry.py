"""Logs of the process hold none of the secrets it knows."""

import json
import logging
import uuid
from collections.abc import Iterator

import pytest
import structlog

from landform.kit.telemetry import Redactor, configure


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_known_secret_is_in_no_line_whoever_logs_it(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = uuid.uuid4().hex
    configure(form=form, level="INFO", redactor=Redactor([canary]), process="test")
    log = structlog.get_logger()
    log.info(canary, value=canary, nested={"deep": [canary]}, error=ValueError(canary))
    logging.getLogger("library").warning("library said %s", canary)
    try:
        int(canary, 2)
    except ValueError:
        log.exception("failed")
    printed = capsys.readouterr().err
    assert canary not in printed
    assert printed.count("[redacted]") >= 5


def test_json_lines_are_json_and_name_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    configure(form="json", level="INFO", redactor=Redactor(), process="server")
    structlog.get_logger().info("phase ended", outcome="finished")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "phase ended"
    assert line["process"] == "server"
    assert line["outcome"] == "finished"


def test_a_secret_is_forgotten_when_its_life_is_over() -> None:
    redactor = Redactor()
    redactor.add("short-lived")
    assert redactor.clean("a short-lived token") == "a [redacted] token"
    redactor.discard("short-lived")
    assert redactor.clean("a short-lived token") == "a short-lived token"
