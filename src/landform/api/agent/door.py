"""Who calls the agents' protocol, which attempt is meant, bodies, and failures in its form."""

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

import structlog
from fastapi import Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from landform.agents.presence import agent_id
from landform.contract import Attempt, LostLeaseError
from landform.edge.deps import bearer_of, process_of, read_body
from landform.edge.statuses import status_of
from landform.identity import tokens
from landform.identity.actor import Actor
from landform.kit import errors
from landform.kit.db import transaction
from landform.runs import agent_attempts

PREFIX: Final = "/api/agent/v1"
LONGEST_WAIT_S: Final = 30.0
LONGEST_ORDERS_S: Final = 5.0
_MESSAGE_BYTES: Final = 8 << 20
_NEWEST_EPOCH: Final = 2**31 - 1

T = TypeVar("T")
log = structlog.get_logger()

_KINDS: Final[dict[type[Exception], str]] = {
    LostLeaseError: "lost-lease",
    errors.MalformedError: "malformed",
    errors.UnauthenticatedError: "unauthenticated",
    errors.ForbiddenError: "forbidden",
    errors.NotFoundError: "not-found",
    errors.ConflictError: "conflict",
    errors.TooLargeError: "too-large",
    errors.InvalidError: "invalid",
    errors.TooManyError: "too-many",
    errors.UnavailableError: "unavailable",
}


@dataclass(frozen=True)
class Caller:
    """An agent, and the pool that it showed a token of."""

    pool: Actor
    agent_id: str


async def _caller(request: Request) -> Caller:
    secret = bearer_of(request)
    async with transaction(process_of(request).platform.sessions) as session:
        pool = await tokens.authenticate_agent(session, secret)
    own = agent_id(pool, request.headers.get("landform-agent", ""))
    request.state.actor = pool  # for whoever counts requests
    return Caller(pool, own)


CurrentCaller = Annotated[Caller, Depends(_caller)]
WaitS = Annotated[float, Query(ge=0.0, le=LONGEST_WAIT_S)]
ShortWaitS = Annotated[float, Query(ge=0.0, le=LONGEST_ORDERS_S)]


async def _attempt(
    request: Request,
    caller: CurrentCaller,
    phase_id: str,
    epoch: Annotated[int, Path(ge=1, le=_NEWEST_EPOCH)],
) -> Attempt:
    return await agent_attempts.held(
        process_of(request).platform,
        phase_id=phase_id,
        epoch=epoch,
        pool_id=caller.pool.id,
        agent_id=caller.agent_id,
    )


CurrentAttempt = Annotated[Attempt, Depends(_attempt)]


async def read_message(request: Request, kind: type[T] | TypeAdapter[T]) -> T:
    """Read the body as what the protocol says it is.

    Raises:
        MalformedError: it is something else.
        TooLargeError: it is past the limit.
    """
    raw = await read_body(request, limit_bytes=_MESSAGE_BYTES)
    adapter = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
    try:
        return adapter.validate_json(bytes(raw))
    except ValidationError as failure:
        wrong = failure.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the body"
        raise errors.MalformedError(f"{where}: {wrong['msg']}.") from None


def message(said: BaseModel) -> Response:
    """Return an answer that no cache keeps: it may hold secrets."""
    return Response(
        said.model_dump_json(),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def nothing() -> Response:
    """Return the answer that has nothing to say."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def error_response(request: Request, failure: Exception) -> Response:
    """Return a failure in the protocol's form."""
    status, headers, said = status_of(failure), {"Cache-Control": "no-store"}, str(failure)
    kind = next((_KINDS[each] for each in type(failure).mro() if each in _KINDS), "failed")
    match failure:
        case RequestValidationError():
            status, kind = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"
            wrong = failure.errors()[0]
            said = f"{wrong['loc'][-1]}: {wrong['msg']}."
        case HTTPException():
            status, kind, said = failure.status_code, "not-found", str(failure.detail)
        case errors.TooManyError():
            headers["Retry-After"] = str(math.ceil(failure.retry_after_s))
        case errors.LandformError():
            pass
        case _:
            log.error("an agent's request failed", path=request.url.path, exc_info=failure)
            said = "This is our mistake; it was written to the server's log."
    body = _Failure(kind=kind, message=said)
    return Response(
        body.model_dump_json(), status_code=status, media_type="application/json", headers=headers
    )


class _Failure(BaseModel):
    kind: str
    message: str
