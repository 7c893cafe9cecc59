from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from landform.api.jsonapi import Dialect, Input, Kebab


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][f"/api{path}"][method]
    return found


def parameters(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found = {}
    for each in operation(document, method, path)["parameters"]:
        name = each.get("$ref", "").rpartition("/")[2]
        parameter = document["components"]["parameters"][name] if name else each
        found[parameter["name"]] = parameter
    return found


def faults(document: dict[str, Any], name: str, value: Any) -> list[str]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [error.message for error in OAS31Validator(schema).iter_errors(value)]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


async def test_the_app_serves_it(client: httpx2.AsyncClient, document: dict[str, Any]) -> None:
    answer = await client.get("http://shop.test/openapi.json")
    assert answer.json() == document


def test_a_route_for_one_is_told_from_a_route_for_many(document: dict[str, Any]) -> None:
    assert set(parameters(document, "get", "/books/{book_id}")) == {
        "book_id",
        "include",
        "fields[books]",
    }
    assert set(parameters(document, "get", "/books")) == {
        "include",
        "fields[books]",
        "page[number]",
        "page[size]",
        "sort",
        "search[title]",
        "filter[author][id]",
        "filter[tagged][0][key]",
        "filter[tagged][0][value]",
    }


def test_the_include_parameter_lists_what_can_be(document: dict[str, Any]) -> None:
    described = parameters(document, "get", "/books")["include"]["description"]
    assert "`author`, `sequel`, `lent-to`, `fore-word`, `chapters`." in described


def test_answers_are_of_the_declared_status_and_resource(document: dict[str, Any]) -> None:
    responses = operation(document, "post", "/books")["responses"]
    assert set(responses) == {"201", "default"}
    content = responses["201"]["content"]["application/vnd.api+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/shop.books.document"}
    assert "content" not in operation(document, "delete", "/books/{book_id}")["responses"]["204"]


def test_a_route_without_a_resource_claims_no_content(document: dict[str, Any]) -> None:
    assert "content" not in operation(document, "get", "/till")["responses"]["200"]


def test_bodies_are_documented(document: dict[str, Any]) -> None:
    body = operation(document, "post", "/books")["requestBody"]
    assert body["required"] is True
    content = body["content"]["application/vnd.api+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/shop.CreateBook.body"}
    lend = operation(document, "post", "/books/{book_id}/actions/lend")["requestBody"]
    assert lend["required"] is False


def test_a_route_is_tagged_with_its_resource_and_described(document: dict[str, Any]) -> None:
    create = operation(document, "post", "/books")
    assert create["tags"] == ["books"]
    assert create["description"] == "Add a book to the shop."
    assert document["components"]["schemas"]["shop.books"]["description"] == (
        "A book as the shop shows it."
    )


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/books/book-1?include=author", "shop.books.document"),
        ("/books", "shop.books.list"),
        ("/books/book-3/chapters", "shop.chapters.list"),
        ("/books/none", "jsonapi.errors"),
        ("/books?page[size]=x", "jsonapi.errors"),
    ],
)
async def test_an_answer_is_what_the_document_says(
    client: httpx2.AsyncClient, document: dict[str, Any], path: str, schema: str
) -> None:
    assert faults(document, schema, (await client.get(path)).json()) == []


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("CreateBook", {"data": {"type": "books", "attributes": {"title": "x", "page-count": 1}}}),
        ("CreateBook", {"data": {"attributes": {"title": "x"}, "relationships": {"tags": {}}}}),
        ("ChangeBook", {"data": {"attributes": {"blurb": None}}}),
        ("Tag", {"data": [{"type": "tags", "attributes": {"name": "x"}}]}),
        ("Lend", {"reason": "x"}),
        ("Lend", {"data": {"attributes": {"reason": "x"}}}),
    ],
)
def test_a_body_we_take_is_what_the_document_says(
    document: dict[str, Any], schema: str, body: Any
) -> None:
    assert faults(document, f"shop.{schema}.body", body) == []


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("CreateBook", {"data": {"attributes": {"title": 3}}}),
        ("CreateBook", {"data": {"attributes": {"page-count": 3}}}),
        ("ChangeBook", {"data": {"attributes": {"title": None}}}),
        ("Tag", {"data": {"type": "tags"}}),
    ],
)
def test_a_body_we_refuse_is_not(document: dict[str, Any], schema: str, body: Any) -> None:
    assert faults(document, f"shop.{schema}.body", body)


class _Tag(Kebab):
    name: str


def test_two_inputs_of_one_structure_have_names_of_their_own() -> None:
    dialect = Dialect[None]("x")
    first, second = Input(dialect, "tags", _Tag), Input(dialect, "labels", _Tag)
    assert (first.name, second.name) == ("_Tag", "_Tag-2")
