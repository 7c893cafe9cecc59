import logging
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from landform.api.jsonapi import DocumentError, Fault, camel, error_response
from landform.edge.statuses import STATUS, status_of
from landform.kit import errors
from landform.kit.errors import InvalidError, LandformError
from tests.api.jsonapi.shop import Shop


async def error_of(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/vnd.api+json"
    [error] = answer.json()["errors"]
    assert error["status"] == str(answer.status_code)
    found: dict[str, Any] = error
    return found


async def test_what_is_not_there_is_404(client: httpx2.AsyncClient) -> None:
    error = await error_of(await client.get("/books/book-7"))
    assert error == {"status": "404", "title": "not found", "detail": "There is no book book-7."}


async def test_a_conflict_is_409(client: httpx2.AsyncClient) -> None:
    error = await error_of(await client.post("/books/book-1/actions/lend"))
    assert error == {"status": "409", "title": "conflict", "detail": "Dune is lent already."}


async def test_an_attribute_the_domain_refuses_is_pointed_to(client: httpx2.AsyncClient) -> None:
    body = {"data": {"attributes": {"title": "Dune"}}}
    error = await error_of(await client.post("/books", json=body))
    assert error["status"] == "422"
    assert error["title"] == "invalid attribute"
    assert error["source"] == {"pointer": "/data/attributes/title"}


async def test_who_is_nobody_is_told_how_to_be_somebody(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/till")
    assert (await error_of(answer))["title"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_route_is_404_in_the_same_form(client: httpx2.AsyncClient) -> None:
    error = await error_of(await client.get("/films"))
    assert error["status"] == "404"
    assert error["detail"] == "There is nothing at /api/films."


async def test_an_unknown_method_is_405_and_names_the_others(client: httpx2.AsyncClient) -> None:
    answer = await client.put("/till")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert (await error_of(answer))["detail"] == "/api/till does not take PUT but GET."


async def test_a_path_of_the_wrong_type_leads_nowhere(client: httpx2.AsyncClient) -> None:
    assert (await error_of(await client.get("/floors/upper")))["status"] == "404"


async def test_a_typed_parameter_is_named(client: httpx2.AsyncClient) -> None:
    error = await error_of(await client.get("/floors/1?shelf=top"))
    assert error["status"] == "400"
    assert error["source"] == {"parameter": "shelf"}
    assert error["detail"].startswith("shelf: ")


async def test_a_crash_tells_its_id_and_nothing_else(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/crash")
    assert answer.status_code == 500
    assert "1234" not in answer.text
    request_id = answer.headers["x-request-id"]
    assert request_id in (await error_of(answer))["detail"]
    [record] = [each for each in caplog.records if each.name == "landform.api.jsonapi.errors"]
    assert request_id in record.getMessage()
    assert record.exc_info is not None
    assert "1234" in str(record.exc_info[1])


async def test_the_transaction_ends_before_the_answer_is_sent(app: FastAPI, shop: Shop) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def note(message: Any) -> None:
        shop.commits.append(message["type"])

    scope = {
        "type": "http",
        "method": "DELETE",
        "path": "/api/books/book-1",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, note)
    assert shop.commits == ["committed", "http.response.start", "http.response.body"]


async def test_a_failure_rolls_back(client: httpx2.AsyncClient, shop: Shop) -> None:
    await client.post("/books/book-1/actions/lend")
    assert shop.commits == ["rolled back"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.MalformedError, 400),
        (errors.UnauthenticatedError, 401),
        (errors.ForbiddenError, 403),
        (errors.NotFoundError, 404),
        (errors.ConflictError, 409),
        (errors.TooLargeError, 413),
        (errors.InvalidError, 422),
        (errors.UnavailableError, 503),
    ],
)
def test_each_kind_of_failure_has_a_status(kind: type[LandformError], status: int) -> None:
    class Particular(kind):  # type: ignore[misc, valid-type]  # a parametrised base
        pass

    assert status_of(Particular("")) == status


def test_every_kind_in_the_kit_is_in_the_table() -> None:
    assert set(STATUS) == set(LandformError.__subclasses__()) & {
        kind for kind in vars(errors).values() if isinstance(kind, type)
    }
    assert status_of(LandformError("")) == 500
    assert status_of(KeyError()) == 500


def _request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/x", "headers": []})


async def _rendered(failure: Exception) -> Response:
    return await error_response(_request(), failure)


async def test_an_internal_failure_of_ours_is_not_told() -> None:
    answer = await _rendered(LandformError("the key is k"))
    assert answer.status_code == 500
    assert b"the key" not in bytes(answer.body)


async def test_the_headers_of_an_http_failure_are_kept() -> None:
    answer = await _rendered(HTTPException(429, "Slow down.", {"Retry-After": "3"}))
    assert answer.headers["retry-after"] == "3"
    assert b"too many requests" in bytes(answer.body)
    assert b"Slow down." in bytes(answer.body)


async def test_a_status_without_a_name_still_renders() -> None:
    assert (await _rendered(HTTPException(599, "odd"))).status_code == 599


async def test_a_bare_name_is_pointed_to_as_the_dialect_spells_it() -> None:
    failure = InvalidError("No.", pointer="auto_apply")
    kebab = await error_response(_request(), failure)
    assert b'"/data/attributes/auto-apply"' in bytes(kebab.body)
    camels = await error_response(_request(), failure, wire=camel)
    assert b'"/data/attributes/autoApply"' in bytes(camels.body)


def test_a_document_error_reads_as_all_its_faults() -> None:
    failure = DocumentError([Fault(detail="One.", source={"pointer": "/a"}), Fault(detail="Two.")])
    assert str(failure) == "One. Two."
    assert failure.pointer == "/a"
