"""Keeps an attempt's lease, hears its orders, and stops it when it may no longer be the one."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from landform.contract import ControlPlane, LostLeaseError, Orders, PhaseJob, Stop
from landform.execution.halt import Cause, Halt
from landform.execution.host import Clock
from landform.kit.errors import UnavailableError

log = structlog.get_logger()

_AGAIN_S: Final = 0.5
_PAUSE_S: Final = 0.02  # orders once given are given again at each renewal


class Lease:
    """Renews until closed. Time is monotonic: a process that was frozen finds out at once."""

    def __init__(self, job: PhaseJob, plane: ControlPlane, halt: Halt, clock: Clock) -> None:
        """Begin; the lease is taken to be as old as this call."""
        self._job = job
        self._plane = plane
        self._halt = halt
        self._every_s = job.lease_s / 5
        self._fence_s = clock.fence_s(job)
        self._answer_s = job.lease_s * clock.fence
        self._loop = asyncio.get_running_loop()
        self._renewed = self._loop.time()
        self._fence = self._loop.call_later(self._fence_s, self._shut)
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Renew no more."""
        self._fence.cancel()
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self) -> None:
        asked = self._renewed
        while not self._halt.fenced:
            began = self._loop.time()
            # An apply may go on while nobody answers, but not when it was we who did not ask.
            if began - self._renewed > self._fence_s or began - asked > self._job.lease_s:
                self._shut()
                return
            asked = began
            wait_s = min(self._every_s, _AGAIN_S)
            try:
                async with asyncio.timeout(self._answer_s):
                    orders = await self._plane.renew(self._job)
            except LostLeaseError:
                self._halt.kill(Cause.LOST)
                return
            except (UnavailableError, TimeoutError) as error:
                log.warning("The lease was not renewed", phase=self._job.phase_id, error=str(error))
            except Exception:  # this loop must live: when it does not, the phase is stopped
                log.exception("The lease was not renewed", phase=self._job.phase_id)
            else:
                self._renewed = began
                self._fence.cancel()
                self._fence = self._loop.call_at(began + self._fence_s, self._shut)
                self._obey(orders)
                await self._listen()
                wait_s = _PAUSE_S
            await asyncio.sleep(wait_s)

    async def _listen(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._every_s * 1.5):
                await self._plane.wait_for_orders(self._job, timeout_s=self._every_s)

    def _obey(self, orders: Orders) -> None:
        if orders.stop is Stop.INTERRUPT:
            self._halt.interrupt(Cause.CANCELED)
        elif orders.stop is Stop.KILL:
            self._halt.kill(Cause.FORCED)

    def _shut(self) -> None:
        log.error("No renewal came through; the child is stopped", phase=self._job.phase_id)
        self._halt.kill(Cause.UNHEARD)
