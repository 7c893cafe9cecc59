"""Where a provider sends a person back to: `/callback/v1/vcs/{id}`, as Terrakube has it."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from landform.edge.deps import process_of
from landform.identity import sessions
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import UnauthenticatedError
from landform.vcs import callback
from landform.vcs.callback import Return
from landform.vcs.connections import CALLBACK
from landform.web.pages import COOKIE, SECURITY_HEADERS, SignInFirstError

router = APIRouter(include_in_schema=False)

_LONGEST: Final = 16384  # characters: a code, and what an old Azure DevOps adds to it

Text = Annotated[str, Query(max_length=_LONGEST)]


async def _visitor(request: Request) -> Actor:
    """Return who is signed in, in a transaction that does not wait for the provider."""
    async with transaction(process_of(request).platform.sessions) as session:
        try:
            actor, _ = await sessions.session_actor(session, request.cookies.get(COOKIE, ""))
        except UnauthenticatedError:
            raise SignInFirstError(f"{request.url.path}?{request.url.query}") from None
    return actor


@router.get(CALLBACK + "/{vcs_id}")
async def come_back(
    request: Request,
    vcs_id: str,
    visitor: Annotated[Actor, Depends(_visitor)],
    code: Text = "",
    state: Text = "",
    error: Text = "",
    error_description: Text = "",
) -> Response:
    """Trade the code for a token; say `Connected`, or go where the connection says."""
    back = Return(name=vcs_id, code=code, state=state, error=error, description=error_description)
    then = await callback.finish(process_of(request).reach, visitor, back)
    if then:
        return RedirectResponse(then, status_code=302, headers=SECURITY_HEADERS)
    return PlainTextResponse("Connected", headers=SECURITY_HEADERS)
