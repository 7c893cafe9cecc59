"""The one endpoint for every provider's deliveries.

The answers are few on purpose: see `landform.vcs.deliveries`. The path of Terrakube's works too, so
that hooks which were made for it go on.
"""

from typing import Final

from fastapi import APIRouter, Response
from fastapi.requests import Request
from fastapi.responses import JSONResponse

from landform.edge.deps import process_of, read_body
from landform.kit.errors import TooLargeError, UnauthenticatedError
from landform.vcs import deliveries
from landform.vcs.deliveries import BODY_LIMIT

router = APIRouter(include_in_schema=False)

_ACCEPTED: Final = 202
_UNAUTHORIZED: Final = 401


@router.post("/hooks/vcs/{hook_id}")
@router.post("/webhook/v2/{hook_id}")
async def receive(request: Request, hook_id: str) -> Response:
    """Take a delivery: 202 once it is stored, 401 without the secret, 503 if it cannot be."""
    try:
        body = bytes(await read_body(request, limit_bytes=BODY_LIMIT))
        headers = {name.lower(): value for name, value in request.headers.items()}
        is_new = await deliveries.receive(process_of(request).reach, hook_id, headers, body)
    except UnauthenticatedError as failure:
        return JSONResponse({"detail": str(failure)}, _UNAUTHORIZED)
    except TooLargeError as failure:
        return JSONResponse({"accepted": False, "detail": str(failure)}, _ACCEPTED)
    return JSONResponse({"accepted": True, "repeated": not is_new}, _ACCEPTED)
