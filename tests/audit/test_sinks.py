import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from landform.audit import chain
from landform.audit.service import Upkeep, forward, keep
from landform.audit.sinks import Syslog, Webhook, make_sinks
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.kit.errors import InvalidError, UnavailableError
from tests.audit.test_chain import happen

_ACCEPTED: Final = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@dataclass
class Receiver:
    """A server that keeps what it is sent, and answers as told."""

    port: int = 0
    answer: bytes = _ACCEPTED
    heads: list[bytes] = field(default_factory=list)
    bodies: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)

    async def hear_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        self.heads.append(head)
        self.bodies.put_nowait(await reader.readexactly(size))
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    async def hear_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.bodies.put_nowait(await reader.read())
        writer.close()

    def actors(self) -> list[str]:
        """Return who acted in each event that was posted so far."""
        found: list[str] = []
        while not self.bodies.empty():
            lines: list[dict[str, Any]] = [
                json.loads(line) for line in self.bodies.get_nowait().splitlines()
            ]
            found += [line["auth"]["accessor_id"] for line in lines]
        return found


@asynccontextmanager
async def receiving(receiver: Receiver, *, syslog: bool = False) -> AsyncIterator[Receiver]:
    hear = receiver.hear_all if syslog else receiver.hear_http
    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@pytest.fixture
async def sealed(sessions: Sessions, keyring: Keyring) -> Sessions:
    await happen(sessions, "ann", "bea")
    await chain.extend(sessions, keyring)
    return sessions


async def test_a_webhook_gets_each_sealed_event_once_in_order_with_its_token(
    sealed: Sessions, keyring: Keyring
) -> None:
    async with receiving(Receiver()) as receiver:
        sink = Webhook(f"http://127.0.0.1:{receiver.port}/in?key=secret", "tok-123")
        assert await forward(sealed, sink) == 2
        assert await forward(sealed, sink) == 0
        await happen(sealed, "cem")
        assert await forward(sealed, sink) == 0
        await chain.extend(sealed, keyring)
        assert await forward(sealed, sink) == 1
    assert receiver.actors() == ["ann", "bea", "cem"]
    assert b"authorization: bearer tok-123" in receiver.heads[0].lower()
    assert "secret" not in sink.name


async def test_what_a_webhook_refused_is_sent_again(sealed: Sessions) -> None:
    async with receiving(Receiver(answer=_REFUSED)) as receiver:
        sink = Webhook(f"http://127.0.0.1:{receiver.port}/in")
        with pytest.raises(UnavailableError, match="answered 503"):
            await forward(sealed, sink)
        receiver.answer = _ACCEPTED
        assert await forward(sealed, sink) == 2
    assert receiver.actors() == ["ann", "bea", "ann", "bea"]


async def test_a_webhook_that_is_not_there_is_named_without_its_query(sealed: Sessions) -> None:
    sink = Webhook("http://127.0.0.1:1/in?key=secret")
    with pytest.raises(UnavailableError) as failed:
        await forward(sealed, sink)
    assert "secret" not in str(failed.value)


async def test_a_sink_that_does_not_answer_keeps_no_other_waiting(
    sealed: Sessions, keyring: Keyring
) -> None:
    async with receiving(Receiver()) as receiver:
        there = Webhook(f"http://127.0.0.1:{receiver.port}/in")
        await keep(sealed, keyring, Upkeep(sinks=[Webhook("http://127.0.0.1:1/in"), there]))
    assert receiver.actors() == ["ann", "bea"]


async def test_syslog_over_tcp_counts_the_octets_of_each_message(sealed: Sessions) -> None:
    async with receiving(Receiver(), syslog=True) as receiver:
        assert await forward(sealed, Syslog(f"tcp://127.0.0.1:{receiver.port}")) == 2
        async with asyncio.timeout(60):
            rest = await receiver.bodies.get()
    messages = []
    while rest:
        size, _, rest = rest.partition(b" ")
        messages.append(rest[: int(size)])
        rest = rest[int(size) :]
    assert len(messages) == 2
    assert all(each.startswith(b"<110>1 20") for each in messages)
    told = json.loads(messages[0].split(b" landform - audit - ", 1)[1])
    assert told["auth"]["accessor_id"] == "ann"


async def test_syslog_over_udp_sends_a_datagram_for_each_event(sealed: Sessions) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ears(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            heard.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Ears, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        assert await forward(sealed, Syslog(f"udp://127.0.0.1:{port}")) == 2
        async with asyncio.timeout(60):
            assert {(await heard.get())[:7] for _ in range(2)} == {b"<110>1 "}
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("syslog", "webhook", "named"),
    [
        ("siem.example:514", "", "LANDFORM_AUDIT_SYSLOG"),
        ("", "siem.example/in", "LANDFORM_AUDIT_WEBHOOK"),
    ],
)
def test_an_address_that_is_none_is_refused_by_its_setting(
    syslog: str, webhook: str, named: str
) -> None:
    with pytest.raises(InvalidError, match=named):
        make_sinks(syslog, webhook, "")
