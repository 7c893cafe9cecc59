"""`landform up`."""

import asyncio

import structlog

from landform.bootstrap import configure_logs
from landform.cli.first_admin import tell_password
from landform.cli.halt import Halt
from landform.cli.platform import running
from landform.kit.telemetry import Redactor
from landform.settings import Settings

log = structlog.get_logger()


async def up(settings: Settings) -> None:
    """Run a platform until SIGINT, SIGTERM or SIGHUP; a second one ends it quickly.

    What is for a person goes to standard output, logs to standard error: the one-time password
    is in no log.

    Raises:
        LandformError: see `platform.running`.
    """
    redactor = configure_logs(settings, process="up")
    halt = Halt()
    with halt.on_signals():
        await halt.guard(_run(settings, redactor, halt))


async def _run(settings: Settings, redactor: Redactor, halt: Halt) -> None:
    async with running(settings, redactor, halt, on_password=tell_password) as ready:
        log.info("platform ready", url=ready.url, home=str(settings.home))
        print(f"Landform is ready at {ready.url} (Ctrl-C stops it)", flush=True)
        await asyncio.Event().wait()
