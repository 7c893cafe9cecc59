"""A13: a worker at phases that are another's, or no longer its own; agents of pools come later."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pytest

from landform.contract import (
    Artefact,
    ControlPlane,
    Created,
    LogStream,
    LostLeaseError,
    Outcome,
    Phase,
    PhaseJob,
    PhaseResult,
)
from landform.kit.crypto import Keyring, parse_keys
from landform.kit.db import make_engine, make_sessions
from landform.kit.errors import InvalidError, LandformError, NotFoundError
from landform.kit.notify import Listener
from landform.kit.storage import open_store
from landform.runs import attempts
from landform.runs.attempts import Limits
from landform.toolchain.versions import Tool
from landform.worker import LocalControlPlane
from tests.attacks.client import Client
from tests.attacks.loot import dump
from tests.execution.conftest import plan_job
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform
from tests.files import make_state

Call = Callable[[ControlPlane, PhaseJob], Awaitable[object]]

CALLS: Final[dict[str, Call]] = {
    "renew": lambda plane, job: plane.renew(job),
    "fetch": lambda plane, job: plane.fetch(job, Artefact.CONFIGURATION),
    "put": lambda plane, job: plane.put(job, Artefact.PLAN, b"forged"),
    "append_log": lambda plane, job: plane.append_log(job, LogStream.TEXT, 0, b"forged\n"),
    "put_state": lambda plane, job: plane.put_state(job, make_state(99), final=True),
    "report_created": lambda plane, job: plane.report_created(job, [Created(address="a.b")]),
    "finish": lambda plane, job: plane.finish(job, PhaseResult(outcome=Outcome.FINISHED)),
    "forfeit": lambda plane, job: plane.forfeit(job),
}
HARMLESS: Final = {"wait_for_orders", "offer_state"}
"""The one reads and writes nothing; what the other keeps stands beside the states, for a person."""

_GOES_ON: Final = {
    *("leases", "logs", "log_blocks", "events"),
    *("procrastinate_jobs", "procrastinate_events"),
}
_OF_A_RUN: Final = ("fetch", "put_state", "finish")
"""These act on the job's run or workspace, not on its phase alone."""


@pytest.fixture
async def own(platform: Platform) -> AsyncIterator[attempts.Platform]:
    """What a worker has: the database, the store and the key."""
    key, *older = parse_keys(Path(platform.home / "encryption.key").read_text())
    keyring = Keyring(key, older)
    engine = make_engine(platform.database_url)
    store = open_store(f"file://{platform.home / 'objects'}", keyring)
    yield attempts.Platform(make_sessions(engine), store, keyring, Limits())
    await engine.dispose()


@pytest.fixture
def plane(own: attempts.Platform) -> LocalControlPlane:
    return LocalControlPlane(own, Listener("", []))


@pytest.fixture
def at_work(
    platform: Platform, client: Client, make_workspace: Callable[..., str], gate: Gate
) -> Callable[[str], PhaseJob]:
    """Have a real worker in the middle of an apply; return the job as it has it."""

    def start(name: str) -> PhaseJob:
        workspace = make_workspace()
        gate.hold(f"apply/{name}/one")
        run = client.start(
            workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
        )
        gate.wait_for(f"apply/{name}/one")
        (lease,) = platform.rows(
            "SELECT phase_id, epoch FROM leases WHERE run_id = %s AND state = 'leased'", run
        )
        return plan_job(phase=Phase.APPLY, run_id=run, workspace_id=workspace, **lease)

    return start


def test_every_call_of_a_worker_is_tried_below() -> None:
    calls = {name for name, _ in inspect.getmembers(ControlPlane, inspect.isfunction)}
    assert {name for name in calls if not name.startswith("_")} == {*CALLS, *HARMLESS}


async def test_a_phase_that_another_has_cannot_be_claimed(
    own: attempts.Platform, at_work: Callable[[str], PhaseJob], platform: Platform
) -> None:
    theirs = at_work("claimed")

    async def resolve(tool: Tool, asked: str) -> str:
        return asked

    before = _written(platform, theirs)
    for phase in (theirs.phase_id, theirs.phase_id.replace("apply-", "plan-", 1)):
        got = await attempts.begin(own, resolve, phase_id=phase, worker_id="thief")
        assert got is None
    assert _written(platform, theirs) == before


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_not_or_no_longer_its_own_takes_nothing_from_it(
    plane: LocalControlPlane,
    at_work: Callable[[str], PhaseJob],
    platform: Platform,
    client: Client,
    name: str,
) -> None:
    theirs = at_work(f"taken-{name}")
    before = _written(platform, theirs)
    plan = {"phase_id": theirs.phase_id.replace("apply-", "plan-", 1)}
    for forged in ({"epoch": theirs.epoch - 1}, {"epoch": theirs.epoch + 1}, plan):
        # Who ended a phase may say so again, and is not heard.
        repeated = name == "finish" and forged is plan
        with nullcontext() if repeated else pytest.raises(LostLeaseError):
            await CALLS[name](plane, theirs.model_copy(update=forged))
        assert _written(platform, theirs) == before, forged
    assert b"forged" not in client.text_log_of(theirs.run_id, "apply")


@pytest.mark.parametrize("name", _OF_A_RUN)
async def test_its_own_lease_opens_no_other_run_and_no_other_workspace(
    plane: LocalControlPlane, at_work: Callable[[str], PhaseJob], platform: Platform, name: str
) -> None:
    own, theirs = at_work(f"own-{name}"), at_work(f"theirs-{name}")
    before = _written(platform, own), _written(platform, theirs)
    place = {"run_id": theirs.run_id, "workspace_id": theirs.workspace_id}
    forgeries = [place]
    if name == "put_state":
        forgeries.append({"workspace_id": theirs.workspace_id})
    for forged in forgeries:
        with pytest.raises((LostLeaseError, NotFoundError)):
            await CALLS[name](plane, own.model_copy(update=forged))
        assert (_written(platform, own), _written(platform, theirs)) == before, forged
    for forged, refusal in ((place, InvalidError), (forgeries[-1], LandformError)):
        with pytest.raises(refusal):
            await plane.offer_state(own.model_copy(update=forged), make_state(99))
    assert (_written(platform, own), _written(platform, theirs)) == before


def _written(platform: Platform, job: PhaseJob) -> dict[str, list[str]]:
    """Return the rows that speak of the job's run, but for what its worker itself goes on with."""
    found = {}
    about = job.run_id.removeprefix("run-"), job.workspace_id
    for name, text in dump(platform.database_url).items():
        lines = [line for line in text.decode().splitlines() if any(one in line for one in about)]
        if name not in _GOES_ON:
            found[name] = lines
    return found
