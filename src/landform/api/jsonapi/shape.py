"""A declaration made ready: how a source object becomes a resource object, and fast.

Attributes that are plain columns are read with one `attrgetter` for all of them; the rest, which
are computed, may be absent or hold times, one by one.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from landform.api.jsonapi.declaration import (
    Attributes,
    Identifier,
    Reading,
    Relationship,
    ToMany,
    ToOne,
    as_function,
)
from landform.kit.clock import rfc3339

Wire: TypeAlias = Callable[[str], str]
Read: TypeAlias = Callable[[Any, Any], Any]
Linkages: TypeAlias = Mapping[tuple[str, str, str], Sequence[Identifier]]

_ABSENT: Final = object()


@dataclass(frozen=True)
class Attribute:
    """One attribute of a resource object.

    Attributes:
        name: in a document.
        kind: the declared type, without `UnsetType`.
        optional: it may be absent.
        column: the source's attribute, where it is nothing more than that; else empty.
        read: the value, of the source object and the context.
    """

    name: str
    kind: Any
    optional: bool
    column: str
    read: Read


@dataclass(frozen=True)
class Link:
    """One relationship of a resource object.

    Attributes:
        name: in a document.
        types: the related resource is of one of these.
        many: there may be any number of them.
        read: an id, an Identifier, None or UNSET; for many, the ids; None when only `load` knows.
        load: see `ToOne` and `ToMany`.
        eager: `load` also when the relationship is not included.
        related: the template of a link, or empty.
    """

    name: str
    types: tuple[str, ...]
    many: bool
    read: Read | None
    load: Callable[[Sequence[Any], Any], Awaitable[Mapping[str, Any]]] | None
    eager: bool
    related: str


@dataclass(frozen=True)
class Shape:
    """What the engine knows of one type of resource.

    Attributes:
        type: as documents name it.
        id_of: the id of a source object.
        source: the class of the source objects.
        attributes: in the order of their declaration.
        links: relationships by their name in a document.
        url: template of the resource's own link, or empty.
        by_ids: the source objects with these ids that the context's actor may see.
        prepare: called once with all objects about to be shown, to load what readers need.
        doc: what the resource is, for the OpenAPI document.
    """

    type: str
    id_of: Callable[[Any], str]
    source: type[Any] | None
    attributes: tuple[Attribute, ...]
    links: Mapping[str, Link]
    url: str = ""
    by_ids: Callable[[Sequence[str], Any], Awaitable[Iterable[Any]]] | None = None
    prepare: Callable[[Sequence[Any], Any], Awaitable[None]] | None = None
    doc: str = ""
    _whole: list["View"] = field(default_factory=list, repr=False, compare=False)

    def view(self, names: frozenset[str] | None) -> "View":
        """Return the writer of this type's objects that shows `names` only; None shows all."""
        if names is not None:
            return View(self, names)
        if not self._whole:
            self._whole.append(View(self, None))
        return self._whole[0]
