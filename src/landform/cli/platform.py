"""A whole platform on this machine: embedded PostgreSQL, server and worker, as children of ours.

They are started in that order and ended in the reverse one. When this process is killed, minder
and `die_with_parent` end them.
"""

import asyncio
import http.client
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from landform.bootstrap import create_home
from landform.cli import home
from landform.cli.addresses import kept, own_url, reachable
from landform.cli.database import embedded, with_database
from landform.cli.halt import Halt
from landform.cli.prepare import prepare
from landform.keys.source import source_of
from landform.kit.early import Early, started_early
from landform.kit.errors import UnavailableError
from landform.kit.supervise import OnLine, Program, Supervisor
from landform.kit.telemetry import Redactor
from landform.settings import Settings

_SERVER: Final = (sys.executable, "-m", "landform", "server")
_WORKER: Final = (sys.executable, "-m", "landform", "worker")
_READY_S: Final = 90.0
_LOOK_EVERY_S: Final = 0.05
_ASK_S: Final = 10.0
_SAID_BYTES: Final = 300
_START_ATTEMPTS: Final = 3
_SERVER_GRACE_S: Final = 15.0
_WORKER_NICE: Final = "5"
_WORKER_MARGIN_S: Final = 20.0  # to bring results to safety, after its phases had their time


@dataclass(frozen=True)
class Ready:
    """A platform that answers.

    Attributes:
        url: how clients reach it, without a trailing slash.
        local_url: how this machine does.
        password: of the user `admin`, if it was made just now; else None.
    """

    url: str
    local_url: str
    password: str | None


@asynccontextmanager
async def running(
    settings: Settings,
    redactor: Redactor,
    halt: Halt,
    *,
    on_password: Callable[[str], None] = lambda _: None,
    on_line: OnLine | None = None,
) -> AsyncIterator[Ready]:
    """Run a platform for as long as the context lasts; yield when it is ready.

    Args:
        halt: once it is urgent, nobody's grace is waited for any more.
        on_password: gets the first admin's password as soon as it is stored.
        on_line: gets the output of server and worker; None lets them write to ours.

    Raises:
        ConflictError: another runs on this home, the port is taken, or the database is at a
            schema that this version does not know.
        MissingKeyError: the key of the home's data is not there, or is another.
        UnavailableError: a part of it does not start.
    """
    with home.held(settings.home), ExitStack() as stack:
        if source_of(settings).is_file and not settings.encryption_key_file:
            create_home(settings.home)
        port = stack.enter_context(kept(settings.host, settings.port))
        settings = settings.model_copy(update={"port": port})
        env = {**os.environ, **_environment(settings)}
        with started_early(_SERVER, env, is_heard=on_line is not None) as server:
            async with _database(settings) as settings:
                env = {**os.environ, **_environment(settings)}
                password = await prepare(settings, redactor, env)
                if password:
                    on_password(password)
                supervisor = Supervisor(_programs(settings, env, server), on_line=on_line)
                async with _supervised(supervisor, halt):
                    local_url = reachable(settings)
                    await _until_ready(local_url, supervisor)
                    ready = Ready(own_url(settings), local_url, password)
                    home.announce(settings.home, ready.url)
                    try:
                        yield ready
                    finally:
                        home.forget(settings.home)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Settings]:
    """Yield the settings with a database that is kept running, unless it is not ours to keep."""
    if settings.database_url.get_secret_value():
        yield settings
        return
    postgres = embedded(settings.home)
    url = await postgres.start()
    keeper = asyncio.create_task(postgres.keep_running())
    try:
        yield with_database(settings, url)
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await postgres.stop()


def _programs(
    settings: Settings, environment: Mapping[str, str], early_server: Early
) -> list[Program]:
    # The server says to each client what that client called it; runs must be told a name.
    for_worker = {
        "LANDFORM_WORKER_NICE": _WORKER_NICE,
        **environment,
        "LANDFORM_PUBLIC_URL": own_url(settings),
    }
    worker_grace_s = settings.cancel_grace_s + _WORKER_MARGIN_S
    return [
        Program(
            name="server",
            argv=_SERVER,
            env=environment,
            early=early_server,
            grace_s=_SERVER_GRACE_S,
        ),
        Program(name="worker", argv=_WORKER, env=for_worker, grace_s=worker_grace_s),
    ]


def _environment(settings: Settings) -> dict[str, str]:
    """Return what was set, by whatever way, as the environment of a child."""
    given = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is not None:
            given[f"LANDFORM_{name.upper()}"] = str(value)
    return given


@asynccontextmanager
async def _supervised(supervisor: Supervisor, halt: Halt) -> AsyncIterator[None]:
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    try:
        with halt.hurrying(supervisor.stop):
            try:
                yield
            finally:
                supervisor.stop()
                if halt.is_urgent:
                    supervisor.stop()
                await task
    finally:
        await asyncio.gather(task, return_exceptions=True)


async def _until_ready(url: str, supervisor: Supervisor) -> None:
    """Return once the server says that it is ready, and the worker runs.

    Raises:
        UnavailableError: it takes too long, or one of them ends again and again.
    """
    last = "it does not answer"
    started: defaultdict[str, set[int]] = defaultdict(set)
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        for name, pid in supervisor.pids.items():
            started[name].add(pid)
            if len(started[name]) > _START_ATTEMPTS:
                raise UnavailableError(f"The {name} does not stay up; its log says why.")
        with suppress(OSError, http.client.HTTPException):
            status, said = await asyncio.to_thread(_ask, url)
            if status == HTTPStatus.OK and "worker" in supervisor.pids:
                return
            last = f"it answers {status}: {said}"
        await asyncio.sleep(_LOOK_EVERY_S)
    raise UnavailableError(f"The server at {url} is not ready after {_READY_S:.0f} s: {last}.")


def _ask(url: str) -> tuple[int, str]:
    """Return the server's answer. Another client would be 5 MB for as long as a platform runs."""
    at = urlsplit(url)
    with closing(http.client.HTTPConnection(at.hostname or "", at.port, timeout=_ASK_S)) as line:
        line.request("GET", "/readyz")
        answer = line.getresponse()
        return answer.status, answer.read(_SAID_BYTES).decode(errors="replace").strip()
