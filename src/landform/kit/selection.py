"""Which rows of a list are wanted, and in which order, as a dialect read it from a query.

A domain says which of its columns can be asked for by which name; what is not among them cannot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, not_, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from landform.kit.errors import MalformedError

Columns: TypeAlias = Mapping[str, InstrumentedAttribute[Any]]


class Comparator(StrEnum):
    """How a field is compared with values."""

    EQUAL = "=="
    UNEQUAL = "!="
    IN = "=in="
    OUT = "=out="
    LESS = "=lt="
    AT_MOST = "=le="
    GREATER = "=gt="
    AT_LEAST = "=ge="
    IS_NULL = "=isnull="


@dataclass(frozen=True)
class Comparison:
    """One field compared with values.

    Attributes:
        values: never empty; where the comparator takes one, the first counts. With EQUAL and
            UNEQUAL a `*` stands for any text.
        shown: the field's name, as the client wrote it.
    """

    field: str
    comparator: Comparator
    values: tuple[str, ...]
    shown: str


@dataclass(frozen=True)
class All:
    """Every one of the conditions holds."""

    of: "tuple[Condition, ...]"


@dataclass(frozen=True)
class OneOf:
    """At least one of the conditions holds."""

    of: "tuple[Condition, ...]"


Condition: TypeAlias = Comparison | All | OneOf


@dataclass(frozen=True)
class Selection:
    """What a client wants of a list.

    Attributes:
        condition: None for all.
        order: names of fields, those that come last first in the order turned by a `-`.
    """

    condition: Condition | None = None
    order: Sequence[str] = ()


EVERYTHING: Final = Selection()


def narrowed(query: Select[Any], selection: Selection, columns: Columns) -> Select[Any]:
    """Return `query` narrowed to what is wanted.

    Raises:
        MalformedError: a value is not of the field's kind, or cannot be compared so.
    """
    if selection.condition is None:
        return query
    return query.where(_where(selection.condition, columns))


def ordering(selection: Selection, columns: Columns) -> list[Any]:
    """Return what to order by, which is not unique yet."""
    found = []
    for name in selection.order:
        column = columns[name.removeprefix("-")]
        found.append(column.desc() if name.startswith("-") else column.asc())
    return found


def _where(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    match condition:
        case All(of):
            return and_(true(), *(_where(each, columns) for each in of))
        case OneOf(of):
            return or_(*(_where(each, columns) for each in of))
        case Comparison():
            return _COMPARED[condition.comparator](columns[condition.field], condition)


def _equal(column: Any, asked: Comparison) -> ColumnElement[bool]:
    text = asked.values[0]
    if "*" in text and column.type.python_type is str:
        escaped = text
        for special in ("\\", "%", "_"):
            escaped = escaped.replace(special, "\\" + special)
        matched: ColumnElement[bool] = column.like(escaped.replace("*", "%"), escape="\\")
        return matched
    same: ColumnElement[bool] = column == _value(column, text, asked)
    return same


def _unequal(column: Any, asked: Comparison) -> ColumnElement[bool]:
    """Null is unequal to everything, as it is to whoever reads the list."""
    return or_(column.is_(None), not_(_equal(column, asked)))


def _among(column: Any, asked: Comparison) -> ColumnElement[bool]:
    among: ColumnElement[bool] = column.in_([_value(column, each, asked) for each in asked.values])
    return among


def _outside(column: Any, asked: Comparison) -> ColumnElement[bool]:
    return or_(column.is_(None), not_(_among(column, asked)))


def _is_null(column: Any, asked: Comparison) -> ColumnElement[bool]:
    """Compare with null; an empty text is shown as none, and is none here too."""
    none: ColumnElement[bool] = column.is_(None)
    if column.type.python_type is str:
        none = or_(none, column == "")
    return none if _truth(asked.values[0], asked) else not_(none)


def _ranged(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Comparison], ColumnElement[bool]]:
    def where(column: Any, asked: Comparison) -> ColumnElement[bool]:
        if column.type.python_type is bool:
            raise MalformedError(f"{asked.shown} is true or false; it has no {asked.comparator}.")
        compared: ColumnElement[bool] = compare(column, _value(column, asked.values[0], asked))
        return compared

    return where


_COMPARED: Final[Mapping[Comparator, Callable[[Any, Comparison], ColumnElement[bool]]]] = {
    Comparator.EQUAL: _equal,
    Comparator.UNEQUAL: _unequal,
    Comparator.IN: _among,
    Comparator.OUT: _outside,
    Comparator.LESS: _ranged(lambda column, value: column < value),
    Comparator.AT_MOST: _ranged(lambda column, value: column <= value),
    Comparator.GREATER: _ranged(lambda column, value: column > value),
    Comparator.AT_LEAST: _ranged(lambda column, value: column >= value),
    Comparator.IS_NULL: _is_null,
}


def _value(column: Any, text: str, asked: Comparison) -> Any:
    """Return `text` as the column keeps it.

    Raises:
        MalformedError: it is none of the column's values.
    """
    kind = column.type.python_type
    if kind is bool:
        return _truth(text, asked)
    try:
        if kind is datetime:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if issubclass(kind, Enum):
            return kind(text)
        if kind is int:
            return _whole(text)
    except ValueError:
        raise MalformedError(f"{asked.shown} is never {text[:80]!r}.") from None
    return text


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) >= 2**63:
        raise ValueError(text)
    return number


def _truth(text: str, asked: Comparison) -> bool:
    if text.lower() not in ("true", "false"):
        raise MalformedError(f"{asked.shown} is compared with true or false, not {text[:80]!r}.")
    return text.lower() == "true"


def matches(condition: Condition | None, read: Callable[[str], str]) -> bool:
    """Tell whether a condition holds for what is in no table, and is nothing but text.

    Args:
        read: the text of a field.

    Raises:
        MalformedError: it compares in a way that is not offered here.
    """
    match condition:
        case None:
            return True
        case All(of):
            return all(matches(each, read) for each in of)
        case OneOf(of):
            return any(matches(each, read) for each in of)
    text, asked = read(condition.field), condition
    match asked.comparator:
        case Comparator.EQUAL:
            return _is_like(text, asked.values[0])
        case Comparator.UNEQUAL:
            return not _is_like(text, asked.values[0])
        case Comparator.IN:
            return text in asked.values
        case Comparator.OUT:
            return text not in asked.values
        case Comparator.IS_NULL:
            return (text == "") == _truth(asked.values[0], asked)
        case other:
            raise MalformedError(f"{asked.shown} has no {other} here.")


def _is_like(text: str, pattern: str) -> bool:
    """Compare with a pattern by its parts: no expression that could take for ever is made of it."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *between, last = rest
    if not text.startswith(first) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last)
