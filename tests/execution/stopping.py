"""Applies that go on until they are stopped, and whether anything of them is left."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from landform.contract import Outcome, PhaseJob, PhaseResult
from landform.execution.host import Host
from landform.execution.phase import run_phase

from .conftest import apply_job, plan_job
from .recorder import Recorder

# `first` is made at once, `second` goes on until it is stopped; `seen` says that it began.
SLOW = """
resource "terraform_data" "first" {}
resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo begun; exec sleep 987"
    environment = { TAG = "MARK" }
  }
}
"""


def alive(mark: str) -> list[int]:
    """The processes with `mark` in their environment or among their words."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if mark.encode() in read(process / "environ") + read(process / "cmdline")
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@asynccontextmanager
async def applying(
    plane: Recorder, host: Host, **job: object
) -> AsyncIterator[asyncio.Task[PhaseResult]]:
    """An apply that has come to its slow part."""
    planned = await run_phase(plan_job(), plane, host=host)
    assert planned.outcome is Outcome.FINISHED, planned
    given = apply_job(**job)
    task = asyncio.create_task(run_phase(given, plane, host=host))
    await plane.until(lambda: has_begun(plane, given) or task.done())
    yield task
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def has_begun(plane: Recorder, job: PhaseJob) -> bool:
    return re.search(r"^(.*\(local-exec\): )?begun$", plane.text(job), re.MULTILINE) is not None


async def gone(mark: str, *, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while alive(mark):  # noqa: ASYNC110 - other programs' ends have no event
            await asyncio.sleep(0.05)
