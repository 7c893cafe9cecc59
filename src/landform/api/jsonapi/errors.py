"""Failures as JSON:API error documents.

LandformError
├── InvalidError ── DocumentError     422: one fault for each wrong part of a body
└── MalformedError ── QueryError      400: a query parameter that makes no sense
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from landform.api.jsonapi.naming import kebab
from landform.edge.statuses import status_of
from landform.kit.errors import InvalidError, LandformError, MalformedError, TooManyError
from landform.kit.ids import new_id

MEDIA_TYPE: Final = "application/vnd.api+json"

_log = logging.getLogger(__name__)

# Where FastAPI found the fault: the status we answer, and which member of `source` tells it.
_PLACES: Final[Mapping[str, tuple[int, str]]] = {
    "path": (404, ""),
    "query": (400, "parameter"),
    "header": (400, "header"),
    "body": (422, "pointer"),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One entry of an error document.

    Attributes:
        detail: what is wrong and what would be right, for a person.
        title: the kind of fault, the same for every fault of its kind; empty for the status's.
        source: where it is: a member `pointer`, `parameter` or `header`.
    """

    detail: str
    title: str = ""
    source: Mapping[str, str] = field(default_factory=dict)


class DocumentError(InvalidError):
    """A body that is JSON but does not say what the route needs; may hold several faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(
            " ".join(fault.detail for fault in faults),
            pointer=faults[0].source.get("pointer", ""),
        )
        self.faults = tuple(faults)


class QueryError(MalformedError):
    """A query parameter that cannot be read, or asks for what is not offered here."""

    def __init__(self, detail: str, *, parameter: str) -> None:
        super().__init__(detail)
        family = parameter.partition("[")[0]
        source = {"parameter": parameter}
        self.faults = (Fault(detail=detail, title=f"invalid {family} parameter", source=source),)


def wrong(pointer: str, detail: str) -> DocumentError:
    """Return the error that says of one part of a body what is wrong with it."""
    return DocumentError([Fault(detail=detail, source={"pointer": pointer})])


def install_errors(app: FastAPI) -> None:
    """Answer every failure of `app` as an error document.

    An app with other surfaces beside the API registers handlers of its own for these four
    kinds, and calls `error_response` for the paths that are the API's.
    """
    for kind in (LandformError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, error_response)


async def error_response(
    request: Request, failure: Exception, *, wire: Callable[[str], str] = kebab
) -> Response:
    """Return the error document of `failure`; what is not the caller's to know is only logged.

    Args:
        wire: how the dialect spells the attribute that a domain's error points to by its bare
            name; a pointer that starts with `/` is passed on as it is.
    """
    match failure:
        case HTTPException():
            detail = _about_route(request, failure)
            return error_document(failure.status_code, [Fault(detail=detail)], failure.headers)
        case RequestValidationError():
            return _of_validation(failure)
        case DocumentError() | QueryError():
            return error_document(status_of(failure), failure.faults)
        case LandformError() if status_of(failure) != HTTPStatus.INTERNAL_SERVER_ERROR:
            return _of_kind(failure, wire)
        case _:
            return _internal(request, failure)


def error_document(
    status: int, faults: Sequence[Fault], headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer with `status` that lists `faults`."""
    body = msgspec.json.encode({"errors": [_entry(status, fault) for fault in faults]})
    return Response(body, status, headers, media_type=MEDIA_TYPE)


def _entry(status: int, fault: Fault) -> dict[str, Any]:
    title = fault.title or (
        "invalid attribute" if "pointer" in fault.source else _phrase(status).lower()
    )
    entry: dict[str, Any] = {"status": str(status), "title": title, "detail": fault.detail}
    if fault.source:
        entry["source"] = dict(fault.source)
    return entry


def _of_kind(failure: LandformError, wire: Callable[[str], str]) -> Response:
    pointer = failure.pointer
    if pointer and not pointer.startswith("/"):
        pointer = f"/data/attributes/{wire(pointer)}"
    status = status_of(failure)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(failure, TooManyError):
        headers["Retry-After"] = str(math.ceil(failure.retry_after_s))
    source = {"pointer": pointer} if pointer else {}
    return error_document(status, [Fault(detail=str(failure), source=source)], headers)


def _of_validation(failure: RequestValidationError) -> Response:
    """Show what FastAPI refused: a parameter it was told the type of."""
    found = failure.errors()
    status, _ = _place(found[0])
    faults = []
    for error in found:
        _, member = _place(error)
        name = ".".join(str(part) for part in error["loc"][1:])
        where = f"/{name.replace('.', '/')}" if member == "pointer" else name
        source = {member: where} if member else {}
        faults.append(Fault(detail=f"{name}: {error['msg']}.", source=source))
    return error_document(status, faults)


def _place(error: Mapping[str, Any]) -> tuple[int, str]:
    return _PLACES.get(str(error["loc"][0]), (400, ""))


def _internal(request: Request, failure: Exception) -> Response:
    """Log `failure` under an id and answer with the id alone."""
    request_id = getattr(request.state, "request_id", None) or new_id("req")
    _log.error(
        "%s %s failed unexpectedly (%s)",
        request.method,
        request.url.path,
        request_id,
        exc_info=failure,
    )
    detail = f"Something went wrong on our side. The log has it under {request_id}."
    return error_document(500, [Fault(detail=detail)], {"X-Request-Id": request_id})


def _about_route(request: Request, failure: HTTPException) -> str:
    """Return the detail of an HTTP failure, in place of a bare phrase such as `Not Found`."""
    if failure.detail != _phrase(failure.status_code):
        return failure.detail
    if failure.status_code == HTTPStatus.NOT_FOUND:
        return f"There is nothing at {request.url.path}."
    if failure.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (failure.headers or {}).get("Allow", "other methods")
        return f"{request.url.path} does not take {request.method} but {allowed}."
    return failure.detail


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
