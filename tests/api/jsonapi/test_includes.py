from typing import Any

import httpx2
import pytest

from landform.api.jsonapi import Dialect, Resource
from landform.api.jsonapi.reading import QueryReader
from tests.api.jsonapi.shop import Author, AuthorAttributes, Shop


async def included(client: httpx2.AsyncClient, path: str) -> list[str]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json().get("included", [])]


async def test_nothing_is_included_unasked(client: httpx2.AsyncClient) -> None:
    assert "included" not in (await client.get("/books/book-1")).json()


async def test_an_include_with_nothing_behind_it_is_an_empty_list(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get("/books/book-4?include=author")).json()["included"] == []


@pytest.mark.parametrize(
    ("include", "ids"),
    [
        ("author", ["author-1"]),
        ("fore_word", ["chapter-1"]),
        ("fore-word", ["chapter-1"]),
        ("chapters", ["chapter-1", "chapter-2"]),
        ("lent_to", ["author-2"]),
        ("author%2Cchapters", ["author-1", "chapter-1", "chapter-2"]),
        ("author,author, ,", ["author-1"]),
        ("sequel", ["book-2"]),
        ("sequel.author", ["book-2", "author-1"]),
        ("author.books", ["author-1", "book-2"]),
        ("lent-to.books.chapters", ["author-2", "book-3", "chapter-3"]),
    ],
)
async def test_what_is_asked_for_is_included_once(
    client: httpx2.AsyncClient, include: str, ids: list[str]
) -> None:
    assert await included(client, f"/books/book-1?include={include}") == ids


async def test_a_list_loads_each_relationship_once_for_all(
    client: httpx2.AsyncClient, shop: Shop
) -> None:
    path = "/books?include=author,chapters,sequel&page[size]=4"
    ids = await included(client, path)
    assert ids == ["author-1", "author-2", "chapter-1", "chapter-2", "chapter-3"]
    assert shop.loads["authors"] == 1
    assert shop.loads["chapters"] == 1
    assert shop.loads["sold"] == 1
    # book-2 is a sequel on the page already; only book-9, which there is not, is looked for.
    assert shop.loads["books"] == 1
    assert shop.loads["books by id"] == 1


async def test_a_primary_resource_is_not_included_again(client: httpx2.AsyncClient) -> None:
    assert await included(client, "/books?include=sequel&page[size]=4") == []


async def test_included_resources_are_prepared_and_linked_too(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/books/book-2?include=author.books")
    found: dict[str, Any] = {each["id"]: each for each in answer.json()["included"]}
    assert found["book-1"]["attributes"]["copies-sold"] == 4
    assert len(found["book-1"]["relationships"]["chapters"]["data"]) == 2
    linked = found["author-1"]["relationships"]["books"]["data"]
    assert [each["id"] for each in linked] == ["book-1", "book-2"]


async def test_a_to_many_that_is_not_eager_is_only_linked_when_included(
    client: httpx2.AsyncClient, shop: Shop
) -> None:
    answer = await client.get("/books/book-1?include=author")
    assert "relationships" not in answer.json()["included"][0]
    assert shop.loads["books of authors"] == 0


async def test_relationships_of_one_type_or_another_are_included_by_type(
    client: httpx2.AsyncClient,
) -> None:
    path = "/books?include=lent_to&sort=title&page[size]=4"
    # book-3 is lent to book-1, which is on the page.
    assert await included(client, path) == ["author-2"]


async def test_of_a_type_that_is_not_offered_yet_nothing_is_included(
    client: httpx2.AsyncClient,
) -> None:
    assert await included(client, "/books/book-1?include=tags") == []


@pytest.mark.parametrize(
    ("include", "named"),
    [
        ("editor", "editor. books can include "),
        ("author.editor", "author.editor. author can include books"),
        ("author..books", "author.. "),
        (".".join(["sequel"] * 6), "at most 5 deep"),
    ],
)
async def test_an_include_that_cannot_be_followed_is_refused(
    client: httpx2.AsyncClient, include: str, named: str
) -> None:
    answer = await client.get(f"/books/book-1?include={include}")
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["title"] == "invalid include parameter"
    assert error["source"] == {"parameter": "include"}
    # The words that go-tfe looks for.
    assert error["detail"].startswith("Invalid include parameter: ")
    assert named in error["detail"]


async def test_a_bad_include_is_refused_before_anything_is_done(
    client: httpx2.AsyncClient, shop: Shop
) -> None:
    body = {"data": {"attributes": {"title": "New"}}}
    answer = await client.post("/books?include=editor", json=body)
    assert answer.status_code == 400
    assert len(shop.books) == 4


def test_a_resource_may_ignore_unknown_includes() -> None:
    authors = Resource[Author, None](
        Dialect[None]("x"), "authors", AuthorAttributes, refuse_unknown_include=False
    )
    assert isinstance(authors.query, QueryReader)
    assert authors.query.read_include([("include", "editor,books.author")]) == {}
