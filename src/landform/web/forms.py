"""Forms: read whole, within bounds, and only when one of our own pages sent them."""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Annotated, Final, Self, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import ClientDisconnect

from landform.configurations.queries import NoConfigurationError
from landform.edge.deps import read_body
from landform.kit.errors import (
    ConflictError,
    InvalidError,
    LandformError,
    MalformedError,
    TooLargeError,
    UnauthenticatedError,
)
from landform.web.pages import CurrentSession, CurrentVisitor, SendBackError, Visitor

T = TypeVar("T")

_LIMIT_BYTES: Final = 2 * 2**20
_FIELDS: Final = 5000
# What the page that a form is on can say. That one may not do it is an answer of its own.
REFUSALS: Final = (
    *(ConflictError, InvalidError, TooLargeError, UnauthenticatedError),
    NoConfigurationError,
)


class Form:
    """The fields of one form."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self.fields = fields

    def text(self, name: str, default: str = "") -> str:
        """Return a field as one line of text; browsers end lines with CR LF, we with LF."""
        return self.fields.get(name, [default])[-1].replace("\r\n", "\n")

    def line(self, name: str, default: str = "") -> str:
        """Return a field without space around it."""
        return self.text(name, default).strip()

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field that say something."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def flag(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return name in self.fields

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self.fields.get(name, [])


async def _own_form(request: Request, visitor: CurrentVisitor) -> Form:
    return await _read(request, visitor)


async def _own_form_alone(request: Request, visitor: CurrentSession) -> Form:
    return await _read(request, visitor)


async def _read(request: Request, visitor: Visitor) -> Form:
    form = await read_form(request)
    visitor.require_own_form(form.text("form_token"))
    request.state.fields = form.fields  # for the page that shows it again
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
    try:
        body = await read_body(request, limit_bytes=_LIMIT_BYTES)
    except ClientDisconnect:  # who types on takes back what was asked of the text before
        raise MalformedError("The form was not sent to its end.") from None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise MalformedError("The form cannot be read.") from None
    return Form(fields)


OwnForm = Annotated[Form, Depends(_own_form)]

# For what reads or writes the object store, which must not happen inside a transaction.
FormAlone = Annotated[Form, Depends(_own_form_alone)]


class Refusal(str):
    """Why a form was refused; empty where it was not.

    Attributes:
        pointer: the field that is wrong; empty where it is not one field.
    """

    __slots__ = ("pointer",)
    pointer: str

    def __new__(cls, text: str = "", pointer: str = "") -> Self:
        """Make it of its text and of a JSON pointer, of which the last part is a field's name."""
        made = super().__new__(cls, text)
        made.pointer = pointer.rpartition("/")[2].replace("-", "_")
        return made

    @classmethod
    def of(cls, failure: LandformError) -> Self:
        """Return what the page says of a failure."""
        return cls(str(failure), failure.pointer)


@contextmanager
def refusals_to(
    path: str, *, at: str = "", names: Mapping[str, str] = MappingProxyType({})
) -> Iterator[None]:
    """Have what a service refuses said by the page at `path`, beside the field that is wrong.

    The form is shown as it was sent; nothing of it is kept.

    Args:
        at: the field that is wrong where the service does not say which.
        names: what the form calls a field, by what the service calls it.
    """
    try:
        yield
    except REFUSALS as failure:
        raise sent_back(path, failure, at=at, names=names) from None


def sent_back(
    path: str,
    failure: LandformError,
    *,
    at: str = "",
    names: Mapping[str, str] = MappingProxyType({}),
) -> SendBackError:
    """Return what has the page at `path` say `failure`, as `refusals_to` does."""
    field = Refusal.of(failure).pointer
    return SendBackError(path, str(failure), pointer=names.get(field, field) or at)


async def attempt(session: AsyncSession, call: Awaitable[T]) -> tuple[T | None, Refusal]:
    """Await `call`; return what it gives, or why it was refused, with what it wrote undone."""
    try:
        async with session.begin_nested():
            return await call, Refusal()
    except REFUSALS as failure:
        return None, Refusal.of(failure)
