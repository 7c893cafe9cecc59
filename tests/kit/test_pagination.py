from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.models import User
from landform.kit.pagination import Page, Paged, fetch_page
from tests.factories import make_user


async def _page(session: AsyncSession, page: Page) -> Paged[User]:
    return await fetch_page(session, select(User), page, func.lower(User.username))


async def test_pages_are_counted_from_one_and_know_the_whole(session: AsyncSession) -> None:
    for name in ("c", "A", "b", "e", "d"):
        await make_user(session, name)
    pages = [await _page(session, Page(number=number, size=2)) for number in (1, 2, 3, 4)]
    assert [[row.username for row in page.items] for page in pages] == [
        ["A", "b"],
        ["c", "d"],
        ["e"],
        [],
    ]
    assert [page.total for page in pages] == [5, 5, 5, 5]


async def test_an_empty_list_is_one_empty_page(session: AsyncSession) -> None:
    assert await _page(session, Page()) == Paged(items=[], total=0)
