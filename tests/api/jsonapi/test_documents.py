from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from landform.api.jsonapi import (
    Attributes,
    Dialect,
    Identifier,
    Query,
    Resource,
    ToMany,
    ToOne,
    camel,
    reads,
)
from tests.api.jsonapi.shop import SHOP, Shop

TIME = "1965-08-01T12:30:15.123Z"


async def get(client: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_resource_is_shown_as_it_is_declared(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/books/book-1")
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert answer.json() == {
        "data": {
            "id": "book-1",
            "type": "books",
            "attributes": {
                "title": "Dune",
                "page-count": 612,
                "blurb": None,
                "binding": "hardcover",
                "published-at": TIME,
                "history": {"printed-at": TIME},
                "is-long": True,
                "copies-sold": 4,
                "permissions": {"can-lend": False, "lent-since": TIME},
                "result_count": 612,
            },
            "relationships": {
                "author": {
                    "data": {"type": "authors", "id": "author-1"},
                    "links": {"related": "/books/book-1/author"},
                },
                "sequel": {"data": {"type": "books", "id": "book-2"}},
                "lent-to": {"data": {"type": "authors", "id": "author-2"}},
                "fore-word": {"data": {"type": "chapters", "id": "chapter-1"}},
                "chapters": {
                    "data": [
                        {"type": "chapters", "id": "chapter-1"},
                        {"type": "chapters", "id": "chapter-2"},
                    ]
                },
                "tags": {
                    "data": [{"type": "tags", "id": "tag-1"}, {"type": "tags", "id": "tag-2"}]
                },
            },
            "links": {"self": "/books/book-1"},
        }
    }


async def test_a_relationship_to_nothing_is_null(client: httpx2.AsyncClient) -> None:
    relationships = (await get(client, "/books/book-4"))["data"]["relationships"]
    assert relationships["author"]["data"] is None
    assert relationships["lent-to"] == {"data": None}
    assert relationships["fore-word"] == {"data": None}
    assert relationships["chapters"] == {"data": []}


async def test_an_attribute_the_actor_may_not_see_is_absent(client: httpx2.AsyncClient) -> None:
    assert "price" not in (await get(client, "/books/book-1"))["data"]["attributes"]
    client.headers["authorization"] = "Bearer till"
    assert (await get(client, "/books/book-1"))["data"]["attributes"]["price"] == 7
    assert (await get(client, "/books/book-2"))["data"]["attributes"]["price"] is None


async def test_sparse_fields_leave_the_rest_out(client: httpx2.AsyncClient, shop: Shop) -> None:
    path = "/books/book-1?fields[books]=page_count,published-at,result_count,author"
    data = (await get(client, path))["data"]
    assert data["attributes"] == {"page-count": 612, "published-at": TIME, "result_count": 612}
    assert set(data["relationships"]) == {"author"}
    assert shop.loads["chapters"] == 0


async def test_empty_sparse_fields_show_the_bare_resource(client: httpx2.AsyncClient) -> None:
    data = (await get(client, "/books/book-1?fields[books]="))["data"]
    assert data == {
        "id": "book-1",
        "type": "books",
        "attributes": {},
        "links": {"self": "/books/book-1"},
    }


async def test_sparse_fields_of_an_included_type_do_not_touch_the_primary(
    client: httpx2.AsyncClient,
) -> None:
    document = await get(client, "/books/book-1?include=author&fields[authors]=nothing")
    assert document["data"]["attributes"]["title"] == "Dune"
    assert document["included"] == [{"id": "author-1", "type": "authors", "attributes": {}}]


class _Base(DeclarativeBase):
    pass


class _Page(_Base):
    __tablename__ = "page"
    id: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    book_id: Mapped[str | None]
    read_at: Mapped[datetime | None]

    @property
    def length(self) -> int:
        return len(self.text)


class _PageAttributes(Attributes[_Page]):
    text: str
    length: int
    read_at: datetime | None


async def test_a_row_of_sqlalchemy_is_shown_like_any_object() -> None:
    dialect = Dialect[None]("rows")
    pages = Resource[_Page, None](
        dialect, "pages", _PageAttributes, relationships=(ToOne("book", "books"),)
    )
    row = _Page(id="p1", text="Fear", book_id="b1", read_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert await pages.document(row, Query(), None) == {
        "data": {
            "id": "p1",
            "type": "pages",
            "attributes": {"text": "Fear", "length": 4, "read-at": "2026-01-02T00:00:00.000Z"},
            "relationships": {"book": {"data": {"type": "books", "id": "b1"}}},
        }
    }


@dataclass(slots=True)
class _Job:
    number: int
    started_by: str
    owner_id: str | UnsetType = UNSET


class _JobAttributes(Attributes[_Job]):
    started_by: str
    is_over: bool = reads(lambda job: job.number > 1)


async def test_a_camel_case_dialect_is_the_same_declaration() -> None:
    dialect = Dialect[None]("other", wire=camel)
    jobs = Resource[_Job, None](
        dialect,
        "job",
        _JobAttributes,
        key=lambda job: str(job.number),
        relationships=(ToOne("owner", "user"), ToMany("next_steps", "step", related="/x/{id}/s")),
        url=lambda job: f"/jobs/{job.number}",
    )
    assert await jobs.document(_Job(7, "me"), Query(), None) == {
        "data": {
            "id": "7",
            "type": "job",
            "attributes": {"startedBy": "me", "isOver": True},
            "relationships": {"nextSteps": {"links": {"related": "/x/7/s"}}},
            "links": {"self": "/jobs/7"},
        }
    }
    assert (await jobs.document(None, Query(), None))["data"] is None


def test_an_attribute_its_source_lacks_is_refused_when_declared() -> None:
    class Misspelt(Attributes[_Job]):
        startedby: str

    with pytest.raises(TypeError, match="startedby reads startedby, which _Job does not have"):
        Resource[_Job, None](Dialect[None]("x"), "job", Misspelt)


def test_a_relationship_its_source_lacks_is_refused_when_declared() -> None:
    with pytest.raises(TypeError, match="boss reads boss_id, which _Job does not have"):
        Resource[_Job, None](
            Dialect[None]("x"), "job", _JobAttributes, relationships=(ToOne("boss", "user"),)
        )


def test_a_value_in_the_place_of_a_reader_is_refused_when_declared() -> None:
    class Constant(Attributes[_Job]):
        started_by: str = "me"

    with pytest.raises(TypeError, match="it can only `reads"):
        Resource[_Job, None](Dialect[None]("x"), "job", Constant)


def test_a_loader_for_several_types_is_refused_when_declared() -> None:
    async def load(jobs: Any, context: None) -> dict[str, Any]:
        return {}

    link = ToOne[_Job, None]("owner", ("user", "team"), load=load)
    with pytest.raises(TypeError, match="give it ids, not a loader"):
        Resource[_Job, None](Dialect[None]("x"), "job", _JobAttributes, relationships=(link,))


def test_a_type_is_declared_once() -> None:
    dialect = Dialect[None]("x")
    Resource[_Job, None](dialect, "job", _JobAttributes)
    with pytest.raises(ValueError, match="x declares job twice"):
        Resource[_Job, None](dialect, "job", _JobAttributes)


def test_a_dialect_knows_which_types_it_only_names() -> None:
    assert SHOP.undeclared() == {"tags"}


def test_an_identifier_reads_type_first() -> None:
    assert Identifier("books", "b1") == Identifier(type="books", id="b1")
