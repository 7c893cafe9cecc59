"""Dependencies that read the query of a request for a resource or a list of them."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.included import check_include
from landform.api.jsonapi.query import (
    IncludeTree,
    ListQuery,
    Parameters,
    Query,
    check_characters,
    check_filter,
    read_fields,
    read_filters,
    read_include,
    read_page,
    read_sort,
)
from landform.api.jsonapi.shape import Shape


class QueryReader:
    """Reads `include` and `fields[…]`."""

    def __init__(self, dialect: Dialect[Any], shape: Shape, *, refuse: bool) -> None:
        self._dialect = dialect
        self._refuse = refuse
        self.shape = shape
        self.dialect_name = dialect.name

    async def __call__(self, request: Request) -> Query:
        """Read the query of `request`.

        Raises:
            QueryError: a parameter asks for what there is not.
        """
        parameters = request.query_params.multi_items()
        check_characters(parameters)
        return Query(
            status=_status(request),
            include=self.read_include(parameters),
            fields=read_fields(parameters, self._dialect.wire),
        )

    def read_include(self, parameters: Parameters) -> IncludeTree:
        """Read `include`, as far as it can be followed from this resource."""
        tree = read_include(parameters, self._dialect.wire)
        return check_include(tree, self.shape, self._dialect.shapes, refuse=self._refuse)


class ListQueryReader(QueryReader):
    """Reads `include`, `fields[…]`, `page[…]`, `sort` and the filters."""

    def __init__(
        self,
        dialect: Dialect[Any],
        shape: Shape,
        *,
        refuse: bool,
        sorts: Sequence[str],
        filters: Sequence[str],
    ) -> None:
        super().__init__(dialect, shape, refuse=refuse)
        for name in filters:
            check_filter(name)
        self.sorts = tuple(sorts)
        self.sort_keys = tuple(dialect.wire(key) for key in sorts)
        self.page_size = dialect.page_size
        self.filters = tuple(filters)

    async def __call__(self, request: Request) -> ListQuery:
        """Read the query of `request`.

        Raises:
            QueryError: a parameter asks for what there is not, or is not a number.
        """
        dialect, parameters = self._dialect, request.query_params.multi_items()
        check_characters(parameters)
        return ListQuery(
            status=_status(request),
            include=self.read_include(parameters),
            fields=read_fields(parameters, dialect.wire),
            url=dialect.origin(request) + request.url.path,
            parameters=parameters,
            page=read_page(
                parameters,
                size=dialect.page_size,
                size_max=dialect.page_size_max,
                limits=dialect.page_limits,
            ),
            sort=read_sort(parameters, self.sorts, dialect.wire),
            filters=read_filters(parameters),
            offered=frozenset(self.filters),
        )


def _status(request: Request) -> int:
    """Return the status that the route was declared with."""
    return getattr(request.scope.get("route"), "status_code", None) or 200
