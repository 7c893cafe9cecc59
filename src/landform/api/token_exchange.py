"""A token of a machine for one of a team (RFC 8693); what it may be is `federation.workloads`."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse

from landform.edge.deps import address_of, process_of
from landform.federation import workloads
from landform.federation.errors import NotVouchedForError
from landform.kit.errors import InvalidError, LandformError, TooManyError, UnavailableError

router = APIRouter(include_in_schema=False, max_body_size=2**20)  # anybody may send it something

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPES: Final = tuple(f"urn:ietf:params:oauth:token-type:{kind}" for kind in ("jwt", "id_token"))
_GIVEN: Final = "urn:ietf:params:oauth:token-type:access_token"
Text = Annotated[str, Form(max_length=300)]


@router.post("/oauth/exchange")
async def exchange(
    request: Request,
    client_id: Text,
    subject_token: Annotated[str, Form(max_length=65_536)],
    subject_token_type: Text = _TYPES[0],
    grant_type: Text = _GRANT,
) -> Response:
    """Give a token of the team that the federated credential `client_id` is for."""
    if grant_type != _GRANT or subject_token_type not in _TYPES:
        return _refusal(
            InvalidError(f"Send grant_type={_GRANT} and subject_token_type={_TYPES[0]}.")
        )
    try:
        given = await workloads.exchange(
            process_of(request).federation,
            client_id,
            subject_token,
            address=address_of(request),
        )
    except (NotVouchedForError, InvalidError, UnavailableError, TooManyError) as failure:
        return _refusal(failure)
    return JSONResponse(
        {
            "access_token": given.secret,
            "issued_token_type": _GIVEN,
            "token_type": "Bearer",
            "expires_in": given.expires_in,
        },
        headers={"Cache-Control": "no-store"},
    )


def _refusal(failure: LandformError) -> Response:
    """Return an error in OAuth's form (RFC 6749 §5.2)."""
    error, status, headers = "invalid_request", 400, {"Cache-Control": "no-store"}
    if isinstance(failure, NotVouchedForError):
        error = "invalid_grant"
    elif isinstance(failure, TooManyError):
        error, status = "slow_down", 429
        headers["Retry-After"] = str(int(failure.retry_after_s) + 1)
    elif isinstance(failure, UnavailableError):
        error, status = "temporarily_unavailable", 503
    said = {"error": error, "error_description": str(failure)}
    return JSONResponse(said, status_code=status, headers=headers)
