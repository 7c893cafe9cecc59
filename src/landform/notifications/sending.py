"""One attempt to tell one destination: bounded in time and size, and never by way of a redirect."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec

from landform.kit.egress import Answer, Bounds
from landform.kit.errors import InvalidError, LandformError, UnavailableError
from landform.notifications.models import Destination
from landform.notifications.payloads import Story, body_of, mail_of
from landform.notifications.post import Post

SIGNATURE: Final = "x-tfe-notification-signature"
_BOUNDS: Final = Bounds(total_s=10.0, connect_s=5.0, body_bytes=4096, cuts=True)
_HEADERS: Final = 50
_HEADER_LIMIT: Final = 500  # characters
_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Who is told, with what is secret of it in clear.

    Attributes:
        addresses: of mail.
    """

    destination: Destination
    url: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    addresses: Sequence[str] = field(default=(), repr=False)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt.

    Attributes:
        code: of the answer; None when there was none, as there is none to mail.
        problem: why it did not succeed; or, of mail, who was left out.
        may_pass: trying again later may help.
        pause_s: for how long the receiver asked to be left alone.
    """

    is_delivered: bool
    code: int | None = None
    headers: dict[str, list[str]] = {}
    body: str = ""
    problem: str = ""
    may_pass: bool = False
    pause_s: float = 0.0


def sign(token: str, body: bytes) -> str:
    """Return the signature of a request: HMAC-SHA512 of the body in hexadecimal, as TFE's."""
    return hmac.new(token.encode(), body, hashlib.sha512).hexdigest()


async def send(post: Post, recipient: Recipient, story: Story) -> Heard:
    """Tell it, and return what came of that; a failure is an answer too."""
    try:
        if recipient.destination is Destination.EMAIL:
            return await _mail(post, recipient, story)
        return await _post(post, recipient, story)
    except UnavailableError as failure:
        return Heard(is_delivered=False, problem=str(failure), may_pass=True)
    except LandformError as failure:
        return Heard(is_delivered=False, problem=_hidden(str(failure), recipient))


async def _mail(post: Post, recipient: Recipient, story: Story) -> Heard:
    server = post.require_mail()
    if not recipient.addresses:
        raise InvalidError(
            "Nobody is left to be told: those who were named are gone, may not see the workspace's"
            " runs, or have no address."
        )
    noted = await server.send(mail_of(story, sender=server.sender), recipient.addresses)
    return Heard(is_delivered=True, problem=noted)


async def _post(post: Post, recipient: Recipient, story: Story) -> Heard:
    body = body_of(story, recipient.destination)
    headers: dict[str, str] = {}
    if recipient.token and recipient.destination is Destination.GENERIC:
        headers[SIGNATURE] = sign(recipient.token, body)
    answer = await post.http.request(
        "POST", recipient.url, headers=headers, json=msgspec.Raw(body), bounds=_BOUNDS
    )
    return _heard(answer, urlsplit(recipient.url).hostname or "It")


def _heard(answer: Answer, host: str) -> Heard:
    status = answer.status
    is_good = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    problem = "" if is_good else f"{host} answered {status}{_named(status)}."
    if is_redirect:
        problem = f"{problem} Redirects are not followed: set the address that it leads to."
    return Heard(
        is_delivered=is_good,
        code=status,
        headers={
            name[:_HEADER_LIMIT]: [value[:_HEADER_LIMIT]]
            for name, value in list(answer.headers.items())[:_HEADERS]
        },
        body=answer.body.decode(errors="replace").replace("\0", ""),
        problem=problem,
        may_pass=status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        pause_s=answer.retry_after_s,
    )


def _named(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _hidden(words: str, recipient: Recipient) -> str:
    """Keep the address of a chat out of what is shown: it is a secret."""
    return words.replace(recipient.url, "the address") if recipient.url else words
