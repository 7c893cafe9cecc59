"""The control plane as an agent has it: each call a request."""

import asyncio
from collections.abc import Sequence
from typing import Final

import pydantic

from landform.agent.line import Content, Line
from landform.contract import (
    Artefact,
    Created,
    LogStream,
    LostLeaseError,
    Orders,
    PhaseJob,
    PhaseResult,
)
from landform.kit.errors import LandformError, NotFoundError, UnavailableError

_RENEW_S: Final = 10.0
_PAUSE_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_MARGIN_S: Final = 10.0
_MADE: Final = pydantic.TypeAdapter(list[Created])


class RemoteControlPlane:
    """The control plane for phases run where only the platform's address is known."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def renew(self, job: PhaseJob) -> Orders:
        """See contract.ControlPlane."""
        said = await self._ask(job, "POST", "/renew", answer_s=min(job.lease_s, _RENEW_S))
        try:
            return Orders.model_validate_json(said or b"")
        except pydantic.ValidationError as failure:
            raise UnavailableError(f"The platform's orders are not to be read: {failure}") from None

    async def wait_for_orders(self, job: PhaseJob, *, timeout_s: float) -> None:
        """See contract.ControlPlane."""
        wait_s = min(timeout_s, _LONGEST_WAIT_S)
        try:
            await self._ask(job, "GET", "/orders", answer_s=wait_s + _MARGIN_S, wait_s=wait_s)
        except LandformError:
            await asyncio.sleep(min(wait_s, _PAUSE_S))  # the renewal that comes next says more

    async def fetch(self, job: PhaseJob, artefact: Artefact) -> bytes | None:
        """See contract.ControlPlane."""
        return await self._ask(job, "GET", f"/inputs/{artefact}")

    async def put(self, job: PhaseJob, artefact: Artefact, data: bytes) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "PUT", f"/outputs/{artefact}", data)

    async def append_log(self, job: PhaseJob, stream: LogStream, offset: int, data: bytes) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "PUT", f"/logs/{stream}", data, offset=offset)

    async def put_state(self, job: PhaseJob, state: bytes, *, final: bool) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "PUT", "/state", state, final=final)

    async def offer_state(self, job: PhaseJob, state: bytes) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "POST", "/offered-states", state)

    async def report_created(self, job: PhaseJob, created: Sequence[Created]) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "PUT", "/created", _MADE.dump_json(list(created)))

    async def finish(self, job: PhaseJob, result: PhaseResult) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "POST", "/finish", result)

    async def forfeit(self, job: PhaseJob) -> None:
        """See contract.ControlPlane."""
        await self._ask(job, "POST", "/forfeit", answer_s=_RENEW_S)

    async def _ask(
        self,
        job: PhaseJob,
        method: str,
        path: str,
        content: Content = None,
        *,
        answer_s: float = 60.0,
        **query: object,
    ) -> bytes | None:
        try:
            return await self._line.ask(
                method,
                f"/attempts/{job.phase_id}/{job.epoch}{path}",
                content,
                answer_s=answer_s,
                **query,
            )
        except NotFoundError as failure:  # with its run or its workspace, the phase is gone
            raise LostLeaseError(str(failure)) from None
