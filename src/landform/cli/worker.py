"""`landform worker`: plans and applies, on a database and a store that others use as well."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from uvicorn.loops.auto import auto_loop_factory

from landform.bootstrap import configure_logs
from landform.cli.database import require_current_schema
from landform.execution.guardian import guarding
from landform.execution.host import Host, inherited_environment
from landform.execution.network import NetworkMode, detect_networks, doors_in
from landform.execution.sandbox import SandboxMode, detect
from landform.kit.archive import Bounds
from landform.kit.egress_allow import Allow
from landform.settings import Settings
from landform.triggers.background import Background
from landform.triggers.desk import Desk
from landform.wiring import make_reach, make_toolchain, open_platform
from landform.worker import Worker

_MB = 2**20


def work(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM; what runs then gets `cancel_grace_s` to end by itself.

    Raises:
        ConflictError: the database is not at this version's schema.
        InvalidError: no database is set, or networks of runs are set that cannot be.
        MissingKeyError: no key, or not the one the database was made with.
        UnavailableError: the database does not answer, or there is no sandbox, or no network
            of a run's own, where one is required.
    """
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_work(settings))


async def _work(settings: Settings) -> None:
    redactor = configure_logs(settings, process="worker")
    os.nice(settings.worker_nice)
    await require_current_schema(settings)
    toolchain = make_toolchain(settings)
    sandbox = await detect(SandboxMode(settings.sandbox))
    inherited = inherited_environment()
    networks = await detect_networks(
        NetworkMode(settings.sandbox_network),
        sandbox,
        closed=settings.sandbox_network_closed,
        doors=doors_in([settings.public_url, *inherited.values()]),
    )
    with (
        claimed_room(settings.home / "work") as room,
        contextlib.nullcontext() if sandbox.confines else guarding() as guardian,
    ):
        async with open_platform(settings, redactor) as platform:
            reach = make_reach(settings, platform.sessions, platform.keyring)
            worker = Worker(
                platform,
                toolchain,
                Host(
                    root=room,
                    ensure_tool=toolchain.ensure,
                    sandbox=sandbox,
                    networks=networks,
                    inherited=inherited,
                    guardian=guardian,
                    memory_bytes=settings.memory_limit_mb * _MB,
                    disk_bytes=settings.disk_limit_mb * _MB,
                    state_bytes=settings.max_state_mb * _MB,
                    platform_url=settings.public_url.rstrip("/"),
                    egress=Allow.parse(settings.egress_allow),
                    archive=Bounds(),
                    mirrors=(settings.provider_mirror,) if settings.provider_mirror else (),
                ),
                database_url=settings.database_url.get_secret_value(),
                slots=settings.worker_slots,
                sweep_s=settings.sweep_s,
                farewell_s=settings.cancel_grace_s,
                background=Background(
                    Desk(platform, reach, settings.vcs_hook_secret_days),
                    look_s=settings.vcs_poll_s,
                ),
            )
            try:
                await _until_told(worker)
            finally:
                await reach.close()


@contextlib.contextmanager
def claimed_room(parent: Path) -> Iterator[Path]:
    """Yield the first directory `parent`/N that no other worker has, and keep it.

    The first, so that the worker that is started after one was killed finds what that one had
    not yet brought to safety.
    """
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in itertools.count():
        room = parent / str(number)
        room.mkdir(exist_ok=True, mode=0o700)
        descriptor = os.open(room / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield room
        finally:
            os.close(descriptor)
        return


async def _until_told(worker: Worker) -> None:
    running = asyncio.create_task(worker.run())
    loop = asyncio.get_running_loop()
    told = False

    def stop() -> None:
        nonlocal told
        if not told:  # a second cancellation would cut short what the first one lets end
            told = True
            running.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await running
