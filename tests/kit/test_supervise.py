import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from landform.kit.early import started_early
from landform.kit.postgres_directory import PostgresDirectory
from landform.kit.supervise import Backoff, Program, Supervisor
from tests.kit.processes import PACKAGES, children_of, eventually, is_alive, line_of, running

QUICK = Backoff(first_s=0.01, longest_s=0.1)
OBEDIENT = """
import os, signal, sys
def end(*_):
    os.write(1, b"ending\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True: signal.pause()
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("child" if os.fork() else "grandchild", os.getpid(), flush=True)
while True: signal.pause()
"""
# Starts, as `landform up` does, a database and two children, one of which does not end by itself.
UP = """
import asyncio, sys
from pathlib import Path
from landform.kit.postgres import EmbeddedPostgres
from landform.kit.supervise import Program, Supervisor
async def main():
    database = EmbeddedPostgres(Path(sys.argv[1]))
    await database.start()
    names = ("server", "stubborn")
    supervisor = Supervisor([
        Program(name=name, argv=[sys.executable, "-c", sys.argv[2], name]) for name in names
    ])
    try:
        running = asyncio.create_task(supervisor.run())
        await asyncio.sleep(0)
        print("pids", *supervisor.pids.values(), flush=True)
        await running
    finally:
        await database.stop()
asyncio.run(main())
"""
MINDED_CHILD = """
import os, signal, sys
from landform.kit.supervise import die_with_parent
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"not yet\\n"))
print("has a supervisor:", die_with_parent(kill_after_s=2.0), sys.argv[1], flush=True)
while True: signal.pause()
"""
# As on a platform without prctl.
UNTOLD_CHILD = f"""
from landform.kit import supervise
supervise.signal_on_parent_death = lambda signum: False
{MINDED_CHILD}
"""
LATE_CHILD = """
import os, signal
from landform.kit.supervise import die_with_parent
while os.getppid() == int(os.environ["SUPERVISOR_PID"]): pass
die_with_parent(kill_after_s=1000)
signal.pause()
"""


class Heard:
    """The lines the programs wrote, each as `name: line`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.times: list[float] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")
        self.times.append(time.monotonic())

    def pid(self, start: str) -> int:
        (line,) = [line for line in self.lines if line.startswith(start)]
        return int(line.split()[-1])


@asynccontextmanager
async def supervised(supervisor: Supervisor) -> AsyncIterator[None]:
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    try:
        yield
    finally:
        supervisor.stop()
        await asyncio.wait_for(task, 60)


def program(name: str, script: str, *arguments: str, grace_s: float = 10.0) -> Program:
    return Program(
        name=name,
        argv=[sys.executable, "-c", script, *arguments],
        env={"PYTHONPATH": PACKAGES, "PATH": os.environ["PATH"]},
        grace_s=grace_s,
    )


async def test_a_program_that_is_killed_is_started_again() -> None:
    heard = Heard()
    supervisor = Supervisor([program("a", OBEDIENT)], on_line=heard, backoff=QUICK)
    async with supervised(supervisor):
        await eventually(lambda: heard.lines == ["a: ready"])
        first = supervisor.pids["a"]
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: heard.lines == ["a: ready"] * 2)
        assert supervisor.pids["a"] != first
    assert supervisor.pids == {}


async def test_a_program_that_ends_at_once_is_started_at_growing_intervals() -> None:
    heard = Heard()
    backoff = Backoff(first_s=0.1, factor=2, longest_s=10)
    once = Program(name="a", argv=["/bin/echo", "here"])
    async with supervised(Supervisor([once], on_line=heard, backoff=backoff)):
        await eventually(lambda: len(heard.lines) == 4)
    gaps = [later - earlier for earlier, later in zip(heard.times, heard.times[1:], strict=False)]
    assert all(gap >= least for gap, least in zip(gaps, [0.09, 0.19, 0.39], strict=True))


async def test_a_program_that_ran_long_enough_starts_afresh_with_the_shortest_pause() -> None:
    heard = Heard()
    backoff = Backoff(first_s=0.01, factor=10_000, longest_s=100, healthy_s=0.05)
    slow = Program(name="a", argv=["/bin/sh", "-c", "echo here; sleep 0.1"])
    async with supervised(Supervisor([slow], on_line=heard, backoff=backoff)):
        await eventually(lambda: len(heard.lines) == 4)


@pytest.mark.parametrize(("failures", "pause_s"), [(1, 0.5), (2, 1), (6, 16), (7, 30), (10**6, 30)])
def test_a_pause_doubles_up_to_a_bound(failures: int, pause_s: float) -> None:
    assert Backoff().pause_s(failures) == pause_s


async def test_programs_are_ended_in_the_reverse_of_their_order() -> None:
    heard = Heard()
    names = ("a", "b", "c")
    supervisor = Supervisor([program(name, OBEDIENT) for name in names], on_line=heard)
    async with supervised(supervisor):
        await eventually(lambda: len(heard.lines) == 3)
    assert heard.lines[3:] == ["c: ending", "b: ending", "a: ending"]


async def test_a_program_that_does_not_end_in_its_grace_is_killed_with_its_group() -> None:
    heard = Heard()
    began = 0.0
    async with supervised(Supervisor([program("a", STUBBORN, grace_s=0.3)], on_line=heard)):
        await eventually(lambda: len(heard.lines) == 2)
        pids = heard.pid("a: child"), heard.pid("a: grandchild")
        began = time.monotonic()
    assert time.monotonic() - began >= 0.3
    await eventually(lambda: not any(map(is_alive, pids)))


async def test_what_a_dead_program_left_in_its_group_is_killed_before_it_starts_again() -> None:
    heard = Heard()
    async with supervised(Supervisor([program("a", STUBBORN)], on_line=heard, backoff=QUICK)):
        await eventually(lambda: len(heard.lines) == 2)
        left = heard.pid("a: grandchild")
        os.kill(heard.pid("a: child"), signal.SIGKILL)
        await eventually(lambda: len(heard.lines) == 4)
        assert not is_alive(left)
        for pid in map(int, (line.split()[-1] for line in heard.lines[2:])):
            os.kill(pid, signal.SIGKILL)


async def test_a_second_stop_does_not_wait_for_the_grace() -> None:
    heard = Heard()
    supervisor = Supervisor([program("a", STUBBORN, grace_s=1000)], on_line=heard)
    async with supervised(supervisor):
        await eventually(lambda: len(heard.lines) == 2)
        supervisor.stop()


async def test_lines_arrive_whole_whatever_they_hold() -> None:
    heard = Heard()
    script = (
        "import os, time\n"
        "os.write(1, b'half '); time.sleep(0.1); os.write(2, b'a line\\r\\n\\n')\n"
        "os.write(1, b'\\xff' + b'x' * 200_000 + b'\\nno end')\n"
    )
    backoff = Backoff(first_s=1000, longest_s=1000)
    supervisor = Supervisor([program("a", script)], on_line=heard, backoff=backoff)
    async with supervised(supervisor):
        await eventually(lambda: len(heard.lines) == 4)
    assert heard.lines == [
        "a: half a line",
        "a: ",
        "a: \N{REPLACEMENT CHARACTER}" + "x" * 200_000,
        "a: no end",
    ]


async def test_without_a_listener_programs_write_to_our_own_output(
    capfd: pytest.CaptureFixture[str],
) -> None:
    backoff = Backoff(first_s=1000, longest_s=1000)
    supervisor = Supervisor([Program(name="a", argv=["/bin/echo", "aloud"])], backoff=backoff)
    written = ""
    async with supervised(supervisor):
        deadline = time.monotonic() + 60
        while "aloud\n" not in written:
            assert time.monotonic() < deadline
            written += capfd.readouterr().out
            await asyncio.sleep(0.01)


async def test_a_program_that_cannot_be_started_ends_those_before_it() -> None:
    heard = Heard()
    missing = Program(name="b", argv=["/nonexistent/program"])
    supervisor = Supervisor([program("a", STUBBORN, grace_s=0), missing], on_line=heard)
    with pytest.raises(FileNotFoundError, match="/nonexistent/program"):
        await supervisor.run(handle_signals=False)
    assert supervisor.pids == {}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_database_and_programs_in_order(
    prepared: Path, signum: signal.Signals
) -> None:
    with running(UP, prepared, MINDED_CHILD) as up:
        pids = [int(pid) for pid in (await line_of(up, "pids")).split()]
        assert len(pids) == 2
        await line_of(up, "has a supervisor: True stubborn")
        os.kill(pids[1], signal.SIGUSR1)  # ends it, so that there is nobody to wait for
        up.send_signal(signum)
        assert await asyncio.to_thread(up.wait, 60) == 0
        assert not any(map(is_alive, pids))
        assert not PostgresDirectory(prepared).processes()


async def test_a_supervisor_that_is_killed_leaves_nothing_running(prepared: Path) -> None:
    with running(UP, prepared, MINDED_CHILD) as up:
        await line_of(up, "has a supervisor: True stubborn")
        everything = set(children_of(up.pid))
        assert len(everything) == 3
        everything.update(PostgresDirectory(prepared).processes())
        assert len(everything) > 6
        up.kill()
        await line_of(up, "not yet")
        await eventually(lambda: not any(map(is_alive, everything)))


async def test_where_the_kernel_does_not_tell_of_a_dead_parent_a_thread_does() -> None:
    script = f"""
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", {UNTOLD_CHILD!r}, "stubborn"],
    env={{**os.environ, "SUPERVISOR_PID": str(os.getpid())}},
)
print("child", child.pid, flush=True)
child.wait()
"""
    with running(script) as parent:
        child = int(await line_of(parent, "child"))
        await line_of(parent, "has a supervisor: True")
        parent.kill()
        await line_of(parent, "not yet")
        await eventually(lambda: not is_alive(child))


async def test_a_child_whose_supervisor_died_before_it_could_ask_ends_at_once() -> None:
    script = f"""
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", {LATE_CHILD!r}], env={{**os.environ, "SUPERVISOR_PID": str(os.getpid())}}
)
print("child", child.pid, flush=True)
sys.stdin.read()
"""
    with running(script) as parent:
        child = int(await line_of(parent, "child"))
        parent.kill()
        await eventually(lambda: not is_alive(child))


async def test_a_process_started_by_hand_may_outlive_its_parent() -> None:
    script = (
        "from landform.kit.supervise import die_with_parent; print('answer', die_with_parent())"
    )
    with running(script) as process:
        assert await line_of(process, "answer") == "False"


def test_the_pid_of_the_supervisor_is_not_handed_on() -> None:
    script = (
        "import os\n"
        "from landform.kit.supervise import die_with_parent\n"
        "print(die_with_parent(), 'SUPERVISOR_PID' in os.environ)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": PACKAGES, "SUPERVISOR_PID": str(os.getpid())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "True False\n"


EARLY_CHILD = """
import os, signal, sys
from landform.kit.early import wait_to_begin
from landform.kit.supervise import die_with_parent
has_supervisor = die_with_parent()
wait_to_begin()
print("begun", has_supervisor, sorted(os.environ), repr(sys.stdin.read()), flush=True)
signal.pause()
"""


async def test_a_program_that_loads_early_begins_with_the_environment_it_is_given() -> None:
    heard = Heard()
    env = {"PYTHONPATH": PACKAGES, "GIVEN": "x" * 100_000}
    argv = [sys.executable, "-c", EARLY_CHILD]
    with started_early(argv, os.environ, is_heard=True) as early:
        once = Program(name="a", argv=argv, env=env, early=early)
        supervisor = Supervisor([once], on_line=heard, backoff=QUICK)
        async with supervised(supervisor):
            await eventually(lambda: len(heard.lines) == 1)
            assert heard.lines == ["a: begun True ['GIVEN', 'PYTHONPATH'] ''"]
            os.kill(supervisor.pids["a"], signal.SIGKILL)
            await eventually(lambda: len(heard.lines) == 2)
            assert "begun True" in heard.lines[1]


async def test_a_program_that_loaded_early_and_died_is_started_again() -> None:
    heard = Heard()
    with started_early([sys.executable, "-c", ""], {}, is_heard=True) as early:
        early._process.wait()
        once = replace(program("a", OBEDIENT), early=early)
        async with supervised(Supervisor([once], on_line=heard, backoff=QUICK)):
            await eventually(lambda: heard.lines == ["a: ready"])


def test_a_program_that_loads_early_and_is_not_let_begin_ends() -> None:
    with started_early([sys.executable, "-c", EARLY_CHILD], os.environ, is_heard=True) as early:
        pid = early._process.pid
        assert is_alive(pid)
    assert not is_alive(pid)
