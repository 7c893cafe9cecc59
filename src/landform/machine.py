"""What a worker and an agent have in common: a machine that runs phases. Needs no database."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

from landform.execution.guardian import guarding
from landform.execution.host import Host, inherited_environment
from landform.execution.network import NetworkMode, detect_networks, doors_in
from landform.execution.sandbox import SandboxMode, detect
from landform.kit.archive import Bounds
from landform.kit.egress_allow import Allow
from landform.settings import Settings
from landform.toolchain.toolchain import Toolchain
from landform.toolchain.versions import Tool

_MB = 2**20


def make_toolchain(settings: Settings) -> Toolchain:
    """Return the tools of this machine."""
    mirrors = {Tool.TERRAFORM: settings.terraform_mirror, Tool.TOFU: settings.tofu_mirror}
    return Toolchain(
        settings.home / "tools",
        settings.toolchain_dir,
        mirrors={tool: url for tool, url in mirrors.items() if url},
        offline=settings.toolchain_offline,
    )


@contextlib.asynccontextmanager
async def open_host(
    settings: Settings, toolchain: Toolchain, *, rooms: Path, platform_url: str
) -> AsyncIterator[Host]:
    """Yield what this machine offers to phases, in a room of this process's own.

    Args:
        rooms: a directory that processes of the same kind share.
        platform_url: how runs reach the platform, without a trailing slash; empty: they do not.

    Raises:
        UnavailableError: there is no sandbox, or no network of a run's own, where one is required.
        InvalidError: networks of runs, or what they may reach, are set that cannot be.
    """
    sandbox = await detect(SandboxMode(settings.sandbox))
    inherited = inherited_environment()
    networks = await detect_networks(
        NetworkMode(settings.sandbox_network),
        sandbox,
        closed=settings.sandbox_network_closed,
        doors=doors_in([platform_url, *inherited.values()]),
    )
    with (
        claimed_room(rooms) as room,
        contextlib.nullcontext() if sandbox.confines else guarding() as guardian,
    ):
        yield Host(
            root=room,
            ensure_tool=toolchain.ensure,
            sandbox=sandbox,
            networks=networks,
            inherited=inherited,
            guardian=guardian,
            memory_bytes=settings.memory_limit_mb * _MB,
            disk_bytes=settings.disk_limit_mb * _MB,
            state_bytes=settings.max_state_mb * _MB,
            platform_url=platform_url,
            egress=Allow.parse(settings.egress_allow),
            archive=Bounds(),
            mirrors=(settings.provider_mirror,) if settings.provider_mirror else (),
        )


@contextlib.contextmanager
def claimed_room(parent: Path) -> Iterator[Path]:
    """Yield the first directory `parent`/N that no other process has, and keep it.

    The first, so that who is started after one was killed finds what that one had not yet brought
    to safety.
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


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Do `work` until it ends, or SIGINT or SIGTERM cancels it."""
    running = asyncio.create_task(work)
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
