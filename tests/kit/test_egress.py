"""The way out: what may be called, and what an answer may cost."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from landform.kit import clock, egress
from landform.kit.egress import Allow, Answer, BlockedAddressError, Bounds, NoAnswerError, Outbound
from landform.kit.egress_allow import is_public
from landform.kit.errors import InvalidError, TooLargeError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(head: str, body: bytes = b"ok") -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + f"\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    return handle


@asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[int]:
    """A server on loopback; yields its port."""
    running = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "fe80::1%eth0", "not-one"),
    ],
)
def test_an_address_that_is_not_of_the_public_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"],
)
def test_an_address_of_the_public_network_is_public(address: str) -> None:
    assert is_public(address)


def test_what_an_operator_allows_is_a_network_or_a_name_with_or_without_a_port() -> None:
    allow = Allow.parse("10.1.0.0/16, TFS.corp.example, .internal:8443,\n*.lab, fd00::/8, ::1")
    assert allow.covers("10.1.2.3", 443)
    assert not allow.covers("10.2.2.3", 443)
    assert allow.covers("::1", 1)
    assert allow.names("tfs.corp.example", 8080)
    assert allow.names("a.b.internal", 8443)
    assert not allow.names("a.b.internal", 443)
    assert not allow.names("internal", 8443)
    assert allow.names("git.lab", 1)
    assert not allow.names("tfs.corp.example.evil", 443)


def test_a_port_narrows_what_is_allowed_of_an_address() -> None:
    allow = Allow.parse("127.0.0.1:9000, [::1]:9000")
    assert allow.covers("127.0.0.1", 9000)
    assert not allow.covers("127.0.0.1", 5432)
    assert allow.covers("::1", 9000)
    assert not allow.covers("::1", 5432)


@pytest.mark.parametrize("text", ["a b", "10.0.0.0/99", "host:0", "host:x", "http://x", "1.2.3"])
def test_what_is_neither_a_network_nor_a_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="LANDFORM_EGRESS_ALLOW"):
        Allow.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433"])
async def test_a_loopback_address_is_refused_however_it_is_written(host: str) -> None:
    async with server(answering("HTTP/1.1 200 OK")) as port, Outbound() as out:
        for scheme in ("http", "https"):
            with pytest.raises(InvalidError):
                await out.request("GET", f"{scheme}://{host}:{port}/")


async def test_a_private_address_over_tls_is_refused_before_a_byte_is_sent() -> None:
    called = asyncio.Event()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        writer.close()

    async with server(note) as port, Outbound() as out:
        with pytest.raises(BlockedAddressError, match="LANDFORM_EGRESS_ALLOW"):
            await out.request("GET", f"https://127.0.0.1:{port}/")
    assert not called.is_set()


async def test_what_is_allowed_is_called() -> None:
    head = "HTTP/1.1 418 No\r\nX-Said: yes"
    async with server(answering(head)) as port, Outbound(Allow.parse(f"127.0.0.1:{port}")) as out:
        answer = await out.request("POST", f"http://127.0.0.1:{port}/a", form={"a": "b"})
    assert (answer.status, answer.headers["x-said"], answer.body) == (418, "yes", b"ok")


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = iter([["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(addresses)

    asked: list[str] = []
    real = socket.getaddrinfo

    def record(host: str, *rest: object, **more: object) -> object:
        asked.append(host)
        return real(host, *rest, **more)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(egress, "resolve", rebinding)
    monkeypatch.setattr(socket, "getaddrinfo", record)
    bounds = Bounds(connect_s=0.2)
    async with server(answering("HTTP/1.1 200 OK")) as port, Outbound(bounds=bounds) as out:
        with pytest.raises(NoAnswerError):  # the public address is what is connected to
            await out.request("GET", f"https://rebind.example:{port}/")
        with pytest.raises(BlockedAddressError):
            await out.request("GET", f"https://rebind.example:{port}/")
    assert "rebind.example" not in asked


async def test_a_redirect_is_not_followed_unless_asked() -> None:
    head = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/"
    async with server(answering(head)) as port, Outbound(Allow.parse("127.0.0.1")) as out:
        answer = await out.request("GET", f"http://127.0.0.1:{port}/")
    assert answer.status == 302


async def test_a_redirect_to_a_private_address_is_refused() -> None:
    head = "HTTP/1.1 302 Found\r\nlocation: https://[::1]:9/secret"
    async with server(answering(head)) as port, Outbound(Allow.parse("127.0.0.1")) as out:
        with pytest.raises(BlockedAddressError):
            await out.request("GET", f"http://127.0.0.1:{port}/", follow=3)


async def test_a_redirect_takes_no_credentials_to_another_host() -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with server(note) as other:
        head = f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{other}/"
        async with server(answering(head)) as port, Outbound(Allow.parse("127.0.0.1")) as out:
            secret = {"Authorization": "Bearer secret"}
            await out.request("GET", f"http://127.0.0.1:{port}/", headers=secret, follow=1)
    assert len(heads) == 1
    assert b"secret" not in heads[0]


async def test_an_answer_past_the_bound_is_not_read() -> None:
    async with server(answering("HTTP/1.1 200 OK", b"x" * 4096)) as port:
        bounds = Bounds(body_bytes=1024)
        async with Outbound(Allow.parse("127.0.0.1"), bounds=bounds) as out:
            with pytest.raises(TooLargeError, match="1024"):
                await out.request("GET", f"http://127.0.0.1:{port}/")


async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    stop = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        await stop.wait()
        writer.close()

    async with server(drip) as port:
        out = Outbound(Allow.parse("127.0.0.1"), bounds=Bounds(total_s=0.2))
        with pytest.raises(NoAnswerError, match=r"within 0\.2 s"):
            await out.request("GET", f"http://127.0.0.1:{port}/")
        stop.set()
        await out.close()


async def test_clear_text_to_a_public_host_is_refused() -> None:
    async with Outbound() as out:
        with pytest.raises(InvalidError, match="without TLS"):
            await out.request("GET", "http://8.8.8.8/")


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "file:///etc/passwd", "https://u:p@a.example/"]
)
async def test_only_a_plain_web_address_is_called(url: str) -> None:
    async with Outbound() as out:
        with pytest.raises(InvalidError):
            await out.request("GET", url)


async def test_a_server_without_tls_counts_as_no_answer() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 no tls here\r\n\r\n")
        writer.close()

    async with server(garbage) as port, Outbound(Allow.parse("127.0.0.1")) as out:
        with pytest.raises(NoAnswerError, match=r"127\.0\.0\.1"):
            await out.request("GET", f"https://127.0.0.1:{port}/")


async def test_what_is_not_json_is_said_to_be_none() -> None:
    html = answering("HTTP/1.1 203 OK", b"<html>")
    async with server(html) as port, Outbound(Allow.parse("127.0.0.1")) as out:
        answer = await out.request("GET", f"http://127.0.0.1:{port}/")
    with pytest.raises(NoAnswerError, match="not JSON"):
        answer.json()


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [
        *(("77", 77.0), ("0.5", 0.5), ("999999999", 3600.0)),
        ("Thu, 26 Nov 2026 12:01:30 GMT", 90.0),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0.0),
        *(("", 0.0), ("soon", 0.0), ("-5", 0.0), ("nan", 0.0), ("26 Nov 2026 12:01:30", 0.0)),
    ],
)
def test_who_is_asked_to_wait_waits_as_long_as_is_sensible(
    said: str, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 26, 12, 0, tzinfo=UTC))
    answer = Answer(status=503, headers={"retry-after": said}, body=b"", url="https://example.com")
    assert answer.retry_after_s == wait_s
