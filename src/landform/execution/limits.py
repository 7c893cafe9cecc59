"""Keeps a phase within its memory and disk."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from landform.execution import processes
from landform.execution.disk import disk_bytes
from landform.execution.halt import Cause, Halt
from landform.execution.host import Host

_CARE: Final = 20
"""Of the time, at most one part in this many goes into looking."""

_EXCESS: Final = 1.5
"""Past the limit a phase may still end by itself; past this many times the limit it may not."""


async def watch(host: Host, directory: Path, halt: Halt, roots: Callable[[], list[int]]) -> None:
    """Look at a phase's use again and again, and end the phase when it is too much.

    Args:
        directory: what counts as its disk.
        roots: the processes under way; they count with all their descendants.
    """
    loop = asyncio.get_running_loop()
    wait_s = host.clock.watch_s
    while halt.cause is None or not halt.fenced:
        await asyncio.sleep(wait_s)
        began = loop.time()
        if host.memory_bytes is not None:
            used = processes.resident_bytes(processes.tree(roots()))
            if used > host.memory_bytes:
                halt.kill(Cause.MEMORY)
                return
        used = await asyncio.to_thread(disk_bytes, directory)
        if used > host.disk_bytes * _EXCESS:
            halt.kill(Cause.DISK)
            return
        if used > host.disk_bytes:
            halt.interrupt(Cause.DISK)
        wait_s = max(host.clock.watch_s, _CARE * (loop.time() - began))
