"""Session, actor and process of the present request."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from landform.edge.process import Process
from landform.identity import tokens
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import TooLargeError, UnauthenticatedError
from landform.kit.failpoints import FailPoint, reach

# Where a batch of requests that are one transaction says its session and who asks, in their scopes.
SESSION: Final = "landform.session"
ACTOR: Final = "landform.actor"


def process_of(request: Request) -> Process:
    """Return what the process holds."""
    process: Process = request.app.state.process
    return process


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with transaction(process_of(request).platform.sessions) as session:
        yield session
        reach(FailPoint.REQUEST_COMMITTING)
    reach(FailPoint.REQUEST_COMMITTED)


# "function": commit before the response is sent, so a client can read what it just wrote.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


def bearer_of(request: Request) -> str:
    """Return the token that was sent.

    Raises:
        UnauthenticatedError: none was.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthenticatedError("Send an API token: `Authorization: Bearer TOKEN`.")
    return secret.strip()


async def authenticated(request: Request, session: Session) -> Actor:
    """Return whose token the request shows.

    What may have a body is authenticated in a transaction of its own, before the body is read:
    nothing is read for a stranger, and no connection waits for a slow client.

    Raises:
        UnauthenticatedError: it shows none, or one that is not valid.
    """
    secret = bearer_of(request)
    if request.method == "GET":
        actor = await tokens.authenticate(session, secret)
    else:
        async with transaction(process_of(request).platform.sessions) as before:
            actor = await tokens.authenticate(before, secret)
    request.state.actor = actor  # for whoever tells of a refusal
    return actor


def session_of_batch(request: Request) -> AsyncSession:
    """Return the session that a request within a batch shares with the others of it."""
    session: AsyncSession = request.scope[SESSION]
    return session


def actor_of_batch(request: Request) -> Actor:
    """Return who asks, as the batch knows already."""
    actor: Actor = request.scope[ACTOR]
    request.state.actor = actor  # for whoever tells of a refusal
    return actor


WITHIN_A_BATCH: Final[dict[Callable[..., Any], Callable[..., Any]]] = {
    _session: session_of_batch,
    authenticated: actor_of_batch,
}
"""What stands for the dependencies of a request that is part of a batch."""

CurrentActor = Annotated[Actor, Depends(authenticated)]
CurrentProcess = Annotated[Process, Depends(process_of)]


def address_of(request: Request) -> str:
    """Return where the request comes from, as far as proxies that are believed tell."""
    return request.client.host if request.client else ""


def base_url(request: Request) -> str:
    """Return how this client reaches us: `https://host[:port]`."""
    configured = process_of(request).public_url
    return configured or f"{request.url.scheme}://{request.url.netloc}"


async def read_body(request: Request, *, limit_bytes: int) -> bytearray:
    """Read the body of an upload, giving up as soon as it is past `limit_bytes`.

    Raises:
        TooLargeError: it is past the limit.
    """
    announced = request.headers.get("content-length", "0")
    expected = int(announced) if announced.isdigit() else 0
    if expected > limit_bytes:
        raise _too_large(limit_bytes)
    # As it comes: whoever announces much and sends nothing is given nothing.
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > limit_bytes:
            raise _too_large(limit_bytes)
        body += part
    return body


def _too_large(limit_bytes: int) -> TooLargeError:
    return TooLargeError(f"At most {limit_bytes // 2**20} MiB can be uploaded here.")
