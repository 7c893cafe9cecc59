"""What SCIM's routes share: who asks, bodies, lists, and failures in SCIM's own form (RFC 7644)."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
import structlog
from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from landform.directories import service
from landform.directories.service import Source
from landform.edge.deps import base_url, bearer_of, process_of, read_body
from landform.edge.statuses import status_of
from landform.kit.db import transaction
from landform.kit.errors import (
    ConflictError,
    InvalidError,
    LandformError,
    MalformedError,
    TooManyError,
)

PREFIX: Final = "/scim/v2"
MEDIA_TYPE: Final = "application/scim+json"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
MOST: Final = 200  # resources in one answer
_LIMIT_BYTES: Final = 2 * 2**20

_log = structlog.get_logger()


class FilterError(MalformedError):
    """A filter that is not offered."""


async def _source(request: Request) -> Source:
    async with transaction(process_of(request).platform.sessions) as session:
        source = await service.authenticate(session, bearer_of(request))
    request.state.actor = source.actor  # for whoever counts requests
    return source


CurrentSource = Annotated[Source, Depends(_source)]


async def _body(request: Request, _: CurrentSource) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (MEDIA_TYPE, "application/json"):
        raise MalformedError(f"Send {MEDIA_TYPE}.")
    raw = await read_body(request, limit_bytes=_LIMIT_BYTES)
    try:
        said = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedError("The body is not JSON.") from None
    if not isinstance(said, dict):
        raise MalformedError("The body is not a JSON object.")
    return said


Body = Annotated[dict[str, Any], Depends(_body)]
Filter = Annotated[str, Query(alias="filter", max_length=1000)]
Start = Annotated[str, Query(alias="startIndex", max_length=20)]
Count = Annotated[str, Query(alias="count", max_length=20)]
Excluded = Annotated[str, Query(alias="excludedAttributes", max_length=1000)]


def window(start: str, count: str) -> tuple[int, int]:
    """Return how many to skip, and how many to show at most (RFC 7644 §3.4.2.4).

    Raises:
        MalformedError: they are no numbers.
    """
    try:
        first, most = max(int(start or 1), 1), max(int(count or MOST), 0)
    except ValueError:
        raise MalformedError("startIndex and count are numbers.") from None
    return min(first, 2**31) - 1, min(most, MOST)


def answer(request: Request, document: dict[str, Any], status: int = 200) -> Response:
    """Return a resource, with its place."""
    place = document.get("meta", {}).get("location", "")
    headers = {"Location": place} if place and status == HTTPStatus.CREATED else {}
    return _respond(document, status, headers)


def listed(rows: Sequence[dict[str, Any]], *, total: int, skip: int) -> Response:
    """Return a page of a list."""
    document = {
        "schemas": [_LIST],
        "totalResults": total,
        "startIndex": skip + 1,
        "itemsPerPage": len(rows),
        "Resources": rows,
    }
    return _respond(document, 200, {})


def place_of(request: Request, kind: str, key: str) -> str:
    """Return the address of a resource."""
    return f"{base_url(request)}{PREFIX}/{kind}/{key}"


async def error_response(request: Request, failure: Exception) -> Response:
    """Return a failure in SCIM's form (RFC 7644 §3.12)."""
    status, detail = status_of(failure), str(failure)
    scim_type = ""
    headers: dict[str, str] = {}
    match failure:
        case HTTPException():
            status, detail = failure.status_code, str(failure.detail)
        case RequestValidationError():
            status, detail = 400, "Something in the address or the query is malformed."
        case FilterError():
            scim_type = "invalidFilter"
        case InvalidError():
            status, scim_type = 400, "invalidValue"
        case MalformedError():
            scim_type = "invalidSyntax"
        case ConflictError():
            scim_type = "uniqueness"
        case TooManyError():
            headers["Retry-After"] = str(math.ceil(failure.retry_after_s))
        case LandformError():
            pass
        case _:
            _log.error("a SCIM request failed", path=request.url.path, exc_info=failure)
            detail = "This is our mistake; it was written to the server's log."
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    document = {"schemas": [_ERROR], "status": str(status), "detail": detail}
    return _respond(document | ({"scimType": scim_type} if scim_type else {}), status, headers)


def _respond(document: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(
        msgspec.json.encode(document),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **headers},
    )
