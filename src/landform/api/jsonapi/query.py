"""What a request's query asks for: page, include, sort, sparse fields and filters.

Parameters that the dialect does not know are ignored: Terraform 1.11 sends
`TagBindings={+net+}` beside its real ones.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from landform.api.jsonapi.errors import QueryError
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page

IncludeTree: TypeAlias = Mapping[str, "IncludeTree"]
Parameters: TypeAlias = Sequence[tuple[str, str]]

E = TypeVar("E", bound=StrEnum)

_FILTER: Final = re.compile(r"(filter|search|q)((?:\[[^\[\]]*\])*)")
_FIELDS: Final = re.compile(r"fields\[([^\[\]]+)\]")
_PAGE_NUMBER: Final = "page[number]"
_PAGE_SIZE: Final = "page[size]"
_PAGE_OFFSET: Final = "page[offset]"
_PAGE_LIMIT: Final = "page[limit]"
_DIGITS_MAX: Final = 9


@dataclass(frozen=True)
class SortKey:
    """One key to order by, as the resource declared it."""

    name: str
    descending: bool = False


class Operator(StrEnum):
    """How a filter compares; a dialect with more ways to say it adds them here."""

    ONE_OF = "one of"
    MATCHES = "matches"


@dataclass(frozen=True)
class Filter:
    """One condition on a list; a row is shown when it meets all of them.

    Attributes:
        path: the field, outermost first: `("project", "id")`; empty for a search of everything.
        operator: how the field is compared with `values`.
        values: what to compare with, never empty.
    """

    path: tuple[str, ...]
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a request for one resource asks for beside the resource.

    Attributes:
        status: the status that the route declares for its success.
        include: relationships to show whole, as a tree of their names.
        fields: for a type, the names to show; a type that is not there shows all.
    """

    status: int = 200
    include: IncludeTree = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ListQuery(Query):
    """What a request for a list asks for.

    Attributes:
        url: of the list, without its query.
        parameters: as they were sent, for the links to the other pages.
        offered: the filters the resource declares; to ask for another is our own mistake.
    """

    url: str
    parameters: Parameters
    page: Page
    sort: tuple[SortKey, ...] = ()
    filters: tuple[Filter, ...] = ()
    offered: frozenset[str] = frozenset()

    def values(self, name: str) -> tuple[str, ...]:
        """Return what `name`, such as `filter[status]`, lists between commas; () if absent.

        Raises:
            LookupError: the resource does not declare that filter.
        """
        texts = (text for condition in self._named(name) for text in condition.values)
        return tuple(value for text in texts for part in text.split(",") if (value := part.strip()))

    def members(self, name: str, kind: type[E]) -> list[E]:
        """Return what `name` lists as members of `kind`; [] if absent.

        Raises:
            InvalidError: one of them is none.
            LookupError: the resource does not declare that filter.
        """
        try:
            return [kind(value) for value in self.values(name)]
        except ValueError as unknown:
            raise InvalidError(f"{unknown}; {name} takes {', '.join(kind)}.") from None

    def text(self, name: str) -> str:
        """Return the whole text of `name`, such as `search[name]`; empty if absent.

        Raises:
            LookupError: the resource does not declare that filter.
        """
        return next((",".join(condition.values) for condition in self._named(name)), "")

    def groups(self, name: str) -> list[dict[str, str]]:
        """Return the numbered groups under `name`, in the order of their numbers.

        `filter[tagged][0][key]=env&filter[tagged][0][value]=prod`, declared as
        `filter[tagged][][key]` and `filter[tagged][][value]`, is
        `[{"key": "env", "value": "prod"}]`.

        Raises:
            LookupError: the resource declares no such groups.
        """
        if not any(offered.startswith(f"{name}[]") for offered in self.offered):
            raise LookupError(f"{name}[] is not declared.")
        _, above = _filter_key(name) or ("", ())
        groups: dict[int, dict[str, str]] = {}
        for condition in self.filters:
            match condition.path[len(above) :]:
                case (number, key) if condition.path[: len(above)] == above and _counts(number):
                    groups.setdefault(int(number), {})[key] = condition.values[0]
        return [groups[number] for number in sorted(groups)]

    def page_link(self, number: int) -> str:
        """Return this list's URL at another page."""
        paging = {_PAGE_NUMBER: str(number), _PAGE_SIZE: str(self.page.size)}
        said = {*paging, _PAGE_OFFSET, _PAGE_LIMIT}
        kept = [pair for pair in self.parameters if pair[0] not in said]
        return f"{self.url}?{urlencode([*kept, *paging.items()], quote_via=quote)}"

    def _named(self, name: str) -> list[Filter]:
        if name not in self.offered:
            raise LookupError(f"{name} is not declared.")
        key = _filter_key(name)
        return [
            condition for condition in self.filters if (condition.operator, condition.path) == key
        ]


def check_characters(parameters: Parameters) -> None:
    """Refuse a NUL character, which PostgreSQL takes in no text.

    Raises:
        QueryError: there is one.
    """
    for name, text in parameters:
        if "\0" in name or "\0" in text:
            raise QueryError(
                "A parameter may not hold a NUL character (%00).",
                parameter=name.replace("\0", ""),
            )


def check_filter(name: str) -> None:
    """Refuse a declared filter that no parameter could match.

    Raises:
        TypeError: `name` is not of the form `filter[a][b]`, `search[a]` or `q`.
    """
    if _filter_key(name) is None:
        raise TypeError(f"{name} is no filter; one is such as filter[a][b], search[a] or q.")


def read_include(parameters: Parameters, wire: Callable[[str], str]) -> IncludeTree:
    """Read `include=plan,run_events.actor`; `run_events` and `run-events` are the same name."""
    tree: dict[str, Any] = {}
    for path in _listed(parameters, "include"):
        level = tree
        for name in path.split("."):
            level = level.setdefault(wire(name), {})
    return tree


def read_fields(parameters: Parameters, wire: Callable[[str], str]) -> dict[str, frozenset[str]]:
    """Read `fields[runs]=status,plan`, which names attributes and relationships alike."""
    fields: dict[str, frozenset[str]] = {}
    for name, text in parameters:
        if (match := _FIELDS.fullmatch(name)) is not None:
            asked = frozenset(wire(part.strip()) for part in text.split(",") if part.strip())
            kind = wire(match[1])
            fields[kind] = fields.get(kind, frozenset()) | asked
    return fields


def read_page(parameters: Parameters, *, size: int, size_max: int, limits: bool = False) -> Page:
    """Read `page[number]` and `page[size]`; a size above `size_max` is served as `size_max`.

    Args:
        limits: read `page[offset]` and `page[limit]` too.

    Raises:
        QueryError: one of them is not a positive whole number, or an offset is within a page.
    """
    sent = dict(parameters)
    if limits:
        sent.setdefault(_PAGE_SIZE, sent.get(_PAGE_LIMIT, ""))
    rows = min(_positive(sent, _PAGE_SIZE, size), size_max)
    offset = sent.get(_PAGE_OFFSET, "") if limits else ""
    if offset in ("", "0"):
        return Page(_positive(sent, _PAGE_NUMBER, 1), rows)
    skipped = _positive(sent, _PAGE_OFFSET, 0)
    if skipped % rows:
        raise QueryError(
            f"{_PAGE_OFFSET} is {skipped}; it is a multiple of the page's size, {rows}.",
            parameter=_PAGE_OFFSET,
        )
    return Page(skipped // rows + 1, rows)


def read_sort(
    parameters: Parameters, keys: Iterable[str], wire: Callable[[str], str]
) -> tuple[SortKey, ...]:
    """Read `sort=-created-at,name` from the declared `keys`.

    Raises:
        QueryError: a key is not declared.
    """
    by_wire = {wire(key): key for key in keys}
    asked = []
    for text in _listed(parameters, "sort"):
        key = by_wire.get(wire(text.removeprefix("-")))
        if key is None:
            offered = ", ".join(by_wire) or "nothing"
            raise QueryError(
                f"Cannot sort by {text.removeprefix('-')}; this list sorts by {offered}.",
                parameter="sort",
            )
        asked.append(SortKey(key, descending=text.startswith("-")))
    return tuple(asked)


def read_filters(parameters: Parameters) -> tuple[Filter, ...]:
    """Read `filter[project][id]=a,b` as "one of" and `search[name]=x` or `q=x` as "matches"."""
    filters = []
    for name, text in parameters:
        key = _filter_key(name)
        if key is None:
            continue
        operator, path = key
        whole = operator is Operator.MATCHES or any(_counts(part) for part in path)
        values = (text,) if whole else tuple(part.strip() for part in text.split(","))
        filters.append(Filter(path, operator, values))
    return tuple(filters)


def _filter_key(name: str) -> tuple[Operator, tuple[str, ...]] | None:
    match = _FILTER.fullmatch(name)
    if match is None:
        return None
    path = tuple(match[2][1:-1].split("][")) if match[2] else ()
    return (Operator.ONE_OF if match[1] == "filter" else Operator.MATCHES), path


def _counts(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX


def _listed(parameters: Parameters, name: str) -> list[str]:
    texts = (part for key, text in parameters if key == name for part in text.split(","))
    return [part.strip() for part in texts if part.strip()]


def _positive(sent: Mapping[str, str], name: str, default: int) -> int:
    text = sent.get(name, "")
    if not text:
        return default
    if _counts(text) and int(text) > 0:
        return int(text)
    raise QueryError(f"{name} is {text!r}; it is a whole number from 1.", parameter=name)
