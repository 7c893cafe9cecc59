"""Pages of a list, with addresses that keep what is searched for."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from landform.kit.pagination import Page


@dataclass(frozen=True)
class Pages:
    """Where in a list a page is.

    Attributes:
        query: what the address says besides the page's number.
        is_counted: there are no more rows than `total`.
    """

    path: str
    query: Mapping[str, str]
    page: Page
    total: int
    is_counted: bool = True

    @property
    def number(self) -> int:
        """Return the page's number, from 1."""
        return self.page.number

    @property
    def last(self) -> int:
        """Return the number of the last page."""
        return max(1, -(-self.total // self.page.size))

    @property
    def first_row(self) -> int:
        """Return the number of the page's first row, from 1."""
        return self.page.offset + 1

    @property
    def last_row(self) -> int:
        """Return the number of the page's last row."""
        return min(self.page.offset + self.page.size, self.total)

    def href(self, number: int) -> str:
        """Return the address of another page of the list."""
        return with_query(self.path, {**self.query, "page": str(number) if number > 1 else ""})


def with_query(path: str, query: Mapping[str, str]) -> str:
    """Return the address with those parts of the query that say something."""
    given = {key: value for key, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path
