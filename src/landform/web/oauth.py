"""`terraform login`: OAuth's code flow with PKCE, a page that asks, and a token named after it.

The CLI opens `/oauth/authorize` in a browser and exchanges the code it is sent back for a token
at `/oauth/token`, which it then uses as its API token (tfe_api.md §1.1).
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from landform.edge.deps import Session
from landform.identity import login
from landform.kit.errors import InvalidError, LandformError
from landform.web.pages import SECURITY_HEADERS, CurrentVisitor, page

router = APIRouter(include_in_schema=False)

CLIENT_ID = "terraform-cli"
Text = Annotated[str, Form(max_length=4096)]
Given = Annotated[str, Query(max_length=4096)]


@router.get("/oauth/authorize")
async def ask(
    request: Request,
    visitor: CurrentVisitor,
    redirect_uri: Given,
    code_challenge: Given,
    client_id: Given = CLIENT_ID,
    response_type: Given = "code",
    code_challenge_method: Given = "S256",
    state: Given = "",
) -> Response:
    """Ask the person whether the command line may act for them."""
    if response_type != "code" or code_challenge_method != "S256" or client_id != CLIENT_ID:
        raise InvalidError("Only the authorization code flow with PKCE (S256) is offered here.")
    login.check_redirect(redirect_uri)
    return page(
        request,
        "sign_in/consent.html",
        visitor=visitor,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        state=state,
    )


@router.post("/oauth/authorize")
async def answer(
    session: Session,
    visitor: CurrentVisitor,
    form_token: Text,
    redirect_uri: Text,
    code_challenge: Text,
    decision: Text,
    state: Text = "",
) -> Response:
    """Send the browser back to the command line, with a code or with a refusal."""
    visitor.require_own_form(form_token)
    login.check_redirect(redirect_uri)
    if decision == "allow":
        code = await login.create_code(
            session, visitor.actor, CLIENT_ID, redirect_uri, code_challenge
        )
        values = {"code": code, "state": state}
    else:
        values = {"error": "access_denied", "state": state}
    return RedirectResponse(
        f"{redirect_uri}?{urlencode(values)}", status_code=303, headers=SECURITY_HEADERS
    )


@router.post("/oauth/token")
async def exchange(
    session: Session,
    grant_type: Text = "",
    code: Text = "",
    code_verifier: Text = "",
    client_id: Text = CLIENT_ID,
    redirect_uri: Text = "",
) -> Response:
    """Exchange a code for an API token; errors are in OAuth's form (RFC 6749 §5.2)."""
    if grant_type != "authorization_code":
        return _refusal("unsupported_grant_type", "Only authorization_code is offered here.")
    try:
        secret = await login.exchange(session, code, code_verifier, client_id, redirect_uri)
    except LandformError as failure:
        return _refusal("invalid_grant", str(failure))
    return JSONResponse(
        {"access_token": secret, "token_type": "bearer"}, headers={"Cache-Control": "no-store"}
    )


def _refusal(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=400)
