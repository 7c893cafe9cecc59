"""The loop of an agent: says that it lives, waits for phases of its pool, and runs them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import pydantic
import structlog

from landform import __version__
from landform.agent.line import Line, RefusedError
from landform.agent.plane import RemoteControlPlane
from landform.contract import Choice, Introduction, Offer, PhaseJob, Welcome
from landform.execution.host import Host
from landform.execution.slots import Slots, carry_out
from landform.execution.state import recover_spool
from landform.kit.errors import ConflictError, LandformError, UnauthenticatedError, UnavailableError
from landform.toolchain.toolchain import Toolchain

T = TypeVar("T")
log = structlog.get_logger()

_WAIT_S: Final = 25.0
_MARGIN_S: Final = 15.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_FAREWELL_S: Final = 5.0
_PROBLEM: Final = 2000  # characters


class Agent:
    """One agent process.

    Args:
        farewell_s: seconds that phases under way get to end by themselves when it is stopped.
    """

    def __init__(
        self,
        line: Line,
        toolchain: Toolchain,
        host: Host,
        *,
        name: str,
        slots: int,
        farewell_s: float,
    ) -> None:
        self._line = line
        self._plane = RemoteControlPlane(line)
        self._toolchain = toolchain
        self._host = host
        self._slots = Slots(slots, farewell_s=farewell_s)
        self._said = Introduction(
            name=name, version=__version__, sandbox=host.sandbox.name, slots=slots
        )

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            UnauthenticatedError: the platform does not take the token with which it begins.
            ConflictError: the platform is of another version.
        """
        welcome = await self._begin()
        log.info("agent ready", agent=welcome.agent_id, pool=welcome.pool, slots=self._slots.count)
        how = "exited"
        present = asyncio.create_task(self._keep_present(welcome.every_s))
        try:
            await recover_spool(self._host, self._plane)
            await self._take_jobs()
        except Exception:
            how = "errored"
            raise
        finally:
            await self._slots.say_farewell()
            present.cancel()
            await asyncio.gather(present, return_exceptions=True)
            await self._leave(how)

    async def _begin(self) -> Welcome:
        """Introduce this agent, as soon as the platform answers."""
        pauses = _Pauses()
        while True:
            try:
                return await self._introduce()
            except RefusedError as failure:
                raise UnauthenticatedError(str(failure)) from None
            except UnavailableError as failure:
                await pauses.after(failure)

    async def _introduce(self) -> Welcome:
        said = await self._line.ask("PUT", "/agent", self._said)
        return _read(Welcome, said)

    async def _keep_present(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await self._introduce()
            except LandformError as failure:
                log.warning("the agent could not say that it lives", error=str(failure))
            except Exception:  # what it does is not to be forgotten for want of this
                log.exception("the agent could not say that it lives, for a reason of ours")

    async def _leave(self, how: str) -> None:
        try:
            await self._line.ask("DELETE", "/agent", answer_s=_FAREWELL_S, how=how)
        except LandformError as failure:
            log.warning("the agent could not say that it ends", error=str(failure))

    async def _take_jobs(self) -> None:
        while True:
            await self._slots.take()
            try:
                offer = await self._persist(self._next_offer)
            except BaseException:
                self._slots.give_back()
                raise
            settled = asyncio.Event()
            self._slots.start(self._attempt(offer, settled))
            await settled.wait()  # until it is taken, the same is offered again

    async def _next_offer(self) -> Offer:
        while True:
            said = await self._line.ask(
                "GET", "/jobs", answer_s=_WAIT_S + _MARGIN_S, wait_s=_WAIT_S
            )
            if said is not None:
                return _read(Offer, said)

    async def _attempt(self, offer: Offer, settled: asyncio.Event) -> None:
        try:
            job = await self._lease(offer)
        except LandformError as failure:
            log.warning("a phase was not taken", phase=offer.phase_id, error=str(failure))
            # What lasts, as another version does, is not asked for again at once.
            lasts = isinstance(failure, ConflictError)
            await asyncio.sleep(_LONGEST_PAUSE_S if lasts else _FIRST_PAUSE_S)
            return
        finally:
            settled.set()
        if job is not None:
            await carry_out(job, self._plane, host=self._host)

    async def _lease(self, offer: Offer) -> PhaseJob | None:
        try:
            choice = Choice(version=await self._toolchain.resolve(offer.tool, offer.version))
        except LandformError as failure:
            choice = Choice(problem=str(failure)[:_PROBLEM])
        path = f"/jobs/{offer.phase_id}/lease"
        try:
            said = await self._line.ask("POST", path, choice)
        except ConflictError:  # the platform has forgotten this agent
            await self._introduce()
            said = await self._line.ask("POST", path, choice)
        return None if said is None else _read(PhaseJob, said)

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what `call` does, however long the platform is away."""
        pauses = _Pauses()
        while True:
            try:
                return await call()
            except LandformError as failure:
                await pauses.after(failure)


class _Pauses:
    """Waits longer each time, and never as long as others do: all lose the platform at once."""

    def __init__(self) -> None:
        self._next_s = _FIRST_PAUSE_S

    async def after(self, failure: Exception) -> None:
        pause_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        log.warning(
            "the platform is out of reach", error=str(failure), again_in_s=round(pause_s, 1)
        )
        await asyncio.sleep(pause_s)
        self._next_s = min(self._next_s * 2, _LONGEST_PAUSE_S)


Said = TypeVar("Said", bound=pydantic.BaseModel)


def _read(kind: type[Said], said: bytes | None) -> Said:
    try:
        return kind.model_validate_json(said or b"")
    except pydantic.ValidationError as failure:
        wrong = failure.errors(include_url=False, include_input=False)[0]
        raise UnavailableError(
            f"The platform said something else than {kind.__name__}: {wrong['msg']}. Use an agent"
            " of the platform's version."
        ) from None
