"""Forms: read whole, within bounds, and only when one of our own pages sent them."""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from landform.edge.deps import read_body
from landform.kit.errors import (
    ConflictError,
    InvalidError,
    MalformedError,
    TooLargeError,
    UnauthenticatedError,
)
from landform.web.pages import CurrentSession, CurrentVisitor, SendBackError, Visitor

T = TypeVar("T")

_LIMIT_BYTES: Final = 2 * 2**20
_FIELDS: Final = 5000
# What the page that a form is on can say. That one may not do it is an answer of its own.
REFUSALS: Final = (ConflictError, InvalidError, TooLargeError, UnauthenticatedError)


class Form:
    """The fields of one form."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """Return a field as one line of text; browsers end lines with CR LF, we with LF."""
        return self._fields.get(name, [default])[-1].replace("\r\n", "\n")

    def line(self, name: str, default: str = "") -> str:
        """Return a field without space around it."""
        return self.text(name, default).strip()

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field that say something."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def flag(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return name in self._fields

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self._fields.get(name, [])


async def _own_form(request: Request, visitor: CurrentVisitor) -> Form:
    return await _read(request, visitor)


async def _own_form_alone(request: Request, visitor: CurrentSession) -> Form:
    return await _read(request, visitor)


async def _read(request: Request, visitor: Visitor) -> Form:
    form = await read_form(request)
    visitor.require_own_form(form.text("form_token"))
    return form


async def read_form(request: Request) -> Form:
    """Read a form that anybody may have sent; who takes it says whose it must be.

    Raises:
        MalformedError: it is no form.
        TooLargeError: it is past what a form may be.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise MalformedError("Forms are sent as application/x-www-form-urlencoded.")
    body = await read_body(request, limit_bytes=_LIMIT_BYTES)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise MalformedError("The form cannot be read.") from None
    return Form(fields)


OwnForm = Annotated[Form, Depends(_own_form)]

# For what reads or writes the object store, which must not happen inside a transaction.
FormAlone = Annotated[Form, Depends(_own_form_alone)]


@contextmanager
def refusals_to(path: str) -> Iterator[None]:
    """Have what a service refuses said by the page at `path`; nothing of it is kept."""
    try:
        yield
    except REFUSALS as failure:
        raise SendBackError(path, str(failure)) from None


async def attempt(session: AsyncSession, call: Awaitable[T]) -> tuple[T | None, str]:
    """Await `call`; return what it gives, or why it was refused, with what it wrote undone."""
    try:
        async with session.begin_nested():
            return await call, ""
    except REFUSALS as failure:
        return None, str(failure)
