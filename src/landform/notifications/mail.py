"""Mail, through the server that an operator named."""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from landform.kit.errors import InvalidError, UnavailableError

_STEP_S: Final = 10.0  # for one answer of the server
_TOTAL_S: Final = 40.0
_PORTS: Final = {"smtp": 587, "smtps": 465}
_PERMANENT: Final = 500


class MailRefusedError(InvalidError):
    """The mail server does not take the mail, now or later."""


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        sender: what mail is from.
        is_implicit: TLS from the first byte on; else STARTTLS, where the server has it.
    """

    host: str
    port: int
    sender: str
    is_implicit: bool
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, sender: str) -> Self | None:
        """Read `smtp://USER:PASSWORD@HOST:PORT` or `smtps://…`; None when both are empty.

        Raises:
            InvalidError: it is neither, or one of both is missing.
        """
        if not url and not sender:
            return None
        wrong = InvalidError(
            "LANDFORM_SMTP_URL is smtp://HOST:PORT or smtps://HOST:PORT, with USER:PASSWORD@ before"
            " the host where the server asks for them."
        )
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise wrong from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise wrong
        if "@" not in parseaddr(sender)[1]:
            raise InvalidError(
                "LANDFORM_MAIL_FROM is the address that mail is from: landform@example.com."
            )
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            sender=sender,
            is_implicit=parts.scheme == "smtps",
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    async def send(self, mail: EmailMessage, to: Sequence[str]) -> str:
        """Hand in one mail for all of `to`, who do not see each other; return what is to be noted.

        Raises:
            MailRefusedError: the server does not take it.
            UnavailableError: the server does not answer, or asks to come again.
        """
        try:
            async with asyncio.timeout(_TOTAL_S):
                refused = await asyncio.to_thread(self._send, mail, to)
        except TimeoutError:
            raise UnavailableError(
                f"The mail server {self.host} took more than {_TOTAL_S:g} s."
            ) from None
        except smtplib.SMTPRecipientsRefused as failure:
            codes = [code for code, _ in failure.recipients.values()]
            raise self._explained(max(codes, default=0), "it takes none of the addresses") from None
        except smtplib.SMTPResponseException as failure:
            raise self._explained(failure.smtp_code, _said(failure.smtp_error)) from None
        except (smtplib.SMTPException, OSError) as failure:
            raise UnavailableError(
                f"The mail server {self.host} does not answer: {type(failure).__name__}."
            ) from None
        return f"{len(refused)} of {len(to)} addresses were refused." if refused else ""

    def _send(self, mail: EmailMessage, to: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        context = ssl.create_default_context()
        if self.is_implicit:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=_STEP_S, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_STEP_S)
        try:
            self._greet(server, context)
            sender = parseaddr(self.sender)[1]
            refused = server.send_message(mail, from_addr=sender, to_addrs=list(to))
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()  # what was taken is taken, however the server says goodbye
            return refused
        finally:
            server.close()

    def _greet(self, server: smtplib.SMTP, context: ssl.SSLContext) -> None:
        server.ehlo()
        if not self.is_implicit and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif not self.is_implicit and self.username:
            raise smtplib.SMTPResponseException(
                _PERMANENT, b"it has no STARTTLS, and a password is not sent in the clear"
            )
        if self.username:
            server.login(self.username, self.password)

    def _explained(self, code: int, said: str) -> InvalidError | UnavailableError:
        words = f"The mail server {self.host} refused ({code}): {said}."
        return MailRefusedError(words) if code >= _PERMANENT else UnavailableError(words)


def _said(text: bytes | str) -> str:
    plain = text.decode(errors="replace") if isinstance(text, bytes) else text
    return " ".join(plain.split())[:200].rstrip(".")
