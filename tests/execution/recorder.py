"""A control plane in memory, as strict as the real one: epochs, offsets, lineages, serials."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from landform.contract import (
    Artefact,
    Created,
    LogStream,
    LostLeaseError,
    Orders,
    Phase,
    PhaseJob,
    PhaseResult,
    Stop,
)
from landform.kit.errors import ConflictError, InvalidError, UnavailableError


@dataclass
class StateVersion:
    """One state the platform took."""

    data: bytes
    final: bool

    @property
    def document(self) -> dict[str, object]:
        document = json.loads(self.data)
        assert isinstance(document, dict)
        return document


@dataclass
class Recorder:
    """Remembers all that phases said; a test turns its knobs."""

    epoch: int = 1
    stop: Stop = Stop.NO
    ordered: asyncio.Event = field(default_factory=asyncio.Event)
    down: bool = False
    down_at: str = ""
    lost_answers: int = 0
    fails_at: str = ""
    lost: bool = False
    refuses_state: bool = False
    artefacts: dict[Artefact, bytes] = field(default_factory=dict)
    states: list[StateVersion] = field(default_factory=list)
    offered: list[bytes] = field(default_factory=list)
    created: list[Created] = field(default_factory=list)
    results: list[PhaseResult] = field(default_factory=list)
    renewals: int = 0
    calls: list[str] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    _logs: dict[tuple[str, LogStream], bytes] = field(default_factory=dict)

    def text(self, job: PhaseJob, stream: LogStream = LogStream.TEXT) -> str:
        return self._logs.get((job.phase_id, stream), b"").decode()

    def messages(self, job: PhaseJob) -> list[dict[str, object]]:
        lines = self.text(job, LogStream.JSON).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def until(self, condition: Callable[[], bool], *, within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - a condition on anything has no event
                await asyncio.sleep(0.01)

    async def renew(self, job: PhaseJob) -> Orders:
        self._enter("renew", job)
        self.renewals += 1
        return Orders(stop=self.stop)

    async def wait_for_orders(self, job: PhaseJob, *, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.ordered.wait()
        self.ordered.clear()

    def order(self, stop: Stop) -> None:
        self.stop = stop
        self.ordered.set()

    async def fetch(self, job: PhaseJob, artefact: Artefact) -> bytes | None:
        self._enter("fetch", job)
        if artefact is Artefact.STATE:
            return self.states[-1].data if self.states else None
        return self.artefacts.get(artefact)

    async def put(self, job: PhaseJob, artefact: Artefact, data: bytes) -> None:
        self._enter("put", job)
        self.artefacts[artefact] = data

    async def append_log(self, job: PhaseJob, stream: LogStream, offset: int, data: bytes) -> None:
        self._enter("append_log", job)
        log = self._logs.get((job.phase_id, stream), b"")
        if offset < len(log):
            if log[offset : offset + len(data)] != data:
                raise InvalidError("These bytes are there already, and are others.")
            return
        if offset > len(log):
            raise InvalidError(f"The log has {len(log)} bytes, not {offset}.")
        if len(data) > 256 << 10 or not data:
            raise InvalidError("A block has 1 byte to 256 KiB.")
        self.blocks.append(len(data))
        self._logs[job.phase_id, stream] = log + data
        if self.lost_answers:
            self.lost_answers -= 1
            raise UnavailableError("The answer was lost.")

    async def put_state(self, job: PhaseJob, state: bytes, *, final: bool) -> None:
        self._enter("put_state", job)
        if job.phase is not Phase.APPLY:
            raise InvalidError("A plan has no state to put.")
        if self.refuses_state:
            raise ConflictError("The lineage is another.")
        new = json.loads(state)
        if self.states:
            newest = self.states[-1]
            if hashlib.md5(newest.data).digest() == hashlib.md5(state).digest():
                newest.final = newest.final or final
                return
            old = newest.document
            if new["lineage"] != old["lineage"]:
                raise ConflictError("The lineage is another.")
            if int(new["serial"]) <= int(str(old["serial"])):
                raise ConflictError("The serial is not newer.")
        self.states.append(StateVersion(state, final))

    async def offer_state(self, job: PhaseJob, state: bytes) -> None:
        self.calls.append("offer_state")
        if self.down:
            raise UnavailableError("The platform is away.")
        self.offered.append(state)

    async def report_created(self, job: PhaseJob, created: Sequence[Created]) -> None:
        self._enter("report_created", job)
        self.created = list(created)

    async def forfeit(self, job: PhaseJob) -> None:
        self._enter("forfeit", job)

    async def finish(self, job: PhaseJob, result: PhaseResult) -> None:
        self._enter("finish", job)
        self.results.append(result)

    def _enter(self, call: str, job: PhaseJob) -> None:
        self.calls.append(call)
        self.down = self.down or call == self.down_at
        if self.down:
            raise UnavailableError("The platform is away.")
        if call == self.fails_at:
            raise RuntimeError("The platform has a fault.")
        if self.lost or job.epoch != self.epoch:
            raise LostLeaseError("Another attempt has begun.")
