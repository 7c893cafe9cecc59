"""A form that was refused is shown again by the page that it is on: as it was sent, and why not.

Macros of `layout/parts.html` ask for what their fields were sent with. Where a page has several
forms to fill in, all but one are named: `csrf("invite")`, and `of="invite"` for each of its fields.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from fastapi import Request, Response
from starlette.types import ASGIApp, Message

from landform.web.flash import Said

SENT: Final = "landform.sent"  # of a request's scope: the page is read to answer a refused form
FORM: Final = "of"  # the field that names a form
# What may be a secret is never put into a page; `url` is the address of a chat, which is one.
_SECRET: Final = re.compile(
    r"^url$|secret(?!_expires_at$)|private|password|token$|certificate|value|tfvars|code"
)
_OF_A_REQUEST: Final = (
    *("type", "asgi", "http_version", "scheme", "root_path"),
    *("headers", "client", "server"),
)


class Sent:
    """A form that was refused.

    Attributes:
        of: the name of the form; empty where its page has but one to fill in.
        wrong: what its wrong field is called in the page; empty where it is not one field.
        is_shown: the page has the form, and shows something that was typed into it, or says
            beside a field why that is wrong.
    """

    def __init__(self, fields: Mapping[str, list[str]], reason: str, pointer: str) -> None:
        self._fields = fields
        self.of = fields.get(FORM, [""])[-1]
        self.wrong = (self.of and pointer and f"{self.of}-{pointer}") or pointer
        self.said = Said("failed", reason)
        self.is_shown = False

    def text(self, name: str, default: str = "", of: str = "") -> str:
        """Return what was typed, or chosen; `default` for another form, and for secrets."""
        if of != self.of or name not in self._fields or _SECRET.search(name):
            return default
        self.is_shown = True
        return self._fields[name][-1].replace("\r\n", "\n")

    def ticks(self, name: str, of: str = "") -> list[str] | None:
        """Return the values of the ticked boxes of a name; None for another form."""
        return self._fields.get(name, []) if of == self.of else None

    def is_lost(self, name: str, of: str = "") -> bool:
        """Tell whether something was typed that is not put back."""
        typed = any(self._fields.get(name, []))
        return of == self.of and typed and _SECRET.search(name) is not None


async def show_again(request: Request, to: str, sent: Sent) -> Response | None:
    """Return the page at `to` with the form as it was sent; None when that does not show it."""
    path, _, query = to.partition("#")[0].partition("?")
    asked = {
        **{name: request.scope[name] for name in _OF_A_REQUEST if name in request.scope},
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "state": {},
        SENT: sent,
    }
    pages: ASGIApp = request.app.state.pages
    answer = Response()
    body = bytearray()

    async def take(part: Message) -> None:
        if part["type"] == "http.response.start":
            answer.status_code, answer.raw_headers = part["status"], list(part["headers"])
        else:
            body.extend(part.get("body", b""))

    await pages(asked, _nothing_more, take)
    answer.body = bytes(body)
    return answer if sent.is_shown else None


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
