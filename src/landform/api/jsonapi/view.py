"""Source objects written as resource objects, and fast.

What is a plain column is read together with all the others; what is computed, or may be absent,
one by one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET

from landform.api.jsonapi.declaration import Identifier
from landform.api.jsonapi.shape import Attribute, Link, Shape
from landform.kit.clock import rfc3339

# The ids behind a relationship that were loaded, by parent type, parent id and relationship.
Linkages: TypeAlias = Mapping[tuple[str, str, str], Sequence[Identifier]]

_SCALARS: Final = (
    msgspec.inspect.NoneType,
    msgspec.inspect.StrType,
    msgspec.inspect.DateTimeType,
)


class View:
    """Writes the objects of one type, with all their members or some."""

    def __init__(self, shape: Shape, names: frozenset[str] | None = None) -> None:
        """Make ready to show `names`, or all when there are None."""
        shown = [each for each in shape.attributes if names is None or each.key in names]
        columns = [each for each in shown if each.column]
        links = [link for name, link in shape.links.items() if names is None or name in names]
        simple = [link for link in links if link.column and not link.many and len(link.types) == 1]
        self._shape = shape
        self._names = tuple(each.name for each in columns)
        self._columns = _getter([each.column for each in columns])
        self._times = tuple(_with_times(columns))
        self._computed = tuple((a.name, a.read, _writer(a)) for a in shown if not a.column)
        self._simple_links = tuple((each.name, each.types[0], each.related) for each in simple)
        self._ids = _getter([each.column for each in simple])
        self._links = tuple(link for link in links if link not in simple)

    def write(self, row: Any, context: Any, linkages: Linkages) -> dict[str, Any]:
        """Return `row` as a resource object."""
        shape = self._shape
        row_id = shape.id_of(row)
        attributes = dict(zip(self._names, self._columns(row), strict=True))
        for name, write in self._times:
            attributes[name] = write(attributes[name])
        for name, read, write in self._computed:
            value = read(row, context)
            if value is not UNSET:
                attributes[name] = write(value)
        document = {"id": row_id, "type": shape.type, "attributes": attributes}
        if relationships := self._relationships(row, row_id, context, linkages):
            document["relationships"] = relationships
        if shape.url is not None:
            document["links"] = {"self": shape.url(row, row_id)}
        return document

    def _relationships(
        self, row: Any, row_id: str, context: Any, linkages: Linkages
    ) -> dict[str, Any]:
        relationships: dict[str, Any] = {}
        for (name, kind, related), each in zip(self._simple_links, self._ids(row), strict=True):
            # Written out, for this is most of the time that a long list takes.
            if each is UNSET:
                continue
            data = None if each is None else {"id": each, "type": kind}
            shown: dict[str, Any] = {"data": data}
            if related:
                shown["links"] = {"related": related.replace("{id}", row_id)}
            relationships[name] = shown
        for link in self._links:
            if shown := self._relationship(link, row, row_id, context, linkages):
                relationships[link.name] = shown
        return relationships

    def _relationship(
        self, link: Link, row: Any, row_id: str, context: Any, linkages: Linkages
    ) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        found: Sequence[Identifier] | None
        if link.read is not None:
            value = link.read(row, context)
            if value is UNSET:
                return {}
            found = identifiers(link, value)
        else:
            found = linkages.get((self._shape.type, row_id, link.name))
        if found is not None:
            data = [each._asdict() for each in found]
            shown["data"] = data if link.many else next(iter(data), None)
        if link.related:
            shown["links"] = {"related": link.related.replace("{id}", row_id)}
        return shown


def identifiers(link: Link, value: Any) -> list[Identifier]:
    """Return what `link.read` gave as identifiers."""
    if value is UNSET or value is None:
        return []
    if link.many:
        return [Identifier(link.types[0], each) for each in value]
    return [value if isinstance(value, Identifier) else Identifier(link.types[0], value)]


def _getter(columns: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads `columns` of an object, as a tuple.

    A row of SQLAlchemy keeps what is loaded in its `__dict__`, under the names of its attributes,
    and takes ten times as long to give it through them.
    """
    if not columns:
        return lambda _: ()
    # Twice the first, for a getter of one name gives no tuple.
    names = (columns[0], *columns)
    from_dict, from_attributes = itemgetter(*names), attrgetter(*names)

    def read(row: Any) -> tuple[Any, ...]:
        try:
            values: tuple[Any, ...] = from_dict(row.__dict__)
        except (AttributeError, KeyError):  # slots, a property, or not loaded
            values = from_attributes(row)
        return values[1:]

    return read


def _with_times(columns: Sequence[Attribute]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    for each in columns:
        if (write := _writer(each)) is not _as_it_is:
            yield each.name, write


def _writer(attribute: Attribute) -> Callable[[Any], Any]:
    """Return what turns the times in a value of this type into text, and leaves the rest."""
    kind = msgspec.inspect.type_info(attribute.kind)
    if not _holds_times(kind):
        return _as_it_is
    parts = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    return _time if all(isinstance(part, _SCALARS) for part in parts) else _times_inside


def _as_it_is(value: Any) -> Any:
    return value


def _time(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value


def _times_inside(value: Any) -> Any:
    return _written(msgspec.to_builtins(value, builtin_types=(datetime,)))


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _written(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    return _time(value)


def _holds_times(kind: Any, above: tuple[Any, ...] = ()) -> bool:
    """Tell whether a type, as `msgspec.inspect` describes it, has a time anywhere inside."""
    if isinstance(kind, msgspec.inspect.DateTimeType):
        return True
    below = [getattr(kind, name, None) for name in ("item_type", "key_type", "value_type", "type")]
    below += getattr(kind, "types", ()) or ()
    below += getattr(kind, "item_types", ()) or ()
    if kind not in above:  # a structure may contain itself
        below += [each.type for each in getattr(kind, "fields", ())]
    inner = (*above, kind)
    return any(
        _holds_times(each, inner)
        for each in below
        if isinstance(each, msgspec.inspect.Type) and each not in above
    )
