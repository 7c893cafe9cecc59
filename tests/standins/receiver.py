"""Receivers of notifications: one of HTTP, which answers 200 `ok`, and a mail server."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.standins.serving import Answer, Server


@contextmanager
def receiver() -> Iterator[Server]:
    """Yield a receiver; what it was sent is in `requests`, and `plan` makes it misbehave."""
    server = Server(lambda _: Answer(200, b"ok", {"Content-Type": "text/plain"}))
    try:
        yield server
    finally:
        server.close()


@dataclass
class Mail:
    """A mail as it was handed in."""

    sender: str
    to: list[str]
    message: EmailMessage


@dataclass
class MailBox:
    """A mail server without TLS.

    Attributes:
        refuses: addresses that it does not take.
        answer: sent instead of taking a mail, when it is not empty.
    """

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    answer: str = ""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


@contextmanager
def mail_server() -> Iterator[MailBox]:
    """Yield a mail server on a free port of loopback."""
    box = MailBox()
    handler = type("Handler", (_Handler,), {"box": box})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()


class _Handler(socketserver.StreamRequestHandler):
    """One conversation."""

    box: MailBox

    def handle(self) -> None:
        self._say("220 mail.test ESMTP")
        sender, to = "", list[str]()
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "MAIL":
                sender, to = _address(line), []
            if verb == "RCPT" and _address(line) in self.box.refuses:
                self._say("550 no such user")
            elif verb == "DATA":
                self._take(sender, to)
            else:
                to += [_address(line)] if verb == "RCPT" else []
                self._say("221 bye" if verb == "QUIT" else "250 mail.test")

    def _take(self, sender: str, to: list[str]) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        if not self.box.answer:
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.box.mails.append(Mail(sender, to, message))
        self._say(self.box.answer or "250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
