from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest
from fastapi import FastAPI

from tests.api.jsonapi.shop import Author, Binding, Book, Chapter, Shop, make_app


@pytest.fixture
def app() -> FastAPI:
    return make_app()


@pytest.fixture
def shop(app: FastAPI) -> Shop:
    shop: Shop = app.state.shop
    day = datetime(1965, 8, 1, 12, 30, 15, 123456, UTC)
    shop.add(
        Author("author-1", "Frank"),
        Author("author-2", "Ursula"),
        Book(
            "book-1",
            "Dune",
            "author-1",
            page_count=612,
            binding=Binding.HARD,
            published_at=day,
            history={"printed-at": day},
            price=7,
            lent_to=("authors", "author-2"),
            sequel_id="book-2",
            tags=("tag-1", "tag-2"),
        ),
        Book("book-2", "Dune Messiah", "author-1", sequel_id="book-9"),
        Book("book-3", "The Dispossessed", "author-2", page_count=341, lent_to=("books", "book-1")),
        Book("book-4", "Anonymous"),
        Chapter("chapter-1", "book-1", "Arrakis"),
        Chapter("chapter-2", "book-1", "Muad'Dib"),
        Chapter("chapter-3", "book-3", "Anarres"),
    )
    return shop


@pytest.fixture
async def client(app: FastAPI, shop: Shop) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    base_url = "http://shop.test/api"
    async with httpx2.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client
