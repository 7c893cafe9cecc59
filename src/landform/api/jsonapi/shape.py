"""A declaration made ready for use: what the engine knows of one type of resource."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from msgspec import UnsetType

from landform.api.jsonapi.declaration import (
    Attributes,
    Reading,
    Relationship,
    ToOne,
    as_function,
)

Wire: TypeAlias = Callable[[str], str]
Read: TypeAlias = Callable[[Any, Any], Any]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of a resource object.

    Attributes:
        name: in a document.
        key: the name as a query is understood to say it.
        kind: the declared type.
        column: the source's attribute, where it is nothing more than that; else empty.
        read: the value, of the source object and the context.
    """

    name: str
    key: str
    kind: Any
    column: str
    read: Read

    @property
    def optional(self) -> bool:
        """Whether a document may be without it."""
        return UnsetType in get_args(self.kind)


@dataclass(frozen=True, kw_only=True)
class Link:
    """One relationship of a resource object.

    Attributes:
        name: in a document.
        types: the related resource is of one of these.
        many: there may be any number of them.
        column: the source's attribute that is the id, where it is nothing more than that.
        read: an id, an Identifier, None or UNSET; for many, the ids; None when only `load` knows.
        load: see `ToOne` and `ToMany`.
        eager: `load` also when the relationship is not included.
        related: the template of a link, or empty.
    """

    name: str
    types: tuple[str, ...]
    many: bool
    column: str
    read: Read | None
    load: Callable[[Sequence[Any], Any], Awaitable[Mapping[str, Any]]] | None
    eager: bool
    related: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the engine knows of one type of resource.

    Attributes:
        type: as documents name it.
        key: the type as a query is understood to say it.
        id_of: the id of a source object.
        attributes: in the order of their declaration.
        links: relationships by their name in a document.
        url: the resource's own link, from the source object and its id; None for no link.
        by_ids: the source objects with these ids that the context's actor may see.
        prepare: called once with all objects about to be shown, to load what readers need.
        doc: what the resource is, for the OpenAPI document.
    """

    type: str
    key: str
    id_of: Callable[[Any], str]
    attributes: tuple[Attribute, ...]
    links: Mapping[str, Link]
    url: Callable[[Any, str], str] | None
    by_ids: Callable[[Sequence[str], Any], Awaitable[Iterable[Any]]] | None
    prepare: Callable[[Sequence[Any], Any], Awaitable[None]] | None
    doc: str


def read_attributes(declared: type[Attributes[Any]], wire: Wire) -> tuple[Attribute, ...]:
    """Return the attributes of a declaration.

    Raises:
        TypeError: one reads an attribute that the source does not have.
    """
    source = source_of(declared)
    found = []
    for name, kind in get_type_hints(declared, include_extras=True).items():
        reading = getattr(declared, name, None) or Reading(name, "")
        if not isinstance(reading, Reading):
            raise TypeError(f"{declared.__name__}.{name} is given a value; it can only `reads()`.")
        _check_source(source, reading.source, name)
        plain = isinstance(reading.source, str) and UnsetType not in get_args(kind)
        found.append(
            Attribute(
                name=reading.name or wire(name),
                key=wire(reading.name or name),
                kind=kind,
                column=str(reading.source) if plain else "",
                read=as_function(reading.source),
            )
        )
    return tuple(found)


def read_link(declared: Relationship[Any, Any], wire: Wire, source_type: Any) -> Link:
    """Return a relationship of `source_type` as the engine uses it.

    Raises:
        TypeError: it reads an attribute that the source does not have, or is of several types
            and loads objects, which do not tell their type.
    """
    source: Any
    if isinstance(declared, ToOne):
        types = (declared.type,) if isinstance(declared.type, str) else declared.type
        if len(types) > 1 and declared.load is not None:
            raise TypeError(f"{declared.name} is of several types: give it ids, not a loader.")
        source = f"{declared.name}_id" if declared.id == "" else declared.id
        eager = source is None
    else:
        types, source, eager = (declared.type,), declared.ids, declared.eager
    _check_source(source_type, source, declared.name)
    return Link(
        name=wire(declared.name),
        types=types,
        many=not isinstance(declared, ToOne),
        column=source if isinstance(source, str) else "",
        read=None if source is None else as_function(source),
        load=declared.load,
        eager=eager,
        related=declared.related,
    )


def source_of(declared: type[Any]) -> Any:
    """Return the `Book` of `Attributes[Book]`, or None where it is not said."""
    for parent in declared.__mro__:
        for base in getattr(parent, "__orig_bases__", ()):
            if get_origin(base) is Attributes:
                return get_args(base)[0]
    return None


def _check_source(source_type: Any, source: Any, name: str) -> None:
    """Refuse a reader that names what the source does not have; a type unknown is trusted."""
    if not isinstance(source, str) or not isinstance(source_type, type):
        return
    first = source.partition(".")[0]
    annotated = any(first in getattr(each, "__annotations__", {}) for each in source_type.__mro__)
    if not annotated and not hasattr(source_type, first):
        raise TypeError(f"{name} reads {source}, which {source_type.__name__} does not have.")
