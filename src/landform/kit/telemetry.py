"""Logs of the process itself: structured, and free of every secret the process knows."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MIN_SECRET: Final = 6  # characters; shorter ones would redact ordinary words
_MASK: Final = "[redacted]"


class Redactor:
    """Replaces every known secret in what is logged; secrets may be added while running."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Know one more secret; too short a one is refused silently, as it would hide words."""
        if len(secret) >= _MIN_SECRET:
            self._secrets.add(secret)

    def discard(self, secret: str) -> None:
        """Forget a secret whose life is over."""
        self._secrets.discard(secret)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Clean one log event, as a structlog processor."""
        return {key: self._clean(value) for key, value in event.items()}

    def clean(self, text: str) -> str:
        """Return `text` without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, _MASK)
        return text

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {key: self._clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in value]
        if isinstance(value, int | float | bool | None):
            return value
        return self.clean(str(value))


def configure(*, form: str, level: str, redactor: Redactor, process: str) -> None:
    """Send every log of this process, ours and libraries', to standard error.

    Args:
        form: `text` for a terminal, `json` for machines.
        process: name shown with each line, such as `server`.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(process),
        redactor,
    ]
    render: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("procrastinate", "httpx2", "httpcore2", "uvicorn.access", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def _named(process: str) -> Processor:
    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {"process": process, **event}

    return add
