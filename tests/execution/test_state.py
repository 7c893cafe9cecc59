"""State between terraform, this machine's disk and the platform."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from landform.execution.keeper import Keeper
from landform.execution.recorded import addresses
from landform.execution.spool import Spool, read_leftover
from landform.execution.state_server import StateServer

from .conftest import apply_job
from .recorder import Recorder


def state(serial: int, *, lineage: str = "l", padding: int = 0) -> bytes:
    return json.dumps({"lineage": lineage, "serial": serial, "padding": "x" * padding}).encode()


@dataclass
class Answer:
    """What a server said."""

    status: int
    body: bytes


async def ask(
    server: StateServer,
    method: str,
    body: bytes = b"",
    *,
    password: str | None = None,
    headers: str = "",
    length: int | None = None,
) -> Answer:
    port = server.environment["TF_HTTP_ADDRESS"].split(":")[2].split("/")[0]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    given = f"landform:{server.password if password is None else password}"
    credentials = base64.b64encode(given.encode()).decode()
    head = (
        f"{method} /state HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n{headers}"
        f"Content-Length: {len(body) if length is None else length}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    first, _, rest = raw.partition(b"\r\n")
    return Answer(int(first.split()[1]), rest.partition(b"\r\n\r\n")[2])


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", apply_job())


@pytest.fixture
async def server(spool: Spool) -> AsyncIterator[StateServer]:
    server = StateServer(state(1), spool, limit_bytes=1 << 20)
    await server.start()
    yield server
    await server.close()


async def test_a_state_that_was_posted_is_what_is_read_and_is_on_the_disk(
    server: StateServer, spool: Spool
) -> None:
    assert (await ask(server, "GET")).body == state(1)
    for serial in (2, 3):
        assert (await ask(server, "POST", state(serial))).status == 200
        assert (await ask(server, "GET")).body == state(serial)
    job, (path,) = read_leftover(spool.path)
    assert job.phase_id == "apply-1"
    assert path.read_bytes() == state(3)


async def test_the_password_of_another_run_opens_nothing(server: StateServer, spool: Spool) -> None:
    for method in ("GET", "POST"):
        for password in ("", "wrong", server.password[:-1]):
            answer = await ask(server, method, state(2), password=password)
            assert answer.status == 401
    assert spool.number == 0


async def test_a_plan_cannot_change_the_state() -> None:
    server = StateServer(None, None, limit_bytes=100)
    await server.start()
    assert (await ask(server, "GET")).status == 404
    assert (await ask(server, "POST", b"{}")).status == 403
    await server.close()


async def test_a_state_that_is_too_large_or_broken_is_refused_and_not_kept(
    server: StateServer, spool: Spool
) -> None:
    assert (await ask(server, "POST", b"", length=(1 << 20) + 1)).status == 413
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    answer = await ask(server, "POST", state(2), headers=f"Content-MD5: {wrong}\r\n")
    assert answer.status == 400
    assert (await ask(server, "DELETE")).status == 405
    assert spool.number == 0
    assert (await ask(server, "GET")).body == state(1)


async def test_a_post_that_breaks_off_leaves_the_older_state(
    server: StateServer, spool: Spool
) -> None:
    await ask(server, "POST", state(2))
    port = int(server.environment["TF_HTTP_ADDRESS"].split(":")[2].split("/")[0])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    credentials = base64.b64encode(f"landform:{server.password}".encode()).decode()
    writer.write(
        f"POST /state HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
        "Content-Length: 1000\r\n\r\nhalf".encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await ask(server, "GET")).body == state(2)
    assert spool.number == 1


async def test_a_state_of_a_hundred_megabytes_passes(spool: Spool) -> None:
    server = StateServer(None, spool, limit_bytes=200 << 20)
    await server.start()
    large = state(1, padding=100 << 20)
    assert (await ask(server, "POST", large)).status == 200
    answer = await ask(server, "GET")
    assert hashlib.md5(answer.body).digest() == hashlib.md5(large).digest()
    await server.close()


class Keeping:
    """A keeper and what it reported."""

    def __init__(self, plane: Recorder, spool: Spool, delay_s: float = 0.05) -> None:
        self.sent: list[bytes] = []
        self.refused = False
        self.lost = False
        self.spool = spool
        self.keeper = Keeper(
            apply_job(),
            plane,
            spool,
            delay_s=delay_s,
            on_sent=self._note,
            on_refused=lambda: setattr(self, "refused", True),
            on_lost=lambda: setattr(self, "lost", True),
        )

    async def _note(self, state: bytes) -> None:
        self.sent.append(state)

    def post(self, state: bytes) -> None:
        path = self.spool.incoming()
        path.write_bytes(state)
        self.spool.accept(path)
        self.keeper.wake()

    async def finish(self, *, final: bool = True, lost: bool = False) -> bool:
        await self.keeper.close()
        return await self.keeper.finish(final=final, lost=lost, patience_s=0.3)


async def test_snapshots_go_out_while_the_tool_runs_and_only_the_last_is_final(
    plane: Recorder, spool: Spool
) -> None:
    keeping = Keeping(plane, spool)
    for serial in (1, 2):
        keeping.post(state(serial))
        await plane.until(lambda count=serial: len(plane.states) == count)  # type: ignore[misc]
    keeping.post(state(3))
    assert await keeping.finish()
    assert [version.data for version in plane.states] == [state(1), state(2), state(3)]
    assert [version.final for version in plane.states] == [False, False, True]
    assert keeping.sent == [state(1), state(2), state(3)]
    assert not spool.path.exists()


async def test_a_snapshot_that_was_the_last_becomes_final(plane: Recorder, spool: Spool) -> None:
    keeping = Keeping(plane, spool)
    keeping.post(state(1))
    await plane.until(lambda: len(plane.states) == 1)
    assert await keeping.finish()
    assert [version.final for version in plane.states] == [True]


async def test_states_that_come_faster_than_they_go_are_one_and_the_newest(
    plane: Recorder, spool: Spool
) -> None:
    plane.down = True
    keeping = Keeping(plane, spool)
    for serial in range(1, 10):
        keeping.post(state(serial))
        await asyncio.sleep(0.02)
    plane.down = False
    await keeping.finish()
    assert [version.data for version in plane.states][-1] == state(9)
    assert len(plane.states) <= 2


async def test_a_state_the_platform_does_not_answer_to_stays(plane: Recorder, spool: Spool) -> None:
    plane.down = True
    keeping = Keeping(plane, spool)
    keeping.post(state(1))
    assert not await keeping.finish()
    _, (path,) = read_leftover(spool.path)
    assert path.read_bytes() == state(1)


async def test_a_state_of_another_lineage_is_refused_and_offered(
    plane: Recorder, spool: Spool
) -> None:
    await plane.put_state(apply_job(), state(1), final=True)
    keeping = Keeping(plane, spool)
    keeping.post(state(2, lineage="other"))
    await plane.until(lambda: keeping.refused)
    keeping.post(state(3, lineage="other"))
    assert not await keeping.finish()
    assert "lineage" in keeping.keeper.refusal
    assert plane.offered == [state(3, lineage="other")]
    assert not spool.path.exists()


async def test_an_attempt_that_was_overtaken_only_offers(plane: Recorder, spool: Spool) -> None:
    keeping = Keeping(plane, spool)
    plane.epoch = 2
    keeping.post(state(1))
    await plane.until(lambda: keeping.lost)
    assert not await keeping.finish()
    assert plane.states == []
    assert plane.offered == [state(1)]


async def test_an_attempt_without_a_state_leaves_nothing(plane: Recorder, spool: Spool) -> None:
    assert await Keeping(plane, spool).finish()
    assert plane.states == []
    assert not spool.path.exists()


def test_objects_are_called_as_terraform_calls_them() -> None:
    document = {
        "resources": [
            {"mode": "managed", "type": "a", "name": "n", "instances": [{}]},
            {"mode": "data", "type": "a", "name": "d", "instances": [{}]},
            {
                "module": 'module.m["k"].module.n[0]',
                "mode": "managed",
                "type": "a",
                "name": "n",
                "instances": [
                    {"index_key": 3},
                    {"index_key": 'quoted "${x}"'},
                    {"index_key": 9, "deposed": "1234"},
                ],
            },
        ]
    }
    assert addresses(json.dumps(document).encode()) == {
        "a.n",
        "data.a.d",
        'module.m["k"].module.n[0].a.n[3]',
        'module.m["k"].module.n[0].a.n["quoted \\"$${x}\\""]',
    }
    assert addresses(b"no state") == set()
