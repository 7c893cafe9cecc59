"""The phases that one process has under way: so many at a time, and a time to end by themselves."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog

from landform.contract import ControlPlane, PhaseJob
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.kit.errors import LandformError

log = structlog.get_logger()


class Slots:
    """Places for attempts.

    Args:
        farewell_s: seconds that attempts under way get to end by themselves when all is to end.
    """

    def __init__(self, count: int, *, farewell_s: float) -> None:
        self.count = count
        self._farewell_s = farewell_s
        self._free = asyncio.Semaphore(count)
        self._attempts: set[asyncio.Task[None]] = set()

    async def take(self) -> None:
        """Wait for a free place and take it; `start` or `give_back` comes next."""
        await self._free.acquire()

    def give_back(self) -> None:
        """Leave the place that was taken."""
        self._free.release()

    def start(self, attempt: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have the place that was taken do `attempt`, and leave it with its end."""
        task = asyncio.create_task(attempt)
        self._attempts.add(task)
        task.add_done_callback(self._leave)
        return task

    async def say_farewell(self) -> None:
        """Wait for the attempts a while, then end them."""
        if self._attempts:
            log.info("waiting for phases", count=len(self._attempts), at_most_s=self._farewell_s)
            await asyncio.wait(self._attempts, timeout=self._farewell_s)
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)

    def _leave(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        self._free.release()
        if not attempt.cancelled() and (failure := attempt.exception()):
            log.error("an attempt failed", exc_info=failure)


async def carry_out(job: PhaseJob, plane: ControlPlane, *, host: Host) -> None:
    """Run the phase to its end; if this process ends before, say so."""
    with structlog.contextvars.bound_contextvars(run=job.run_id, phase=job.phase_id):
        log.info("phase began", epoch=job.epoch, version=job.version)
        try:
            result = await run_phase(job, plane, host=host)
        except asyncio.CancelledError:
            log.warning("phase cut short: the process ends")
            with contextlib.suppress(LandformError):
                await plane.forfeit(job)
            raise
        log.info("phase ended", outcome=result.outcome, error=result.error or None)
