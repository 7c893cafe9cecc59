import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from landform.api.jsonapi import Body, DocumentError, Linkage
from tests.api.jsonapi.shop import Shop, Tag

JSON_API = {"content-type": "application/vnd.api+json"}


async def send(
    client: httpx2.AsyncClient,
    body: Any,
    path: str = "/books",
    method: str = "POST",
    headers: dict[str, str] = JSON_API,
) -> httpx2.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.request(method, path, content=raw, headers=headers)


def faults(answer: httpx2.Response) -> dict[str, str]:
    assert answer.headers["content-type"] == "application/vnd.api+json"
    errors = answer.json()["errors"]
    assert {each["status"] for each in errors} == {str(answer.status_code)}
    return {each["source"]["pointer"]: each["detail"] for each in errors}


# Resources


async def test_a_resource_is_created_from_its_attributes(
    client: httpx2.AsyncClient, shop: Shop
) -> None:
    link = {"author": {"data": {"type": "authors", "id": "author-2"}}}
    attributes = {"title": "Lathe", "page-count": 184, "binding": "hardcover"}
    data = {"type": "books", "attributes": attributes, "relationships": link}
    answer = await send(client, {"data": data})
    assert answer.status_code == 201
    shown = answer.json()["data"]["attributes"]
    assert {name: shown[name] for name in attributes} == attributes
    assert shop.books["book-5"].author_id == "author-2"


@pytest.mark.parametrize("content_type", ["application/vnd.api+json", "application/json", None])
@pytest.mark.parametrize(
    "data",
    [
        {"type": "", "attributes": {"title": "Loose"}},
        {"attributes": {"title": "Loose", "unknown": [1]}, "included": 7},
        {"type": None, "id": "x", "attributes": {"title": "Loose"}, "relationships": None},
        {"attributes": {"title": "Loose"}, "relationships": {"author": None, "unknown": 3}},
        {"attributes": {"title": "Loose"}, "relationships": {"author": {"data": None}}},
    ],
)
async def test_what_a_loose_client_sends_is_understood(
    client: httpx2.AsyncClient, content_type: str | None, data: Any
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await send(client, {"data": data, "meta": {}}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"]["attributes"]["title"] == "Loose"


async def test_attributes_inside_a_linkage_are_read(client: httpx2.AsyncClient, shop: Shop) -> None:
    tags = [{"type": "tags", "attributes": {"name": "net"}}, {"type": "tags", "id": "tag-1"}]
    data = {"attributes": {"title": "Tagged"}, "relationships": {"tags": {"data": tags}}}
    assert (await send(client, {"data": data})).status_code == 201
    assert shop.books["book-5"].tags == ("net", "tag-1")


async def test_every_wrong_attribute_is_pointed_to(client: httpx2.AsyncClient) -> None:
    attributes = {"page-count": "many", "binding": "vellum", "reprints": [1965, "1970"]}
    answer = await send(client, {"data": {"attributes": attributes}})
    assert answer.status_code == 422
    assert faults(answer) == {
        "/data/attributes/title": "title: this is required.",
        "/data/attributes/page-count": "page-count: expected int, got str.",
        "/data/attributes/binding": "binding: invalid enum value 'vellum'; "
        "it is one of hardcover, paperback.",
        "/data/attributes/reprints/1": "reprints/1: expected int, got str.",
    }
    assert {each["title"] for each in answer.json()["errors"]} == {"invalid attribute"}


@pytest.mark.parametrize(
    ("attributes", "detail"),
    [
        ({"title": ""}, "title: expected str of length >= 1."),
        ({"title": "x" * 41}, "title: expected str of length <= 40."),
        ({"title": "x", "page-count": -1}, "page-count: expected int >= 0."),
        ({"title": None}, "title: expected str, got null."),
        ({"title": "x", "page-count": True}, "page-count: expected int, got bool."),
    ],
)
async def test_limits_of_an_attribute_are_told(
    client: httpx2.AsyncClient, attributes: dict[str, Any], detail: str
) -> None:
    answer = await send(client, {"data": {"attributes": attributes}})
    assert answer.status_code == 422
    assert list(faults(answer).values()) == [detail]


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"type": "authors", "attributes": {"title": "x"}}, "/data/type"),
        ({"attributes": ["title"]}, "/data/attributes"),
        ("a book", "/data"),
        ([{"attributes": {"title": "x"}}], "/data"),
        ({"attributes": {"title": "x"}, "relationships": [1]}, "/data/relationships"),
        (
            {"attributes": {"title": "x"}, "relationships": {"author": {"data": "me"}}},
            "/data/relationships/author/data",
        ),
        (
            {"attributes": {"title": "x"}, "relationships": {"author": {"data": {}}}},
            "/data/relationships/author/data",
        ),
        (
            {
                "attributes": {"title": "x"},
                "relationships": {"author": {"data": {"type": "books", "id": "book-1"}}},
            },
            "/data/relationships/author/data/type",
        ),
        (
            {"attributes": {"title": "x"}, "relationships": {"see_also": {"data": {"id": "b"}}}},
            "/data/relationships/see-also/data",
        ),
        (
            {
                "attributes": {"title": "x"},
                "relationships": {"tags": {"data": [{"attributes": {"name": 3}}]}},
            },
            "/data/relationships/tags/data/0/attributes/name",
        ),
        ({"attributes": {"title": "a\0b"}}, "/data/attributes/title"),
        ({"attributes": {"title": "x", "page-count": 2**70}}, "/data/attributes/page-count"),
    ],
)
async def test_a_wrong_part_of_a_body_is_pointed_to(
    client: httpx2.AsyncClient, shop: Shop, data: Any, pointer: str
) -> None:
    answer = await send(client, {"data": data})
    assert answer.status_code == 422
    assert list(faults(answer)) == [pointer]
    assert len(shop.books) == 4


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"{", "The body is not JSON: "),
        (b"\xff\xfe", "The body is not JSON: "),
        (b'{"data": NaN}', "The body is not JSON: "),
        (b"", "The body has no `data`"),
        (b"  \n", "The body has no `data`"),
        (b"{}", "The body has no `data`"),
        (b"[]", "The body has no `data`"),
        (b'{"data": null}', "The body has no `data`"),
    ],
)
async def test_a_body_of_another_form_is_malformed(
    client: httpx2.AsyncClient, raw: bytes, detail: str
) -> None:
    answer = await send(client, raw)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["detail"].startswith(detail)
    assert error["title"] == "bad request"


async def test_a_form_posted_by_a_page_is_not_taken(client: httpx2.AsyncClient) -> None:
    body = {"data": {"attributes": {"title": "Forged"}}}
    answer = await send(client, body, headers={"content-type": "text/plain; charset=UTF-8"})
    assert answer.status_code == 400
    assert "text/plain; send it as application/vnd.api+json" in answer.text


async def test_a_body_past_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await send(client, {"data": {"attributes": {"title": "x" * 5000}}})
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["detail"] == (
        "The body is larger than 4,096 bytes, the most taken here."
    )


@pytest.mark.parametrize(("headers", "read_at_most"), [({}, 6), ({"content-length": "100000"}, 1)])
async def test_no_more_of_a_long_body_is_read_than_the_limit(
    client: httpx2.AsyncClient, headers: dict[str, str], read_at_most: int
) -> None:
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(100):
            sent.append(number)
            yield b" " * 1000

    answer = await client.post("/books", content=endless(), headers=JSON_API | headers)
    assert answer.status_code == 413
    assert len(sent) <= read_at_most


@pytest.mark.parametrize("depth", [33, 1500])
async def test_nesting_is_bounded(client: httpx2.AsyncClient, depth: int) -> None:
    answer = await send(client, b"[" * depth + b"]" * depth)
    assert answer.status_code == 413
    assert "nested" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("linked", [{}, {"main_author": None}])
def test_a_relationship_that_is_needed_is_asked_for(linked: dict[str, None]) -> None:
    body = Body(Tag("x"), relationships=linked, spelled={"main_author": "main-author"})
    with pytest.raises(DocumentError, match="The relationship main-author is required") as refused:
        body.need("main_author")
    assert refused.value.pointer == "/data/relationships/main-author"


def test_a_needed_relationship_must_have_an_id() -> None:
    described = Linkage("authors", "", {"name": "New"}, "/data/relationships/author/data")
    body = Body(Tag("x"), relationships={"author": described}, spelled={"author": "author"})
    with pytest.raises(DocumentError, match="The relationship author is required"):
        body.need("author")
    there = Body(
        Tag("x"),
        relationships={"author": Linkage("authors", "author-1", {}, "")},
        spelled={"author": "author"},
    )
    assert there.need("author").id == "author-1"


def test_a_relationship_that_is_not_declared_cannot_be_used() -> None:
    body = Body(Tag("x"))
    for ask in (body.one, body.need, body.many, body.mentions):
        with pytest.raises(LookupError, match="does not declare the relationship editor"):
            ask("editor")


# PATCH


async def test_a_patch_changes_what_it_names(client: httpx2.AsyncClient, shop: Shop) -> None:
    before = shop.books["book-1"]
    answer = await send(
        client, {"data": {"attributes": {"page-count": 1}}}, "/books/book-1", "PATCH"
    )
    assert answer.status_code == 200
    after = shop.books["book-1"]
    assert after.page_count == 1
    assert (after.title, after.author_id) == (before.title, before.author_id)


async def test_a_patch_tells_null_from_absent(client: httpx2.AsyncClient, shop: Shop) -> None:
    for body, blurb in (
        ({"attributes": {"blurb": "Sand."}}, "Sand."),
        ({"attributes": {}}, "Sand."),
        ({}, "Sand."),
        ({"attributes": {"blurb": None}}, None),
    ):
        await send(client, {"data": body}, "/books/book-1", "PATCH")
        assert shop.books["book-1"].blurb == blurb


async def test_null_is_refused_where_only_absence_is_allowed(client: httpx2.AsyncClient) -> None:
    answer = await send(client, {"data": {"attributes": {"title": None}}}, "/books/book-1", "PATCH")
    assert faults(answer) == {"/data/attributes/title": "title: expected str, got null."}


async def test_a_patch_unlinks_by_null(client: httpx2.AsyncClient, shop: Shop) -> None:
    for link, author_id in (
        ({}, "author-1"),
        ({"author": {"data": {"id": "author-2"}}}, "author-2"),
        ({"author": {"data": None}}, None),
    ):
        await send(client, {"data": {"relationships": link}}, "/books/book-1", "PATCH")
        assert shop.books["book-1"].author_id == author_id


# Lists and actions


async def test_a_body_may_describe_several_resources(
    client: httpx2.AsyncClient, shop: Shop
) -> None:
    tags = [{"type": "tags", "attributes": {"name": name}} for name in ("a", "b")]
    answer = await send(client, {"data": tags}, "/books/book-1/tags", "PATCH")
    assert answer.status_code == 200
    assert shop.books["book-1"].tags == ("a", "b")


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ([{"attributes": {"name": "a"}}, {"attributes": {}}], "/data/1/attributes/name"),
        ([{"attributes": {"name": "a"}}, 5], "/data/1"),
        ({"attributes": {"name": "a"}}, "/data"),
    ],
)
async def test_the_wrong_one_of_several_is_pointed_to(
    client: httpx2.AsyncClient, data: Any, pointer: str
) -> None:
    answer = await send(client, {"data": data}, "/books/book-1/tags", "PATCH")
    assert answer.status_code == 422
    assert list(faults(answer)) == [pointer]


@pytest.mark.parametrize(
    ("raw", "blurb"),
    [
        (b"", "/friday"),
        (b"{}", "/friday"),
        (b"null", "/friday"),
        (b'{"reason": "study"}', "study/friday"),
        (b'{"data": null, "reason": "study"}', "study/friday"),
        (b'{"data": {"type": "", "attributes": {"reason": "Locked"}}}', "Locked/friday"),
        (b'{"data": {}}', "/friday"),
    ],
)
async def test_an_action_takes_whatever_a_client_sends_it(
    client: httpx2.AsyncClient, shop: Shop, raw: bytes, blurb: str
) -> None:
    answer = await send(client, raw, "/books/book-2/actions/lend")
    assert answer.status_code == 200, answer.text
    assert shop.books["book-2"].blurb == blurb


async def test_an_empty_body_may_have_any_content_type(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await send(client, b"", "/books/book-2/actions/lend", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"until": "sunday"}, "/until"),
        ({"data": {"attributes": {"until": "sunday"}}}, "/data/attributes/until"),
    ],
)
async def test_a_wrong_choice_is_told_the_right_ones(
    client: httpx2.AsyncClient, body: Any, pointer: str
) -> None:
    answer = await send(client, body, "/books/book-2/actions/lend")
    assert faults(answer) == {
        pointer: "until: invalid enum value 'sunday'; it is one of friday, monday."
    }


async def test_an_action_on_what_is_not_an_object_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await send(client, [1], "/books/book-2/actions/lend")
    assert answer.status_code == 422
