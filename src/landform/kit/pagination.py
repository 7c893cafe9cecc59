"""One page of a list, as every query that can be long takes and gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """One page of a list; `number` counts from 1, `size` is in rows."""

    number: int = 1
    size: int = 20

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.size

    def total_after(self, found: Sequence[object]) -> int | None:
        """Return how many rows all pages have, if this one's tell: nothing need be counted then."""
        if len(found) == self.size or (not found and self.number > 1):
            return None
        return self.offset + len(found)


@dataclass(frozen=True, kw_only=True)
class Paged(Generic[T]):
    """The rows of one page, and how many rows all pages have.

    Attributes:
        is_counted: `total` is how many there are; else there are more, and nobody counted them.
    """

    items: Sequence[T]
    total: int
    is_counted: bool = True


async def fetch_page(session: AsyncSession, wanted: Select[T], page: Page, *order: Any) -> Paged[T]:
    """Return `page` of the entities that `wanted` selects, ordered by `order`, and their count.

    `order` must end in something unique, else a row may be on two pages.
    """
    total = await session.scalar(select(func.count()).select_from(wanted.subquery()))
    rows = await session.scalars(wanted.order_by(*order).limit(page.size).offset(page.offset))
    return Paged(items=rows.all(), total=total or 0)
