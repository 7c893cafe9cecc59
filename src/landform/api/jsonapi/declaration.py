"""The words a resource is declared in: attributes, to-one, to-many."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast, overload

from msgspec import UnsetType

T = TypeVar("T")
C = TypeVar("C")
V = TypeVar("V")

# What `T`, the source of a resource, and `C`, the dialect's context of a request, become. A name
# is that of an attribute of the source, and may have dots.
Reader: TypeAlias = str | Callable[[T], V] | Callable[[T, C], V]


class Identifier(NamedTuple):
    """What names one resource in a document."""

    type: str
    id: str


class Attributes(Generic[T]):
    """What is shown of a `T`: a subclass lists the attributes with their types.

    An attribute is read from the source's attribute of its own name, unless it `reads` another
    or is computed. One whose type allows `UnsetType` may be left out of a document. The class is
    a declaration and has no instances.

        class BookAttributes(Attributes[Book]):
            title: str
            published_at: datetime | None
            is_long: bool = reads(lambda book: book.page_count > 500)
            permissions: Permissions = reads(permissions_of)
    """


@dataclass(frozen=True)
class Reading:
    """Where an attribute comes from, when it is not the source's attribute of its own name."""

    source: str | Callable[..., Any]
    name: str


@overload
def reads(source: str, *, name: str = "") -> Any: ...
@overload
def reads(source: Callable[[Any], V], *, name: str = "") -> V: ...
@overload
def reads(source: Callable[[Any, Any], V], *, name: str = "") -> V: ...
def reads(source: str | Callable[..., Any], *, name: str = "") -> Any:
    """Say where an attribute comes from.

    Args:
        source: an attribute of the source object, which may have dots, or a function of the
            object, or of the object and the context.
        name: the name in a document, when the dialect's spelling of the Python name is not it.
    """
    return cast("Any", Reading(source, name))


@dataclass(frozen=True)
class ToOne(Generic[T, C]):
    """A relationship to one resource or none.

    Attributes:
        name: in snake_case; the dialect spells it.
        type: of the related resource; several when it may be of one type or another.
        id: of the related resource: text, None for none, UNSET to leave the relationship out;
            an `Identifier` when there are several types. By default the attribute `<name>_id`.
        load: the related objects by the id of their parent, for all parents at once; needed
            only where the id is not known (`id=None`) or the type has no `by_ids`.
        related: a link to the related resource; `{id}` stands for the parent's.
    """

    name: str
    type: str | tuple[str, ...]
    _: KW_ONLY
    id: Reader[T, str | Identifier | UnsetType | None, C] | None = ""
    load: Callable[[Sequence[T], C], Awaitable[Mapping[str, Any]]] | None = None
    related: str = ""


@dataclass(frozen=True)
class ToMany(Generic[T, C]):
    """A relationship to any number of resources.

    Attributes:
        name: in snake_case; the dialect spells it.
        type: of the related resources.
        ids: of the related resources, where the source knows them.
        load: the related objects by the id of their parent, for all parents at once.
        eager: load them to show at least their ids, even when they are not included.
        related: a link to the list; `{id}` stands for the parent's.
    """

    name: str
    type: str
    _: KW_ONLY
    ids: Reader[T, Iterable[str] | UnsetType, C] | None = None
    load: Callable[[Sequence[T], C], Awaitable[Mapping[str, Sequence[Any]]]] | None = None
    eager: bool = True
    related: str = ""


Relationship: TypeAlias = ToOne[T, C] | ToMany[T, C]


def as_function(source: str | Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Return a reader, however it was declared, as a function of object and context."""
    if isinstance(source, str):
        path = source.split(".")
        return lambda row, _: _follow(row, path)
    parameters = inspect.signature(source).parameters.values()
    needed = [each for each in parameters if each.default is each.empty]
    if len(needed) > 1:
        return source
    return lambda row, _: source(row)


def _follow(row: Any, path: Sequence[str]) -> Any:
    for name in path:
        row = getattr(row, name)
    return row
