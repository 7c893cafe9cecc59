"""A resource, declared once: how requests ask for it and how it is shown follow from that."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import msgspec
from starlette.responses import Response

from landform.api.jsonapi.declaration import Attributes, Relationship
from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.errors import MEDIA_TYPE
from landform.api.jsonapi.included import Gathering
from landform.api.jsonapi.query import ListQuery, Query
from landform.api.jsonapi.reading import ListQueryReader, QueryReader
from landform.api.jsonapi.shape import Shape, read_attributes, read_link, source_of
from landform.api.jsonapi.view import View
from landform.kit.errors import NotFoundError

T = TypeVar("T")
C = TypeVar("C")

_ENCODER: Final = msgspec.json.Encoder()


@dataclass(eq=False)
class Resource(Generic[T, C]):
    """One type of resource of a dialect: it shows objects of `T` with the help of a context `C`.

    To make one declares it. TypeError: the declaration does not fit its source or itself.

    Attributes:
        dialect: the API it belongs to.
        kind: the type, as documents name it.
        attributes: what is shown; its docstring describes the resource.
        key: the id in a document: an attribute of the object, or a function of it.
        relationships: to other types of the dialect, by name.
        url: a link to the resource itself: a template in which `{id}` stands for its id, or a
            function of the object; empty for no link.
        by_ids: the objects with these ids that the context's actor may see, so that other
            resources can include this one.
        prepare: called with all objects about to be shown, to load what readers need for them
            at once into the context.
        sorts: keys that a list takes in `sort`, in snake_case.
        filters: parameters that a list takes, such as `search[name]`, `filter[project][id]` or
            `filter[tagged][][key]`.
        refuse_unknown_include: answer 400 to an unknown `include`; else ignore it.
        query: the dependency that reads the query of a request for one.
        list_query: the dependency that reads the query of a request for a list.
    """

    dialect: Dialect[C]
    kind: str
    attributes: type[Attributes[T]]
    _: KW_ONLY
    key: str | Callable[[T], str] = "id"
    relationships: Sequence[Relationship[T, C]] = ()
    url: str | Callable[[T], str] = ""
    by_ids: Callable[[Sequence[str], C], Awaitable[Iterable[T]]] | None = None
    prepare: Callable[[Sequence[T], C], Awaitable[None]] | None = None
    sorts: Sequence[str] = ()
    filters: Sequence[str] = ()
    refuse_unknown_include: bool = True
    query: QueryReader = field(init=False)
    list_query: ListQueryReader = field(init=False)

    def __post_init__(self) -> None:
        """Make the declaration ready, and known to its dialect."""
        dialect, refuse = self.dialect, self.refuse_unknown_include
        source = source_of(self.attributes)
        links = [read_link(each, dialect.wire, source) for each in self.relationships]
        self._shape = Shape(
            type=self.kind,
            key=dialect.wire(self.kind),
            id_of=attrgetter(self.key) if isinstance(self.key, str) else self.key,
            attributes=read_attributes(self.attributes, dialect.wire),
            links={link.name: link for link in links},
            url=_url(self.url),
            by_ids=self.by_ids,
            prepare=self.prepare,
            doc=(self.attributes.__doc__ or "").strip(),
        )
        dialect.declare(self._shape)
        self._whole = View(self._shape)
        self.query = QueryReader(dialect, self._shape, refuse=refuse)
        self.list_query = ListQueryReader(
            dialect, self._shape, refuse=refuse, sorts=self.sorts, filters=self.filters
        )

    async def one(
        self, row: T | None, query: Query, context: C, *, meta: Mapping[str, Any] | None = None
    ) -> Response:
        """Answer with one resource, or with `data: null`, under the route's status."""
        return _answer(await self.document(row, query, context, meta=meta), query)

    async def many(
        self,
        rows: Sequence[T],
        query: ListQuery,
        context: C,
        *,
        total: int | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Response:
        """Answer with a page of resources, under the route's status.

        Args:
            rows: of this page, in order.
            total: rows on all pages; None when `rows` are all there are.
            meta: more members of the document's `meta`.
        """
        document = await self._document(rows, query, context)
        pages = _Pages(query, len(rows), total)
        document["links"] = pages.links()
        told = (
            {"page": pages.limits()}
            if self.dialect.page_limits
            else {"pagination": pages.meta(self.dialect.wire)}
        )
        document["meta"] = {**told, **(meta or {})}
        return _answer(document, query)

    async def linkage(self, row: T, name: str, query: Query, context: C) -> Response:
        """Answer with what a relationship of `row` links to, and nothing more of it.

        Raises:
            NotFoundError: there is no relationship `name`, or it is none that tells its ids.
        """
        link = self._shape.links.get(name)
        if link is None or (link.read is None and link.load is None):
            raise NotFoundError(f"{self.kind} has no relationship {name} that can be read.")
        gathering = Gathering(self.dialect.shapes, context, {self._shape.key: frozenset({name})})
        await gathering.gather(self._shape, [row], {name: {}})
        view = View(self._shape, frozenset({name}))
        shown = view.write(row, context, gathering.linkages)
        return _answer({"data": shown["relationships"][name]["data"]}, query)

    async def document(
        self, row: T | None, query: Query, context: C, *, meta: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what `one` answers, as plain data."""
        document = await self._document([] if row is None else [row], query, context)
        document["data"] = next(iter(document["data"]), None)
        if meta:
            document["meta"] = dict(meta)
        return document

    async def _document(self, rows: Sequence[T], query: Query, context: C) -> dict[str, Any]:
        gathering = Gathering(self.dialect.shapes, context, query.fields)
        await gathering.gather(self._shape, rows, query.include)
        linkages = gathering.linkages
        view = self._view(self._shape, query)
        document: dict[str, Any] = {"data": [view.write(row, context, linkages) for row in rows]}
        if query.include:
            views = {
                kind: self._view(self.dialect.shapes[kind], query)
                for kind in {each.type for each in gathering.included}
            }
            document["included"] = [
                views[each.type].write(row, context, linkages)
                for each, row in gathering.included.items()
            ]
        return document

    def _view(self, shape: Shape, query: Query) -> View:
        names = query.fields.get(shape.key)
        return self._whole if names is None and shape is self._shape else View(shape, names)


class _Pages:
    """The pages of a list, as its `meta` and `links` tell them."""

    def __init__(self, query: ListQuery, shown: int, total: int | None) -> None:
        self._query = query
        self._number = 1 if total is None else query.page.number
        self._size = max(shown, query.page.size) if total is None else query.page.size
        self._total = shown if total is None else total
        self._last = max(1, -(-self._total // self._size))
        self._prev = min(self._number - 1, self._last) or None
        self._next = self._number + 1 if self._number < self._last else None

    def meta(self, wire: Callable[[str], str]) -> dict[str, int | None]:
        return {
            wire("current_page"): self._number,
            wire("page_size"): self._size,
            wire("prev_page"): self._prev,
            wire("next_page"): self._next,
            wire("total_pages"): self._last,
            wire("total_count"): self._total,
        }

    def limits(self) -> dict[str, int]:
        return {
            "number": self._number,
            "limit": self._size,
            "totalPages": self._last,
            "totalRecords": self._total,
        }

    def links(self) -> dict[str, str | None]:
        link = self._query.page_link
        return {
            "self": link(self._number),
            "first": link(1),
            "prev": link(self._prev) if self._prev else None,
            "next": link(self._next) if self._next else None,
            "last": link(self._last),
        }


def _answer(document: Mapping[str, Any], query: Query) -> Response:
    return Response(_ENCODER.encode(document), query.status, media_type=MEDIA_TYPE)


def _url(declared: str | Callable[[Any], str]) -> Callable[[Any, str], str] | None:
    if callable(declared):
        return lambda row, _: declared(row)
    return (lambda _, row_id: declared.replace("{id}", row_id)) if declared else None
