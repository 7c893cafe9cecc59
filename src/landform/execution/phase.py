"""One attempt at one phase, from its lease to its result."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from landform.contract import (
    Artefact,
    Category,
    ControlPlane,
    LostLeaseError,
    Outcome,
    Phase,
    PhaseJob,
    PhaseResult,
    Variable,
)
from landform.execution.apply import apply
from landform.execution.credentials import Purse
from landform.execution.desk import Desk
from landform.execution.disk import remove_tree
from landform.execution.halt import Cause, Halt
from landform.execution.host import Host, make_room
from landform.execution.lease import Lease
from landform.execution.limits import watch
from landform.execution.log import PhaseLog
from landform.execution.network import Network
from landform.execution.patience import insist
from landform.execution.plan import plan
from landform.execution.redaction import Redactor
from landform.execution.together import together
from landform.execution.verdict import stopped
from landform.kit.errors import LandformError
from landform.kit.failpoints import FailPoint, reach

log = structlog.get_logger()

_INPUTS: Final = {
    Phase.PLAN: (Artefact.CONFIGURATION, Artefact.STATE),
    Phase.APPLY: (Artefact.CONFIGURATION, Artefact.STATE, Artefact.PLAN, Artefact.LOCK_FILE),
}


async def run_phase(job: PhaseJob, plane: ControlPlane, *, host: Host) -> PhaseResult:
    """Do `job`, tell `plane` how it ended, and return the same.

    What the plane is told: everything, unless the attempt is no longer the phase's own, and save
    that a plan which was given up for want of contact is left to be tried again. A cancellation of
    this call ends the child at once and tells nothing; states stay in the spool.

    Call it in the process's main thread: the child dies with the thread that started it.
    """
    attempt = _Attempt(job, plane, host)
    try:
        return await attempt.run()
    finally:
        await attempt.close()


def _secrets(job: PhaseJob, purse: Purse) -> list[Variable]:
    made = [
        Variable(key="token", value=value, category=Category.ENV, sensitive=True)
        for value in (job.token, *purse.secrets)
        if value
    ]
    return [*job.variables, *made]


class _Attempt:
    def __init__(self, job: PhaseJob, plane: ControlPlane, host: Host) -> None:
        self._job = job
        self._plane = plane
        self._host = host
        self._path = host.phases / f"{job.phase_id}.{job.epoch}"
        self._purse = Purse(job.credentials, host)
        self._redactor = Redactor(_secrets(job, self._purse))
        self._halt = Halt(job.grace_s)
        self._lease = Lease(job, plane, self._halt, host.clock)
        self._log = PhaseLog(
            job,
            plane,
            self._redactor,
            every_s=host.clock.log_s,
            on_lost=lambda: self._halt.kill(Cause.LOST),
        )
        self._halt.watch(self._release_log)
        self._timer = asyncio.get_running_loop().call_later(
            job.timeout_s, self._halt.interrupt, Cause.TIMEOUT
        )
        self._watch: asyncio.Task[None] | None = None
        self._desk: Desk | None = None
        self._network: Network | None = None

    async def run(self) -> PhaseResult:
        if self._job.phase is Phase.APPLY:
            await self._log.open()
        result = await self._outcome()
        self._timer.cancel()
        if self._halt.cause is Cause.LOST:
            await self._log.close(patience_s=0)
        else:
            await self._log.close(patience_s=self._host.clock.farewell_s)
            if self._job.phase is Phase.APPLY or self._halt.cause is not Cause.UNHEARD:
                await self._finish(result)
                return result
        if result.outcome is Outcome.FINISHED:  # the end of the lease came after that of the work
            self._was_too_late()
        return result

    async def close(self) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._log.close(patience_s=0)
        await self._purse.close()
        if self._network is not None:
            await self._network.close()
        await self._lease.close()
        await self._halt.close()
        reach(FailPoint.ROOM_LEAVING)
        await asyncio.to_thread(remove_tree, self._path)

    async def _outcome(self) -> PhaseResult:
        try:
            result = await self._work()
            if self._halt.cause is None or self._job.phase is Phase.APPLY:
                return result  # an apply knows best what became of it
        except LandformError as failure:
            result = PhaseResult(outcome=Outcome.ERRORED, error=str(failure))
        except Exception as failure:
            log.exception("A phase failed for a reason of ours", phase=self._job.phase_id)
            result = PhaseResult(
                outcome=Outcome.ERRORED,
                error=f"The worker failed ({type(failure).__name__}: {failure}). Try again; if it"
                " happens again, its log has more.",
            )
        if self._halt.cause is not None:
            result = stopped(self._job, self._host, self._halt.cause)
        error = self._redactor.text(result.error)
        if error:
            await self._log.plain([b"", f"Error: {error}".encode(errors="replace")])
        return result.model_copy(update={"error": error, **self._left()})

    def _left(self) -> dict[str, object]:
        """Return what an apply that did not come to its own end has to say all the same."""
        if self._desk is None:
            return {}
        findings = self._desk.findings
        return {
            "maybe_not_in_state": findings.unaccounted(),
            "state_in_doubt": findings.touched,
        }

    async def _work(self) -> PhaseResult:
        job, host = self._job, self._host
        remove_tree(self._path)
        self._path.mkdir(parents=True, mode=0o700)
        inputs: dict[Artefact, bytes | None] = {}
        tools: list[Path] = []

        async def fetch(artefact: Artefact) -> None:
            inputs[artefact] = await insist(
                lambda: self._plane.fetch(job, artefact), patience_s=host.clock.farewell_s
            )
            reach(FailPoint.INPUT_FETCHED)

        async def ensure() -> None:
            tools.append(await host.ensure_tool(job.tool, job.version))

        await together(
            ensure(), self._connect(), *(fetch(artefact) for artefact in _INPUTS[job.phase])
        )
        room = await asyncio.to_thread(make_room, host, job, self._path, tools[0])
        if self._network is not None:
            host = replace(host, sandbox=self._network.confine(host.sandbox))
            room = replace(room, mounts=(*room.mounts, self._network.names(room.given)))
        reach(FailPoint.ROOM_MADE)
        await self._purse.open(room)
        self._redactor.learn(_secrets(job, self._purse))
        self._watch = asyncio.create_task(watch(host, self._path, self._halt, self._halt.pids))
        if job.notice:
            await self._log.plain([job.notice.encode(), b""])
        desk = Desk(job, self._plane, host, self._halt, self._log, room, self._purse)
        desk.listener = self._network.state if self._network is not None else None
        if job.phase is Phase.PLAN:
            return await plan(desk, inputs, self._redactor)
        self._desk = desk
        return await apply(desk, inputs)

    async def _connect(self) -> None:
        if self._host.networks is not None:
            self._network = await self._host.networks.open()
            await self._network.start()

    async def _finish(self, result: PhaseResult) -> None:
        try:
            await insist(
                lambda: self._plane.finish(self._job, result),
                patience_s=self._host.clock.farewell_s,
            )
        except LostLeaseError:
            self._was_too_late()
        except LandformError as error:
            log.error("The result was not taken", phase=self._job.phase_id, error=str(error))  # noqa: TRY400 - its text is all there is to it

    def _was_too_late(self) -> None:
        log.warning("The result came too late", phase=self._job.phase_id)

    def _release_log(self) -> None:
        if self._halt.fenced:
            self._log.release()
