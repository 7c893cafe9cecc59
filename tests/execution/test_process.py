"""Children: their lines, their ends."""

import asyncio
from pathlib import Path

import pytest

from landform.execution import processes
from landform.execution.host import Host, Room, make_room
from landform.execution.process import CUT, LONGEST_LINE, Command, start, stream
from landform.execution.sandbox import SandboxMode, detect
from landform.kit.errors import UnavailableError

from .conftest import make_host, plan_job
from .stopping import gone


@pytest.fixture(params=[SandboxMode.REQUIRE, SandboxMode.OFF])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return make_host(tmp_path / "worker", await detect(request.param))


@pytest.fixture
def room(either: Host) -> Room:
    path = either.phases / "p.1"
    path.mkdir(parents=True)
    return make_room(either, plan_job(), path, Path("/bin/sh"))


class Lines:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def __call__(self, lines: list[bytes]) -> None:
        self.lines += lines


async def run(host: Host, room: Room, script: str) -> tuple[int, Lines, Lines]:
    out, err = Lines(), Lines()
    command = Command(["/bin/bash", "-c", script], room.cwd, {"PATH": "/usr/bin:/bin"})
    code = await asyncio.wait_for(stream(start(host.sandbox, room, command), out=out, err=err), 60)
    return code, out, err


async def test_output_and_errors_come_apart_line_by_line_with_the_exit_code(
    either: Host, room: Room
) -> None:
    code, out, err = await run(either, room, r"echo a; echo b >&2; printf 'c\n\nlast'; exit 7")
    assert code == 7
    assert out.lines == [b"a", b"c", b"", b"last"]
    assert err.lines == [b"b"]


async def test_a_line_of_ten_megabytes_is_cut_and_the_next_one_is_whole(
    either: Host, room: Room
) -> None:
    _, out, _ = await run(either, room, "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo next")
    long, following = out.lines
    assert long == b"x" * LONGEST_LINE + CUT
    assert following == b"next"


async def test_much_output_comes_whole_and_in_order(either: Host, room: Room) -> None:
    _, out, _ = await run(either, room, "seq 1 100000")
    assert [int(line) for line in out.lines] == list(range(1, 100_001))


async def test_what_a_child_leaves_behind_ends_with_it(either: Host, room: Room, mark: str) -> None:
    script = f"export TAG={mark}; setsid sleep 987 & echo $!; (sleep 986 &) ; exit 0"
    code, out, _ = await run(either, room, script)
    assert code == 0
    assert len(out.lines) == 1
    await gone(mark)


async def test_a_sink_that_fails_ends_the_child(either: Host, room: Room) -> None:
    async def fail(lines: list[bytes]) -> None:
        raise RuntimeError(f"no room for {lines!r}")

    command = Command(["/bin/sh", "-c", "echo x; sleep 987"], room.cwd, {})
    child = start(either.sandbox, room, command)
    with pytest.raises(RuntimeError, match="no room"):
        await asyncio.wait_for(stream(child, out=fail, err=fail), 60)
    assert not processes.tree([child.pid])


async def test_an_interrupt_reaches_the_tool_and_nothing_else(either: Host, room: Room) -> None:
    out = Lines()
    script = (
        "trap 'echo parent; kill $!; exit 3' INT\n"
        "bash -c 'trap \"echo child\" INT; echo ready; while :; do sleep 0.02; done' &\n"
        "wait"
    )
    child = start(
        either.sandbox, room, Command(["/bin/bash", "-c", script], room.cwd, {"PATH": "/bin"})
    )
    running = asyncio.create_task(stream(child, out=out, err=out))
    async with asyncio.timeout(60):
        while b"ready" not in out.lines:  # noqa: ASYNC110 - another program's act has no event
            await asyncio.sleep(0.01)
        await child.interrupt()
        assert await running == 3
    assert out.lines == [b"ready", b"parent"]


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    host = make_host(tmp_path / "worker", await detect(SandboxMode.OFF))
    path = host.phases / "p.1"
    path.mkdir(parents=True)
    room = make_room(host, plan_job(), path, Path("/bin/sh"))
    with pytest.raises(UnavailableError, match="no-such"):
        start(type(host.sandbox)(), room, Command(["/no-such"], room.cwd, {}))
