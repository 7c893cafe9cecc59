"""Composition root of a worker: takes phases off the queue and runs them on this machine."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import procrastinate
import structlog

from landform.contract import Artefact, Created, LogStream, Orders, PhaseJob, PhaseResult
from landform.dispatch.models import WORKERS
from landform.dispatch.service import ORDERS_CHANNEL, RUN_PHASE
from landform.execution.host import Host
from landform.execution.slots import Slots, carry_out
from landform.execution.state import recover_spool
from landform.fleet.models import Kind
from landform.fleet.service import Beat, keep_present
from landform.kit.notify import Listener, wait
from landform.kit.tasks import run_worker, worker_app
from landform.logs import service as logs
from landform.notifications.courier import Courier
from landform.runs import attempts
from landform.runs.attempts import Platform
from landform.runs.sweep import sweep_forever
from landform.schedules.ticking import tick_forever
from landform.toolchain.toolchain import Toolchain
from landform.triggers.background import Background
from landform.triggers.starting import QUEUE as VCS

log = structlog.get_logger()

_AGAIN_S: Final = 1.0
_VCS_SLOTS: Final = 4
_TICK_S: Final = 5.0


class LocalControlPlane:
    """The control plane for phases run in a process that has the database itself."""

    def __init__(self, platform: Platform, listener: Listener) -> None:
        self._platform = platform
        self._listener = listener

    async def wait_for_orders(self, job: PhaseJob, *, timeout_s: float) -> None:
        """See contract.ControlPlane."""
        with self._listener.expect(ORDERS_CHANNEL, job.phase_id) as event:
            await wait(event, timeout_s)

    async def renew(self, job: PhaseJob) -> Orders:
        """See contract.ControlPlane."""
        return await attempts.renew(self._platform, job)

    async def fetch(self, job: PhaseJob, artefact: Artefact) -> bytes | None:
        """See contract.ControlPlane."""
        return await attempts.fetch(self._platform, job, artefact)

    async def put(self, job: PhaseJob, artefact: Artefact, data: bytes) -> None:
        """See contract.ControlPlane."""
        await attempts.put(self._platform, job, artefact, data)

    async def append_log(self, job: PhaseJob, stream: LogStream, offset: int, data: bytes) -> None:
        """See contract.ControlPlane."""
        await logs.append(
            self._platform.sessions,
            self._platform.store,
            phase_id=job.phase_id,
            epoch=job.epoch,
            stream=stream,
            offset=offset,
            data=data,
        )

    async def put_state(self, job: PhaseJob, state: bytes, *, final: bool) -> None:
        """See contract.ControlPlane."""
        await attempts.put_state(self._platform, job, state, final=final)

    async def offer_state(self, job: PhaseJob, state: bytes) -> None:
        """See contract.ControlPlane."""
        await attempts.offer_state(self._platform, job, state)

    async def report_created(self, job: PhaseJob, created: Sequence[Created]) -> None:
        """See contract.ControlPlane."""
        await attempts.report_created(self._platform, job, created)

    async def finish(self, job: PhaseJob, result: PhaseResult) -> None:
        """See contract.ControlPlane."""
        await attempts.finish(self._platform, job, result)

    async def forfeit(self, job: PhaseJob) -> None:
        """See contract.ControlPlane."""
        await attempts.forfeit(self._platform, job)


@dataclass(frozen=True)
class Chores:
    """What a worker sees to beside phases.

    Attributes:
        background: repositories, and what their providers are told.
        courier: what others are told of runs.
    """

    background: Background
    courier: Courier


class Worker:
    """One worker process: some slots, a listener for orders, and the sweep.

    Args:
        farewell_s: seconds that phases under way get to end by themselves when it is stopped.
    """

    def __init__(
        self,
        platform: Platform,
        toolchain: Toolchain,
        host: Host,
        *,
        database_url: str,
        slots: int,
        sweep_s: float,
        farewell_s: float,
        chores: Chores,
    ) -> None:
        self._platform = platform
        self._background = chores.background
        self._courier = chores.courier
        self._toolchain = toolchain
        self._host = host
        self._database_url = database_url
        # The job engine's own count starts anew when it has lost the database.
        self._slots = Slots(slots, farewell_s=farewell_s)
        self._sweep_s = sweep_s
        self._listener = Listener(database_url, [ORDERS_CHANNEL])
        self._plane = LocalControlPlane(platform, self._listener)
        self._beat = Beat(Kind.WORKER, sweep_s, host.sandbox.name, host.sandbox.reason)
        self._id = f"{socket.gethostname()}-{os.getpid()}"

    async def run(self) -> None:
        """Work until cancelled."""
        await recover_spool(self._host, self._plane)
        await self._listener.start()
        sweeper = asyncio.create_task(
            sweep_forever(
                self._platform.sessions,
                self._platform.store,
                every_s=self._sweep_s,
                lease_s=self._platform.limits.lease_s,
            )
        )
        present = asyncio.create_task(
            keep_present(self._platform.sessions, self._platform.keyring, self._beat)
        )
        repositories = asyncio.create_task(self._background.run())
        scheduler = asyncio.create_task(
            tick_forever(self._platform.sessions, self._platform.keyring, every_s=_TICK_S)
        )
        courier = asyncio.create_task(self._courier.run())
        beside = (sweeper, present, repositories, scheduler, courier)
        try:
            await self._take_jobs()
        finally:
            await self._slots.say_farewell()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self._listener.stop()

    async def _take_jobs(self) -> None:
        """Take jobs until cancelled; a database that is away ends no phase and not this."""
        tasks = {RUN_PHASE: self._run_phase, **self._background.tasks}
        app = worker_app(self._database_url, tasks, slots=self._slots.count + _VCS_SLOTS)
        async with app.open_async(), asyncio.TaskGroup() as group:
            log.info("worker ready", worker=self._id, slots=self._slots.count)
            group.create_task(self._serve(app, WORKERS, self._slots.count))
            # Of their own, so that no plan keeps a push waiting.
            group.create_task(self._serve(app, VCS, _VCS_SLOTS))

    async def _serve(self, app: procrastinate.App, queue: str, slots: int) -> None:
        name = self._id if queue == WORKERS else f"{self._id}-{queue}"
        while True:
            try:
                await run_worker(app, name=name, queues=[queue], slots=slots, farewell_s=0)
            except Exception as failure:  # noqa: BLE001 - a worker must outlive its database
                log.warning("the queue is out of reach", error=str(failure))
            await asyncio.sleep(_AGAIN_S)

    async def _run_phase(self, phase_id: str) -> None:
        """Do what a job says; when the job engine gives up on the job, the phase still goes on."""
        await self._slots.take()
        await asyncio.shield(self._slots.start(self._attempt(phase_id)))

    async def _attempt(self, phase_id: str) -> None:
        job = await attempts.begin(
            self._platform,
            self._toolchain.resolve,
            phase_id=phase_id,
            worker_id=self._id,
            sandbox=self._host.sandbox.name,
        )
        if job is not None:
            await carry_out(job, self._plane, host=self._host)
