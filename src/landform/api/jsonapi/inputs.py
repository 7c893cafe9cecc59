"""Inputs: what a route takes in its body, declared once and read from a request.

An input is a dependency: `body: Annotated[Body[CreateBook], Depends(CREATE_BOOK)]`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from landform.api.jsonapi.body import Body, Linkage, Linked
from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.errors import MEDIA_TYPE, wrong
from landform.api.jsonapi.typed import read_struct
from landform.kit.errors import MalformedError, TooLargeError

A = TypeVar("A", bound=msgspec.Struct)

Kinds = str | tuple[str, ...]

_INTEGER_MAX: Final = 2**63 - 1
_MEDIA_TYPES: Final = (MEDIA_TYPE, "application/json")


class AnyInput(Generic[A]):
    """What the three forms of body share.

    Attributes:
        name: of its schema in the OpenAPI document, after `dialect_name`.
        type: of the resource described; empty for an action.
        model: the structure that attributes are read into.
        one: to-one relationships by name, in snake_case, with the types they may be of.
        many: to-many relationships likewise.
        body_bytes: the largest body taken.
    """

    def __init__(
        self,
        dialect: Dialect[Any],
        kind: str,
        model: type[A],
        *,
        one: Mapping[str, Kinds] | None = None,
        many: Mapping[str, Kinds] | None = None,
        body_bytes: int | None = None,
    ) -> None:
        self.type = kind
        self.model = model
        self.one = dict(one or {})
        self.many = dict(many or {})
        self.body_bytes = dialect.body_bytes if body_bytes is None else body_bytes
        self.wire = dialect.wire
        self._depth = dialect.body_depth
        self.dialect_name = dialect.name
        self._spelled = {name: dialect.wire(name) for name in (*self.one, *self.many)}
        self.name = dialect.take(self, model.__name__)

    async def _value(self, request: Request) -> Any:
        """Return the body as plain JSON; None when it is empty."""
        raw = await _read(request, self.body_bytes)
        if not raw.strip():
            return None
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type and media_type not in _MEDIA_TYPES:
            raise MalformedError(
                f"The body is sent as {media_type}; send it as {' or '.join(_MEDIA_TYPES)}."
            )
        value = _decode(raw)
        _check(value, self._depth)
        return value

    def _body(self, value: Any, pointer: str) -> Body[A]:
        """Read one resource object.

        Raises:
            DocumentError: it is not what the input declares.
        """
        described = _object(value, pointer)
        kind = described.get("type") or ""
        if self.type and kind and kind != self.type:
            raise wrong(f"{pointer}/type", f"The type is {kind}; this takes {self.type}.")
        attributes = _object(described.get("attributes") or {}, f"{pointer}/attributes")
        return Body(
            read_struct(self.model, attributes, f"{pointer}/attributes"),
            id=str(described.get("id") or ""),
            relationships=self._relationships(described, pointer),
            spelled=self._spelled,
            pointer=pointer,
        )

    def _relationships(self, described: Mapping[str, Any], pointer: str) -> dict[str, Linked]:
        pointer = f"{pointer}/relationships"
        sent = _object(described.get("relationships") or {}, pointer)
        by_name = {self.wire(name): value for name, value in sent.items()}
        found: dict[str, Linked] = {}
        for name, spelled in self._spelled.items():
            value = by_name.get(spelled)
            if value is None:
                continue
            at = f"{pointer}/{spelled}"
            data = _object(value, at).get("data")
            if name in self.many:
                found[name] = tuple(
                    _linkage(each, self.many[name], f"{at}/data/{index}")
                    for index, each in enumerate(_list(data or [], f"{at}/data"))
                )
            else:
                one = self.one[name]
                found[name] = None if data is None else _linkage(data, one, f"{at}/data")
        return found


class Input(AnyInput[A]):
    """A body that describes one resource: `{"data": {"type": …, "attributes": {…}}}`.

    Unknown attributes and relationships, an absent `type` and what is `included` are ignored.
    """

    async def __call__(self, request: Request) -> Body[A]:
        """Read the body of `request`.

        Raises:
            MalformedError: it is not JSON, or not of this form.
            TooLargeError: it is past the limit of size or nesting.
            DocumentError: an attribute or a relationship is not what the input declares.
        """
        return self._body(_data(await self._value(request), "{…}"), "/data")


class ListInput(AnyInput[A]):
    """A body that describes several resources: `{"data": [{"type": …}, …]}`."""

    async def __call__(self, request: Request) -> tuple[Body[A], ...]:
        """Read the body of `request`; raises what `Input` raises."""
        data = _list(_data(await self._value(request), "[…]"), "/data")
        return tuple(self._body(each, f"/data/{index}") for index, each in enumerate(data))


class ActionInput(AnyInput[A]):
    """A body that says how to do an action: nothing, plain JSON, or attributes under `data`."""

    def __init__(
        self, dialect: Dialect[Any], model: type[A], *, body_bytes: int | None = None
    ) -> None:
        """Declare an action's input; each field of `model` has a default."""
        super().__init__(dialect, "", model, body_bytes=body_bytes)

    async def __call__(self, request: Request) -> A:
        """Read the body of `request`; raises what `Input` raises."""
        value = await self._value(request)
        value = {} if value is None else _object(value, "")
        if value.get("data") is not None:
            return self._body(value["data"], "/data").attributes
        return read_struct(self.model, value, "")


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    raw = bytearray()
    try:
        if size <= limit:
            async for chunk in request.stream():
                raw += chunk
                size = len(raw)
                if size > limit:
                    break
    except ClientDisconnect:
        raise MalformedError("The connection ended before the body did.") from None
    if size > limit:
        raise TooLargeError(f"The body is larger than {limit:,} bytes, the most taken here.")
    return bytes(raw)


def _decode(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise TooLargeError("The body is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as failure:
        raise MalformedError(f"The body is not JSON: {failure}.") from None


def _check(value: Any, depth: int) -> None:
    """Refuse what is valid JSON but no database or program should be handed.

    Raises:
        TooLargeError: it is nested more than `depth` deep.
        DocumentError: a text has a NUL, which PostgreSQL cannot hold, or a number 64 bits cannot.
    """
    waiting = [(value, "", 1)]
    while waiting:
        each, pointer, level = waiting.pop()
        if isinstance(each, str):
            if "\0" in each:
                raise wrong(pointer, "A text may not hold a NUL character (\\u0000).")
        elif isinstance(each, int):
            if abs(each) > _INTEGER_MAX:
                raise wrong(pointer, "A whole number has at most 64 bits.")
        elif isinstance(each, dict | list):
            if level > depth:
                raise TooLargeError(f"The body is nested more than {depth} deep.")
            waiting += ((below, f"{pointer}/{key}", level + 1) for key, below in _members(each))


def _members(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, list):
        yield from enumerate(value)
        return
    for name, each in value.items():
        # The name is a text too, and may be stored as one.
        yield name, name
        yield name, each


def _data(value: Any, form: str) -> Any:
    if not isinstance(value, dict) or value.get("data") is None:
        raise MalformedError(f'The body has no `data`; it is of the form {{"data": {form}}}.')
    return value["data"]


def _object(value: Any, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(pointer, f"{pointer or 'The body'} is an object: {{…}}.")
    return value


def _list(value: Any, pointer: str) -> list[Any]:
    if not isinstance(value, list):
        raise wrong(pointer, f"{pointer} is a list: […].")
    return value


def _linkage(value: Any, kinds: Kinds, pointer: str) -> Linkage:
    described = _object(value, pointer)
    kind, row_id = str(described.get("type") or ""), str(described.get("id") or "")
    allowed = (kinds,) if isinstance(kinds, str) else kinds
    if kind and kind not in allowed:
        raise wrong(f"{pointer}/type", f"The type is {kind}; this takes {' or '.join(allowed)}.")
    attributes = _object(described.get("attributes") or {}, f"{pointer}/attributes")
    if not row_id and not attributes:
        raise wrong(pointer, f"{pointer} needs an `id`.")
    return Linkage(kind, row_id, attributes, pointer)
