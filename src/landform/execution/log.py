"""The two logs of a phase, fed by one stream: JSON lines for programs, text for people."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog

from landform.contract import ControlPlane, LogStream, LostLeaseError, PhaseJob
from landform.execution import messages, terminal
from landform.execution.patience import insist
from landform.execution.process import CUT
from landform.execution.redaction import Redactor
from landform.toolchain import places
from landform.toolchain.versions import Tool

log = structlog.get_logger()

BLOCK: Final = 256 << 10
"""Most bytes that go to the platform at once."""

_ROOM: Final = 4 << 20
_FOREVER_S: Final = float("inf")
_FRAMING: Final = bytes([2, 3])

# The platform's own way of keeping state is not the user's business.
_OUR_OWN: Final = (
    b'Successfully configured the backend "http"!',
    b"use this backend unless the backend configuration changes.",
)
_OUR_OWN_MESSAGE: Final = ("Initializing the backend", 'Successfully configured the backend "http"')


class Heard(NamedTuple):
    """What came, without secrets: messages, and lines that were none."""

    messages: list[dict[str, Any]]
    text: list[bytes]


class PhaseLog:
    """Both logs; what is written to them is without secrets and in order."""

    def __init__(
        self,
        job: PhaseJob,
        plane: ControlPlane,
        redactor: Redactor,
        *,
        every_s: float,
        on_lost: Callable[[], None],
    ) -> None:
        self._job = job
        self._redactor = redactor
        self._greeted = False
        programs = _Channel(job, plane, LogStream.JSON, every_s=every_s, on_lost=on_lost)
        # What an apply that died had made is read from the log for programs. Nobody may have seen
        # in the other that something is made before the platform knows of it.
        people = _Channel(
            job, plane, LogStream.TEXT, every_s=every_s, on_lost=on_lost, behind=programs
        )
        self._channels = {LogStream.JSON: programs, LogStream.TEXT: people}

    async def open(self) -> None:
        """Say what is run, before anything else is said.

        Command lines do not show the first three lines of an apply's log, taking them to be these,
        which the plan's log had already.
        """
        self._greeted = True
        name = "OpenTofu" if self._job.tool is Tool.TOFU else "Terraform"
        lines = (
            f"{name} v{self._job.version}",
            f"on {places.platform()}",
            f"Applying the plan of {self._job.run_id}",
        )
        await self._write(LogStream.JSON, [messages.line(text) for text in lines])
        await self._write(LogStream.TEXT, [text.encode() for text in lines])

    async def messages(self, lines: list[bytes], *, planning: bool) -> Heard:
        """Write what the tool says with `-json`; return it as it was written."""
        raw: list[bytes] = []
        text: list[bytes] = []
        heard = Heard([], [])
        for line in lines:
            message = messages.parse(line)
            if message is None:
                plain = self._plain(line)
                # Between messages an empty line belongs to a text that should have been one.
                if not plain.startswith(_OUR_OWN) and (plain or not self._greeted):
                    raw.append(plain)
                    text.append(plain)
                    heard.text.append(plain)
                continue
            if _is_our_own(message):
                continue
            # In this order: what is taken out of the middle of a secret would bring it together.
            clean, message = terminal.harmless_json(line, message)
            clean, message = self._redactor.in_json(clean, message)
            heard.messages.append(message)
            raw.append(clean)
            if said := self._said(message, planning=planning):
                text.append(said.encode(errors="replace"))
        await self._write(LogStream.JSON, raw)
        await self._write(LogStream.TEXT, text)
        return heard

    async def plain(self, lines: list[bytes]) -> list[bytes]:
        """Write text to both logs and return it as it was written."""
        clean = [self._plain(line) for line in lines]
        await self._write(LogStream.JSON, clean)
        await self._write(LogStream.TEXT, clean)
        return clean

    async def for_people(self, lines: list[bytes]) -> None:
        """Write text that has its own form elsewhere for programs."""
        await self._write(LogStream.TEXT, [self._plain(line) for line in lines])

    async def close(self, *, patience_s: float) -> None:
        """Send what is left; what the platform does not take within `patience_s` is dropped."""
        await asyncio.gather(*(c.close(patience_s=patience_s) for c in self._channels.values()))

    def release(self) -> None:
        """Make nobody wait any more: what there is no room for is dropped."""
        for channel in self._channels.values():
            channel.release()

    def _plain(self, line: bytes) -> bytes:
        line = terminal.harmless(line)
        if line.endswith(CUT):
            return self._redactor.head(line.removesuffix(CUT)) + CUT
        return self._redactor.line(line)

    def _said(self, message: dict[str, Any], *, planning: bool) -> str:
        if message.get("type") == "version":
            if self._greeted:
                return ""
            self._greeted = True
        try:
            return messages.as_text(message, planning=planning)
        except messages.MALFORMED:
            return str(message["@message"])

    async def _write(self, stream: LogStream, lines: list[bytes]) -> None:
        if lines:
            data = b"\n".join(lines) + b"\n"
            await self._channels[stream].write(data.translate(None, _FRAMING))


def _is_our_own(message: dict[str, Any]) -> bool:
    text = str(message["@message"]).lstrip()
    return message.get("type") == "init_output" and text.startswith(_OUR_OWN_MESSAGE)


class _Channel:
    """One log: sent at once when it was quiet, in blocks when it is not."""

    def __init__(
        self,
        job: PhaseJob,
        plane: ControlPlane,
        stream: LogStream,
        *,
        every_s: float,
        on_lost: Callable[[], None],
        behind: "_Channel | None" = None,
    ) -> None:
        self._job = job
        self._plane = plane
        self._stream = stream
        self._every_s = every_s
        self._on_lost = on_lost
        self._behind = behind
        self._waiting = bytearray()
        self._offset = 0
        self._more = asyncio.Event()
        self._less = asyncio.Event()
        self._closing = asyncio.Event()
        self._dead = False
        self._released = False
        self._sender = asyncio.create_task(self._send())

    async def write(self, data: bytes) -> None:
        """Add `data`; waits while too much is waiting already."""
        if self._dead or (self._released and len(self._waiting) > _ROOM):
            return
        self._waiting += data
        self._more.set()
        while len(self._waiting) > _ROOM and not self._dead and not self._released:
            self._less.clear()
            await self._less.wait()

    def release(self) -> None:
        self._released = True
        self._less.set()

    async def sent(self) -> None:
        """Return as soon as the platform has all that was written until now, or never will."""
        end = self._offset + len(self._waiting)
        while self._offset < end and not self._dead:
            self._less.clear()
            await self._less.wait()

    async def close(self, *, patience_s: float) -> None:
        self._closing.set()
        self._more.set()
        await asyncio.wait([self._sender], timeout=patience_s)
        self._die()
        self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)

    async def _send(self) -> None:
        while not self._dead:
            await self._more.wait()
            self._more.clear()
            while self._waiting and not self._dead:
                full = len(self._waiting) >= BLOCK
                await self._block()
                if not full:
                    await self._pause()
            if self._closing.is_set():
                return

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._every_s):
                await self._closing.wait()

    async def _block(self) -> None:
        data = bytes(self._waiting[:BLOCK])
        offset = self._offset
        if self._behind is not None:
            await self._behind.sent()
        try:
            await insist(
                lambda: self._plane.append_log(self._job, self._stream, offset, data),
                patience_s=_FOREVER_S,
            )
        except LostLeaseError:
            self._die()
            self._on_lost()
            return
        except Exception:
            # Without its log a phase can go on; waiting for it, nobody would stop it.
            log.exception("The log was refused; the rest of it is lost", stream=self._stream)
            self._die()
            return
        # Only now: a block whose fate is unknown is sent again, from the same offset.
        self._offset += len(data)
        del self._waiting[: len(data)]
        self._less.set()

    def _die(self) -> None:
        self._dead = True
        self._waiting.clear()
        self._less.set()
