"""Phases that are stopped, and what is left of them."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from landform.contract import Artefact, LogStream, Outcome, PhaseJob, PhaseResult, Stop
from landform.execution import messages, processes
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.sandbox import Sandbox, SandboxMode, detect
from landform.execution.state import recover_spool

from .conftest import TERRAFORM, Configure, apply_job, make_host, plan_job
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


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return f"mark-{tmp_path.name}-{os.getpid()}"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(params=["bubblewrap", "nothing"])
async def any_host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    mode = SandboxMode.REQUIRE if request.param == "bubblewrap" else SandboxMode.OFF
    return make_host(tmp_path / "worker", await detect(mode))


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


def left(plane: Recorder) -> list[str]:
    resources = plane.states[-1].document["resources"]
    assert isinstance(resources, list)
    return sorted(resource["name"] for resource in resources)


async def gone(mark: str, *, within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while alive(mark):  # noqa: ASYNC110 - other programs' ends have no event
            await asyncio.sleep(0.05)


async def test_a_canceled_apply_keeps_its_state(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host) as task:
        assert alive(mark)
        plane.order(Stop.INTERRUPT)
        result = await asyncio.wait_for(task, 10)
    assert result.outcome is Outcome.CANCELED, result
    assert result.maybe_not_in_state == ()
    assert left(plane) == ["first", "second"]
    assert plane.states[-1].final
    assert plane.results[-1] == result
    await gone(mark)


async def test_a_canceled_plan_is_canceled(
    plane: Recorder, host: Host, configure: Configure, silent: int
) -> None:
    configure(
        'data "terraform_remote_state" "x" {\n backend = "http"\n'
        ' config = { address = "http://127.0.0.1:PORT/" }\n}'.replace("PORT", str(silent))
    )
    job = plan_job()
    task = asyncio.create_task(run_phase(job, plane, host=host))
    await plane.until(lambda: "Refreshing..." in plane.text(job))
    plane.order(Stop.INTERRUPT)
    result = await asyncio.wait_for(task, 15)
    assert result.outcome is Outcome.CANCELED
    assert plane.results == [result]
    assert Artefact.PLAN not in plane.artefacts


async def test_a_cancel_that_came_before_the_start_runs_nothing(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(SLOW)
    plane.stop = Stop.INTERRUPT
    result = await run_phase(plan_job(), plane, host=host)
    assert result.outcome is Outcome.CANCELED


async def test_a_tool_that_ignores_its_interrupts_is_killed_with_all_its_tree(
    plane: Recorder, tmp_path: Path, configure: Configure, mark: str, any_host: Host
) -> None:
    tool = tmp_path / "stubborn"
    tool.write_text(
        "#!/bin/bash\n"
        f'if [ $1 != apply ]; then exec {TERRAFORM} "$@"; fi\n'
        'trap "echo heard" INT\n'
        f"(TAG={mark} setsid sleep 987 &)\n"
        "echo begun\n"
        f"while true; do TAG={mark} sleep 0.1; done\n"
    )
    tool.chmod(0o755)

    async def ensure(*_: object) -> Path:
        return tool

    host = make_host(tmp_path / "other", any_host.sandbox, ensure_tool=ensure)
    configure(SLOW)
    job = {"grace_s": 0.5}
    async with applying(plane, host, **job) as task:
        plane.order(Stop.INTERRUPT)
        result = await asyncio.wait_for(task, 10)
    assert result.outcome is Outcome.CANCELED
    assert plane.text(apply_job()).count("heard") == 2
    await gone(mark)


async def test_an_order_to_kill_is_obeyed_at_once_and_says_what_may_be_lost(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host) as task:
        await plane.until(lambda: bool(plane.created))
        plane.order(Stop.KILL)
        result = await asyncio.wait_for(task, 5)
    assert result.outcome is Outcome.CANCELED
    assert "by force" in result.error
    assert plane.created[0].address == "terraform_data.first"
    assert plane.created[0].id_value
    assert [made.address for made in result.maybe_not_in_state] == [
        "terraform_data.first",
        "terraform_data.second",
    ]
    await gone(mark)


async def test_an_apply_whose_lease_is_lost_dies_and_tells_nobody(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host, lease_s=2) as task:
        plane.epoch = 2
        await gone(mark, within_s=2)
        result = await asyncio.wait_for(task, 5)
    assert result.outcome is Outcome.ERRORED
    assert len(plane.results) == 1  # the plan's
    assert plane.states == []


async def test_an_apply_that_hears_nothing_for_too_long_stops(
    plane: Recorder, host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    host = make_host(host.root, host.sandbox, clock=type(host.clock)(unheard_s=1.8))
    async with applying(plane, host, lease_s=3) as task:
        plane.down = True
        await gone(mark, within_s=2.6)
        plane.down = False
        result = await asyncio.wait_for(task, 15)
    assert result.outcome is Outcome.ERRORED
    assert "did not reach the platform" in result.error
    assert plane.results[-1] == result
    assert [made.address for made in result.maybe_not_in_state] == [
        "terraform_data.first",
        "terraform_data.second",
    ]


async def test_an_apply_goes_on_past_its_lease_while_nobody_answers(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        'resource "terraform_data" "x" {\n provisioner "local-exec" {\n'
        '  command = "echo begun; sleep 2; echo went on"\n }\n}'
    )
    async with applying(plane, host, lease_s=1) as task:
        plane.down = True
        await asyncio.sleep(1.5)
        plane.down = False
        result = await asyncio.wait_for(task, 20)
    assert result.outcome is Outcome.FINISHED, result
    assert "went on" in plane.text(apply_job())
    assert len(plane.states) == 1


async def test_a_plan_that_hears_nothing_is_left_to_be_tried_again(
    plane: Recorder, host: Host, configure: Configure, silent: int
) -> None:
    configure(
        'data "terraform_remote_state" "x" {\n backend = "http"\n'
        ' config = { address = "http://127.0.0.1:PORT/" }\n}'.replace("PORT", str(silent))
    )
    job = plan_job(lease_s=2)
    clock = type(host.clock)(farewell_s=0.3)
    host = make_host(host.root, host.sandbox, clock=clock)
    task = asyncio.create_task(run_phase(job, plane, host=host))
    await plane.until(lambda: "Refreshing..." in plane.text(job))
    plane.down = True
    result = await asyncio.wait_for(task, 5)
    plane.down = False
    assert result.outcome is Outcome.ERRORED
    assert plane.results == []


async def test_a_platform_that_is_away_for_a_while_misses_nothing(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        'resource "terraform_data" "x" {\n provisioner "local-exec" {\n'
        '  command = "echo begun; for i in $(seq 1 20); do echo line $i; sleep 0.05; done"\n }\n}'
    )
    async with applying(plane, host) as task:
        plane.down = True
        await asyncio.sleep(1.5)
        assert not task.done()
        plane.down = False
        result = await asyncio.wait_for(task, 20)
    assert result.outcome is Outcome.FINISHED
    text = plane.text(apply_job())
    assert [f": line {number}\n" in text for number in range(1, 21)] == [True] * 20
    assert text.count("line 7") == 1
    assert len(plane.states) == 1


async def test_a_platform_that_cannot_take_the_log_does_not_stop_the_phase(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    plane.fails_at = "append_log"
    result = await run_phase(plan_job(), plane, host=host)
    assert result.outcome is Outcome.FINISHED
    assert plane.results == [result]


async def test_a_platform_whose_renewals_fail_for_good_is_not_heard_and_the_child_dies(
    plane: Recorder, host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    host = make_host(host.root, host.sandbox, clock=type(host.clock)(unheard_s=0.9))
    async with applying(plane, host, lease_s=1.5) as task:
        plane.fails_at = "renew"
        await gone(mark, within_s=1.5)
        result = await asyncio.wait_for(task, 10)
    assert "did not reach the platform" in result.error


async def test_a_state_that_is_refused_is_offered_and_the_apply_ends_errored(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    plane.refuses_state = True
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "The lineage is another." in result.error
    assert "compare them" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    (offered,) = plane.offered
    assert b"terraform_data" in offered
    assert "refused the state" in plane.text(apply_job())
    assert list(host.spool.iterdir()) == []


async def test_a_state_larger_than_allowed_is_found_where_terraform_left_it(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" { input = "0123456789" }')
    await run_phase(plan_job(), plane, host=host)
    object.__setattr__(host, "state_bytes", 100)
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "Failed to save state" in result.error
    assert "The newest state is lost" in result.error
    assert plane.states == []
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt


async def test_a_fault_of_the_platforms_own_loses_neither_the_state_nor_the_list(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    plane.fails_at = "put_state"
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "did not reach the platform" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt
    assert await recover_spool(host, plane) == 0
    assert b"terraform_data" in plane.offered[0]


async def test_a_fault_of_the_workers_own_loses_the_list_of_nothing_that_was_made(
    plane: Recorder, host: Host, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    as_text = messages.as_text

    def fails_at_the_end(message: Mapping[str, Any], *, planning: bool) -> str:
        if message.get("type") == "change_summary":
            raise RuntimeError("a fault of ours")
        return as_text(message, planning=planning)

    monkeypatch.setattr(messages, "as_text", fails_at_the_end)
    plane.down_at = "put_state"
    object.__setattr__(host, "clock", type(host.clock)(farewell_s=0.2))
    result = await run_phase(apply_job(), plane, host=host)
    assert "RuntimeError: a fault of ours" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt


async def test_a_state_for_which_the_disk_has_no_room_is_passed_on(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    host.spool.touch()  # no directory can be made there
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.FINISHED, result
    assert (result.maybe_not_in_state, result.state_in_doubt) == ((), False)
    (state,) = plane.states
    assert state.final
    assert b"terraform_data" in state.data


async def test_a_state_that_neither_disk_nor_platform_takes_is_said_to_be_lost(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    host.spool.touch()
    object.__setattr__(host, "clock", type(host.clock)(farewell_s=0.2))
    plane.fails_at = "put_state"
    result = await run_phase(apply_job(), plane, host=host)
    assert result.outcome is Outcome.ERRORED
    assert "The newest state is lost" in result.error
    assert [made.address for made in result.maybe_not_in_state] == ["terraform_data.x"]
    assert result.state_in_doubt


async def test_an_errored_state_is_sent_after_all(
    plane: Recorder, host: Host, configure: Configure, tmp_path: Path
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    state = b'{"version":4,"serial":7,"lineage":"l","outputs":{},"resources":[]}'
    tool = tmp_path / "errored"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{state.decode()}' > errored.tfstate\nexit 1\n")
    tool.chmod(0o755)

    async def ensure(*_: object) -> Path:
        return tool

    other = make_host(tmp_path / "other", host.sandbox, ensure_tool=ensure)
    result = await run_phase(apply_job(), plane, host=other)
    assert result.outcome is Outcome.ERRORED
    assert [version.data for version in plane.states] == [state]
    assert plane.states[0].final


async def test_what_a_platform_did_not_take_is_offered_at_the_next_start(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    await run_phase(plan_job(), plane, host=host)
    clock = type(host.clock)(farewell_s=0.2)
    host = make_host(host.root, host.sandbox, clock=clock)
    plane.down_at = "put_state"
    result = await run_phase(apply_job(token="lfr_secret"), plane, host=host)
    assert "did not reach the platform" in result.error
    assert result.maybe_not_in_state
    (directory,) = host.spool.iterdir()
    header = json.loads((directory / "header.json").read_text())
    assert header["phase_id"] == "apply-1"
    assert (header["variables"], header["token"]) == ([], "")
    assert await recover_spool(host, plane) == 1
    plane.down = False
    (host.phases / "dead.1").mkdir()
    assert await recover_spool(host, plane) == 0
    (offered,) = plane.offered
    assert b"terraform_data" in offered
    assert list(host.spool.iterdir()) == []
    assert list(host.phases.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "limits", "job", "said"),
    [
        ("sleep 987", {}, {"timeout_s": 1.5}, "longer than 1.5 seconds"),
        (
            "head -c 200000000 /dev/zero | tail | sleep 987",
            {"memory_bytes": 180_000_000},
            {},
            "180000000 bytes of memory",
        ),
        (
            "head -c 60000000 /dev/zero > big; sleep 987",
            {"disk_bytes": 50_000_000},
            {},
            "wrote more than 50000000 bytes",
        ),
    ],
)
async def test_a_phase_past_a_limit_is_stopped_and_told_which(
    command: str,
    limits: dict[str, object],
    job: dict[str, object],
    said: str,
    plane: Recorder,
    host: Host,
    configure: Configure,
) -> None:
    configure(
        'resource "terraform_data" "x" {\n'
        f' provisioner "local-exec" {{ command = "echo begun; {command}" }}\n}}'
    )
    host = make_host(host.root, host.sandbox, **limits)
    async with applying(plane, host, **job) as task:
        result = await asyncio.wait_for(task, 15)
    assert result.outcome is Outcome.ERRORED
    assert said in result.error
    assert said in plane.text(apply_job())
    assert said in plane.text(apply_job(), LogStream.JSON)


async def test_a_canceled_call_leaves_no_process_and_no_directory(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await gone(mark)
    assert list(any_host.phases.iterdir()) == []
    assert len(plane.results) == 1


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
    async with asyncio.timeout(3):
        while processes.tree(tree) or alive(mark):  # noqa: ASYNC110 - other programs' ends have no event
            await asyncio.sleep(0.02)


async def test_a_worker_that_was_frozen_stops_its_child_when_it_wakes(
    tmp_path: Path, mark: str
) -> None:
    worker = await asyncio.to_thread(
        start_worker, tmp_path / "worker", SLOW.replace("MARK", mark), lease_s=1
    )
    try:
        assert alive(mark)
        worker.send_signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)  # longer than its lease of a second: that is the case here
        assert alive(mark)
        worker.send_signal(signal.SIGCONT)
        await gone(mark, within_s=2)
    finally:
        worker.kill()
        worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()


LOOK = r"""
resource "terraform_data" "x" {
  provisioner "local-exec" {
    command = <<-EOT
      echo begun
      echo "processes: $(ls /proc | grep -c '^[0-9]')"
      echo "root: $(ls -x / | tr -s ' \n' ' ')"
      echo "etc: $(ls /etc | tr '\n' ' ')"
      echo "home: $HOME $(ls -A $HOME)"
      echo "uses: $(df / | tail -1)"
      cat SECRET && echo LE''AK
      cat /proc/1/environ && echo
      grep CapEff /proc/self/status
      touch /usr/x /landform/out/mine /opt/landform/providers/x
      echo "tmp: $(ls -A /tmp)"
      id
    EOT
  }
}
"""


async def test_a_run_sees_nothing_of_the_machine_but_the_system(
    plane: Recorder, host: Host, configure: Configure, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the server's own")
    other = host.phases / "other.1"
    other.mkdir(parents=True)
    configure(LOOK.replace("SECRET", f"{secret} {other} /etc/shadow"))
    await run_phase(plan_job(), plane, host=host)
    result = await run_phase(apply_job(), plane, host=host)
    text = plane.text(apply_job())
    assert result.outcome is Outcome.FINISHED, text
    assert "LEAK" not in text
    assert "the server's own" not in text
    assert "CapEff:\t0000000000000000" in text
    (processes,) = (line for line in text.splitlines() if "exec): processes: " in line)
    assert int(processes.split()[-1]) < 12
    (root,) = (line for line in text.splitlines() if "exec): root: " in line)
    roots = set(root.split("exec): root: ")[1].split())
    assert roots <= {
        *("bin", "dev", "etc", "landform", "lib", "lib32", "lib64", "libx32", "opt", "proc"),
        *("sbin", "tmp", "usr"),
    }
    assert "cannot touch '/usr/x'" in text
    assert "cannot touch '/opt/landform/providers/x'" in text
    assert "cannot touch '/landform/out/mine'" not in text
    seen = "\n".join(line for line in text.splitlines() if "Executing: " not in line)
    assert str(tmp_path) not in seen.replace(f"cat: {secret}", "").replace(f"cat: {other}", "")


async def test_a_sandbox_that_does_not_work_is_said_so(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho no namespaces here >&2\nexit 1\n")
    broken.chmod(0o755)
    found = await detect(SandboxMode.AUTO, program=str(broken))
    assert not found.confines
    assert found.reason == "no namespaces here"
    with pytest.raises(Exception, match="no namespaces here"):
        await detect(SandboxMode.REQUIRE, program=str(broken))
    missing = await detect(SandboxMode.AUTO, program="no-such-bwrap")
    assert "no program" in missing.reason


def test_the_fallback_still_ties_a_child_to_the_worker() -> None:
    wrapped = Sandbox(setpriv=("setpriv", "--pdeathsig", "KILL", "--")).wrap(
        ["terraform"], cwd="/", mounts=[], status_fd=-1
    )
    assert wrapped == ["setpriv", "--pdeathsig", "KILL", "--", "terraform"]
