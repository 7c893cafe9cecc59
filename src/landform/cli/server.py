"""`landform server`: the API and the pages, on a database that others may use as well."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn

from landform.app import build, make_process
from landform.bootstrap import configure_logs
from landform.cli.addresses import bind
from landform.cli.database import require_current_schema
from landform.kit.errors import UnavailableError
from landform.kit.loops import NEW_LOOP
from landform.kit.telemetry import Redactor
from landform.settings import Settings
from landform.wiring import open_platform

log = structlog.get_logger()

_FAREWELL_S: Final = 10  # for requests under way: uploads, and readers that wait for a log
_IDLE_S: Final = 75  # longer than clients keep a connection, so that they are the ones to close it


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConflictError: the port is taken, or the database is not at this version's schema.
        InvalidError: no database is set, or there is no such address on this machine.
        MissingKeyError: no key, or not the one the database was made with.
        UnavailableError: the database does not answer.
    """
    redactor = configure_logs(settings, process="server")
    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
        runner.run(_serve(settings, redactor))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own sends the signal again once it is done, which would end this process
        # before its connections to the database are closed.
        yield


async def _serve(settings: Settings, redactor: Redactor) -> None:
    with contextlib.closing(bind(settings.host, settings.port)) as bound:
        await require_current_schema(settings)
        async with open_platform(settings, redactor) as platform:
            server = _Server(
                uvicorn.Config(
                    build(make_process(settings, platform)),
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    timeout_keep_alive=_IDLE_S,
                    timeout_graceful_shutdown=_FAREWELL_S,
                )
            )
            loop = asyncio.get_running_loop()
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(signum, server.handle_exit, signum, None)
            host, port = bound.getsockname()[:2]
            log.info("server starts", host=host, port=port)
            await server.serve(sockets=[bound])
    if not server.started:
        raise UnavailableError("The server did not start; its log says why.")
