"""Workers that are killed or stand still: what they had started ends too."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from landform.execution import processes
from landform.execution.host import Host
from landform.execution.sandbox import SandboxMode
from landform.execution.state import recover_spool

from .recorder import Recorder
from .stopping import SLOW, alive, gone

WORKER = """
import asyncio, contextlib, sys
from pathlib import Path
sys.path[:0] = {path!r}
from tests.execution.conftest import apply_job, make_host, plan_job, tar
from tests.execution.recorder import Recorder
from landform.contract import Artefact
from landform.execution.guardian import guarding
from landform.execution.phase import run_phase
from landform.execution.sandbox import SandboxMode, detect

async def main():
    sandbox = await detect(SandboxMode({mode!r}))
    with contextlib.nullcontext() if sandbox.confines else guarding() as guardian:
        host = make_host(Path({root!r}), sandbox, guardian=guardian)
        plane = Recorder()
        plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf={main!r})
        await run_phase(plan_job(), plane, host=host)
        task = asyncio.create_task(run_phase(apply_job(lease_s={lease_s}), plane, host=host))
        await plane.until(lambda: ": begun\\n" in plane.text(apply_job()))
        print("ready", flush=True)
        await task

asyncio.run(main())
"""

# One that has no mark in its environment, and one in a session of its own.
ESCAPING = """
resource "terraform_data" "x" {
  provisioner "local-exec" {
    command = "env -i sh -c ': MARK; sleep 986' & setsid sleep 985 & echo begun; exec sleep 987"
    environment = { TAG = "MARK" }
  }
}
"""


def start_worker(
    root: Path, main: str, *, mode: SandboxMode = SandboxMode.REQUIRE, lease_s: float = 60
) -> subprocess.Popen[str]:
    here = str(Path(__file__).parents[2])
    code = WORKER.format(
        path=[here, f"{here}/src"], root=str(root), main=main, mode=mode.value, lease_s=lease_s
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{here}/src"},
    )
    assert worker.stdout is not None
    assert "ready\n" in worker.stdout
    return worker


@pytest.mark.parametrize("mode", [SandboxMode.REQUIRE, SandboxMode.OFF])
async def test_a_worker_that_is_killed_leaves_nothing_of_its_runs_behind(
    tmp_path: Path, mark: str, mode: SandboxMode
) -> None:
    main = ESCAPING.replace("MARK", mark)
    worker = await asyncio.to_thread(start_worker, tmp_path / "worker", main, mode=mode)
    tree = processes.tree([worker.pid]) - {worker.pid}
    assert len(alive(mark)) >= 3
    assert len(tree) >= 4
    worker.kill()
    worker.wait()
    assert worker.stdout is not None
    worker.stdout.close()
    async with asyncio.timeout(60):
        while processes.tree(tree) or alive(mark):  # noqa: ASYNC110 - other programs' ends have no event
            await asyncio.sleep(0.02)


async def test_a_new_worker_ends_what_still_runs_in_a_dead_ones_directories(
    plane: Recorder, host: Host, tmp_path: Path
) -> None:
    room = host.phases / "plan-1.1" / "work"
    room.mkdir(parents=True)
    # As bubblewrap's child waits when its parent is killed before it let it go on.
    left, another = [
        await asyncio.create_subprocess_exec("sleep", "984", cwd=cwd, start_new_session=True)
        for cwd in (room, tmp_path)
    ]
    try:
        await recover_spool(host, plane)
        async with asyncio.timeout(60):
            assert await left.wait() == -signal.SIGKILL
        assert another.returncode is None
        assert list(host.phases.iterdir()) == []
    finally:
        another.kill()
        await another.wait()


async def test_a_worker_that_was_frozen_stops_its_child_when_it_wakes(
    tmp_path: Path, mark: str
) -> None:
    worker = await asyncio.to_thread(
        start_worker, tmp_path / "worker", SLOW.replace("MARK", mark), lease_s=5
    )
    try:
        assert alive(mark)
        worker.send_signal(signal.SIGSTOP)
        await asyncio.sleep(5.5)  # longer than its lease: that is the case here
        assert alive(mark)
        worker.send_signal(signal.SIGCONT)
        await gone(mark)
    finally:
        worker.kill()
        worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()
