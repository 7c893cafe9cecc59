"""Passes states from the spool on to the platform: in order, the newest wins, none is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from landform.contract import ControlPlane, LostLeaseError, PhaseJob
from landform.execution.patience import insist
from landform.execution.spool import Spool
from landform.kit.errors import LandformError, UnavailableError
from landform.kit.failpoints import FailPoint, reach

log = structlog.get_logger()

_FOREVER_S: Final = float("inf")


class Keeper:
    """Sends snapshots while the tool runs, and at the end whatever is left.

    A state for which this machine's disk has no room is held in memory until the platform has it.

    Attributes:
        refusal: why the platform does not take the state; empty while it does.
    """

    def __init__(
        self,
        job: PhaseJob,
        plane: ControlPlane,
        spool: Spool,
        *,
        delay_s: float,
        on_sent: Callable[[bytes], Awaitable[None]],
        on_refused: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._job = job
        self._plane = plane
        self._spool = spool
        self._delay_s = delay_s
        self._on_sent = on_sent
        self._on_refused = on_refused
        self._on_lost = on_lost
        self._more = asyncio.Event()
        self._sending = asyncio.Lock()
        self._unkept: bytes | None = None
        self._unkept_is_sent = False
        self._lost = False
        self.refusal = ""
        self._sender = asyncio.create_task(self._send_snapshots())

    def wake(self) -> None:
        """Say that the spool has a newer state."""
        self._unkept = None
        self._more.set()

    async def close(self) -> None:
        """Send no snapshots any more; `finish` sends what is left."""
        self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)

    async def take(self, state: bytes) -> None:
        """Take a state that terraform could not hand over: it is newer than any in the spool."""
        try:
            incoming = self._spool.incoming()
            incoming.write_bytes(state)
            await asyncio.to_thread(self._spool.accept, incoming)
        except OSError:
            log.exception("A state could not be kept on this machine's disk")
            self._unkept, self._unkept_is_sent = state, False
        else:
            self._unkept = None

    async def pass_on(self, state: bytes, *, patience_s: float) -> bool:
        """Send a state that the spool has no room for; return whether the platform has it."""
        self._unkept, self._unkept_is_sent = state, False
        if not (self._lost or self.refusal):
            await self._send(final=False, patience_s=patience_s)
        return self._is_safe

    @property
    def is_in_memory_only(self) -> bool:
        """Whether the newest state is nowhere but in this process."""
        return self._unkept is not None and not self._unkept_is_sent

    async def finish(self, *, final: bool, lost: bool, patience_s: float) -> bool:
        """Send what is left and, if `final`, tell the platform that nothing comes after it.

        What the platform refuses is offered to it, for a person. What it does not answer to stays
        in the spool, and what it has taken leaves it.

        Args:
            lost: the phase is another's by now: only offer.

        Returns:
            Whether the newest state, if there is any, is the workspace's newest.
        """
        self._lost = self._lost or lost
        if (final or not self._is_safe) and not (self._lost or self.refusal):
            await self._send(final=final, patience_s=patience_s)
        saved = self._is_safe
        if self._lost or self.refusal:
            await self._offer(patience_s)
        if self._is_safe:
            self._spool.remove()
        return saved

    async def _send_snapshots(self) -> None:
        while not (self._lost or self.refusal):
            await self._more.wait()
            # The last state of all comes just before the tool's end; with some delay it goes once.
            await asyncio.sleep(self._delay_s)
            self._more.clear()
            await self._send(final=False, patience_s=_FOREVER_S)

    async def _send(self, *, final: bool, patience_s: float) -> None:
        async with self._sending:
            await self._send_newest(final=final, patience_s=patience_s)

    async def _send_newest(self, *, final: bool, patience_s: float) -> None:
        newest = await self._newest()
        if newest is None:
            return
        number, state = newest
        try:
            await insist(
                lambda: self._plane.put_state(self._job, state, final=final),
                patience_s=patience_s,
            )
        except LostLeaseError:
            self._lost = True
            self._on_lost()
        except UnavailableError as error:
            log.warning(
                "A state stays on this machine", spool=str(self._spool.path), error=str(error)
            )
        except LandformError as error:
            self.refusal = str(error)
            self._on_refused()
        except Exception:  # whatever it was, the state is still ours to keep
            log.exception("A state could not be sent for a reason of ours")
        else:
            reach(FailPoint.RUN_STATE_SENT)
            self._note_sent(number, state)
            await self._on_sent(state)

    @property
    def _is_safe(self) -> bool:
        return self._spool.is_safe and not self.is_in_memory_only

    def _note_sent(self, number: int, state: bytes) -> None:
        if state is self._unkept:
            self._unkept_is_sent = True
        if number:
            self._spool.note_sent(number)

    async def _newest(self) -> tuple[int, bytes] | None:
        if self._unkept is not None:
            return self._spool.number, self._unkept
        while (path := self._spool.newest()) is not None:
            number = self._spool.number
            with suppress(FileNotFoundError):  # a newer one came while we looked
                return number, await asyncio.to_thread(path.read_bytes)
        return None

    async def _offer(self, patience_s: float) -> None:
        if self._is_safe or (newest := await self._newest()) is None:
            return
        number, state = newest
        if await offer(self._job, self._plane, state, patience_s=patience_s):
            self._note_sent(number, state)


async def offer(job: PhaseJob, plane: ControlPlane, state: bytes, *, patience_s: float) -> bool:
    """Hand a state to the platform for a person to look at; True if it has it."""
    try:
        await insist(lambda: plane.offer_state(job, state), patience_s=patience_s)
    except LandformError as error:
        log.warning("A state stays on this machine", phase=job.phase_id, error=str(error))
        return False
    return True
