"""A run that has a network of its own: what it reaches, and what is left of it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from landform.contract import Artefact, Outcome
from landform.execution import network
from landform.execution.host import Host
from landform.execution.network import (
    METADATA,
    Door,
    NetworkMode,
    Networks,
    detect_networks,
    doors_in,
)
from landform.execution.phase import run_phase
from landform.execution.sandbox import Sandbox
from landform.kit.errors import InvalidError, UnavailableError
from tests.cli.command import eventually
from tests.kit.processes import is_alive
from tests.networks import having_one_of, needs_networks

from .conftest import apply_job, plan_job, tar
from .recorder import Recorder


@contextmanager
def listening(address: str) -> Iterator[int]:
    """Have something answer `here` at `address`; yield its port."""
    with socket.create_server((address, 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    connection.sendall(b"here\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
async def networks(sandbox: Sandbox) -> Networks:
    found = await detect_networks(NetworkMode.OWN, sandbox)
    assert found is not None
    return found


def calling(*targets: tuple[str, int]) -> str:
    """A configuration whose apply says what answers at each of `targets`."""
    script = "; ".join(
        f"timeout 10 cat < /dev/tcp/{host}/{port} || echo no answer" for host, port in targets
    )
    return f"""
resource "terraform_data" "caller" {{
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = {json.dumps(script)}
  }}
}}
"""


async def answers(host: Host, text: str) -> list[str]:
    """Plan and apply `text`; return what its provisioner said."""
    plane = Recorder()
    plane.artefacts[Artefact.CONFIGURATION] = tar(main_tf=text)
    planned = await run_phase(plan_job(), plane, host=host)
    assert planned.outcome is Outcome.FINISHED, planned
    job = apply_job()
    applied = await run_phase(job, plane, host=host)
    assert applied.outcome is Outcome.FINISHED, plane.text(job)
    said = [line.partition("(local-exec): ")[2] for line in plane.text(job).splitlines()]
    return [line for line in said if line in {"here", "no answer"}]


@needs_networks
@pytest.mark.parametrize("in_user_namespace", [False, True])
async def test_a_run_reaches_the_world_and_not_this_machine_nor_what_is_closed(
    host: Host,
    networks: Networks,
    *,
    in_user_namespace: bool,
) -> None:
    with (
        having_one_of("198.51.100.0/24") as world,  # RFC 5737: nobody has them
        having_one_of("198.18.0.0/24") as closed,
        listening(world) as far,
        listening(closed) as shut,
        listening("127.0.0.1") as near,
        listening("127.0.0.1") as behind_door,
    ):
        targets = [(world, far), (closed, shut), ("127.0.0.1", near), ("127.0.0.1", behind_door)]
        text = calling(*targets)
        assert await answers(host, text) == ["here"] * 4  # they do answer

        own = replace(
            networks,
            closed=("198.18.0.0/16",),
            doors=(Door("localhost", behind_door),),
            in_user_namespace=in_user_namespace,
        )
        host = replace(host, networks=own, root=host.root.with_name("other"))
        host.root.mkdir()
        found = await answers(host, text)
    assert found == ["here", "no answer", "no answer", "here"]


@needs_networks
async def test_a_run_asks_this_machine_for_names_even_where_names_are_told_on_loopback(
    tmp_path: Path,
) -> None:
    """Only root can show this: it has another /etc/resolv.conf for a while."""
    (tmp_path / "resolv.conf").write_text("search inner.test\nnameserver 127.0.0.77\n")
    script = tmp_path / "ask.py"
    script.write_text(_ASK)
    ended = await asyncio.to_thread(
        subprocess.run,
        [
            *("unshare", "--mount", "sh", "-c"),
            *('mount --bind "$1" /etc/resolv.conf && exec "$2" "$3" "$4"', "sh"),
            *(str(tmp_path / "resolv.conf"), sys.executable, str(script), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "198.51.100.7" in ended.stdout
    assert "search inner.test" in ended.stdout


_ASK = r"""
import asyncio, socket, subprocess, sys, threading
from pathlib import Path
from landform.execution.network import NetworkMode, detect_networks
from landform.execution.sandbox import Mount, SandboxMode, detect

def serve(server):
    while True:
        asked, who = server.recvfrom(512)
        end = asked.index(b"\0", 12) + 5
        answer = b"" if asked[end - 4:end - 2] != b"\0\1" else (
            b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("198.51.100.7"))
        counts = b"\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0"
        server.sendto(asked[:2] + b"\x81\x80" + counts + asked[12:end] + answer, who)

async def main(directory):
    sandbox = await detect(SandboxMode.REQUIRE)
    network = await (await detect_networks(NetworkMode.OWN, sandbox)).open()
    mounts = [Mount(directory, Path("/landform"), writable=True), network.names(directory / "in")]
    argv = network.confine(sandbox).wrap(
        ["sh", "-c", "cat /etc/resolv.conf; getent ahostsv4 far.example"],
        cwd="/landform", mounts=mounts, status_fd=2)
    done = await asyncio.to_thread(
        subprocess.run, argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    print(done.stdout.decode())
    await network.close()

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.77", 53))
threading.Thread(target=serve, args=[server], daemon=True).start()
directory = Path(sys.argv[1])
(directory / "in").mkdir()
asyncio.run(main(directory))
"""


def programs_of(opened: Any) -> list[int]:
    return [opened.keeper.pid, opened.slirp.pid]


@needs_networks
async def test_nothing_is_left_of_a_network_that_is_closed(networks: Networks) -> None:
    opened = await networks.open()
    assert all(is_alive(pid) for pid in programs_of(opened))
    await opened.close()
    assert not any(is_alive(pid) for pid in programs_of(opened))


@needs_networks
async def test_nothing_is_left_of_a_network_whose_run_is_given_up_meanwhile(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    opened = threading.Event()
    given_up = threading.Event()

    def slowly(networks: Networks) -> Any:
        made.append(_open(networks))
        opened.set()
        assert given_up.wait(30)
        return made[0]

    _open: Callable[[Networks], Any] = network._open
    monkeypatch.setattr(network, "_open", slowly)
    opening = asyncio.create_task(networks.open())
    assert await asyncio.to_thread(opened.wait, 30)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    given_up.set()
    await asyncio.to_thread(
        eventually, lambda: not any(map(is_alive, programs_of(made[0]))), within_s=60
    )


_OPEN_AND_STAY = """
import asyncio
from landform.execution.network import Networks
async def main():
    network = await Networks().open()
    print(network.keeper.pid, network.slirp.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@needs_networks
def test_nothing_is_left_of_a_network_whose_worker_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _OPEN_AND_STAY], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pids = [int(word) for word in worker.stdout.readline().split()]
        assert all(is_alive(pid) for pid in pids)
        worker.send_signal(signal.SIGKILL)
    eventually(lambda: not any(map(is_alive, pids)), within_s=60)


@needs_networks
async def test_a_network_that_cannot_be_made_says_why() -> None:
    with pytest.raises(UnavailableError, match=r"could not be made: .*--no-such-option"):
        await Networks(options=("--no-such-option",)).open()
    left = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    assert not [name for name in left if "memfd:errors" in name]


async def test_runs_share_the_workers_network_unless_told_otherwise(sandbox: Sandbox) -> None:
    assert await detect_networks(NetworkMode.SHARED, sandbox) is None


async def test_what_is_closed_needs_networks_that_runs_have_of_their_own(
    sandbox: Sandbox,
) -> None:
    with pytest.raises(InvalidError, match="LANDFORM_SANDBOX_NETWORK=own"):
        await detect_networks(NetworkMode.SHARED, sandbox, closed="10.0.0.0/8")


@pytest.mark.parametrize("closed", ["10.0.0.0/33", "10.1.0.0/8", "everything", "fd00::/8"])
async def test_what_is_closed_must_be_networks(sandbox: Sandbox, closed: str) -> None:
    with pytest.raises(InvalidError, match="Give IPv4 networks"):
        await detect_networks(NetworkMode.OWN, sandbox, closed=closed)


async def test_without_a_sandbox_no_run_has_a_network_of_its_own() -> None:
    with pytest.raises(UnavailableError, match="runs have no sandbox"):
        await detect_networks(NetworkMode.OWN, Sandbox())


async def test_without_its_program_no_run_has_a_network_of_its_own(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("landform.execution.network._search_path", lambda: str(tmp_path))
    with pytest.raises(UnavailableError, match="there is no program slirp4netns, ip"):
        await detect_networks(NetworkMode.OWN, sandbox)


@needs_networks
async def test_metadata_is_closed_whatever_else_is(sandbox: Sandbox) -> None:
    found = await detect_networks(NetworkMode.OWN, sandbox, closed="10.0.0.0/8, 192.168.1.5/32")
    assert found is not None
    assert found.closed == (*METADATA, "10.0.0.0/8", "192.168.1.5/32")


@pytest.mark.parametrize(
    ("url", "door"),
    [
        ("http://127.0.0.1:8080", Door("127.0.0.1", 8080)),
        ("http://localhost", Door("localhost", 80)),
        ("https://[::1]", Door("::1", 443)),
        ("https://landform.example", None),
        ("https://10.0.0.1:8080", None),
        ("localhost,127.0.0.1", None),
        ("http://localhost:99999", None),
        ("", None),
    ],
)
def test_what_the_platform_has_on_loopback_is_a_door(url: str, door: Door | None) -> None:
    assert doors_in([url]) == ([door] if door else [])
