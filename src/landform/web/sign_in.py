"""Signing in and out, and setting a password of one's own."""

import math
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from landform.edge.deps import CurrentProcess, Session, address_of, process_of
from landform.edge.statuses import status_of
from landform.identity import sessions, users
from landform.identity import sign_in as door
from landform.kit.errors import InvalidError, LandformError, TooManyError, UnauthenticatedError
from landform.web.pages import COOKIE, CurrentVisitor, page, redirect, set_cookie

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=4096)]


@router.get("/login")
async def show(request: Request, then: str = "/") -> Response:
    """Show the form."""
    return page(request, "sign_in/sign_in.html", then=then, failure="", username="")


@router.post("/login")
async def sign_in(
    request: Request, process: CurrentProcess, username: Text, password: Text, then: Text = "/"
) -> Response:
    """Open a session, or say that the two do not go together, or that it must wait."""
    stores = process.platform.sessions
    try:
        entry = await door.sign_in(stores, username, password, address=address_of(request))
    except (UnauthenticatedError, TooManyError) as failure:
        values = {"then": then, "failure": str(failure), "username": username}
        return _refused(
            page(request, "sign_in/sign_in.html", status=status_of(failure), **values), failure
        )
    if entry.awaits_code:
        answer = redirect(f"/login/code?{urlencode({'then': then})}")
        set_cookie(request, answer, entry.secret)
        return answer
    return _let_in(request, entry, then)


@router.get("/login/code")
async def show_code(request: Request, then: str = "/") -> Response:
    """Show the form for the code of the second factor."""
    return page(request, "sign_in/code.html", then=then, failure="")


@router.post("/login/code")
async def give_code(
    request: Request, process: CurrentProcess, code: Text, then: Text = "/"
) -> Response:
    """Open the session that the password alone did not, or say what is wrong with the code."""
    platform = process.platform
    secret = request.cookies.get(COOKIE, "")
    try:
        entry = await door.give_code(
            platform.sessions, platform.keyring, secret, code, address=address_of(request)
        )
    except (UnauthenticatedError, TooManyError) as failure:
        values = {"then": then, "failure": str(failure)}
        return _refused(
            page(request, "sign_in/code.html", status=status_of(failure), **values), failure
        )
    return _let_in(request, entry, then)


@router.post("/logout")
async def sign_out(
    request: Request, session: Session, visitor: CurrentVisitor, form_token: Text
) -> Response:
    """Close the session here and on the server."""
    visitor.require_own_form(form_token)
    await sessions.close(session, request.cookies.get(COOKIE, ""))
    answer = redirect("/login")
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/password")
async def show_password(request: Request, visitor: CurrentVisitor, then: str = "/") -> Response:
    """Show the form for a new password."""
    return page(request, "sign_in/password.html", visitor=visitor, then=then, failure="")


@router.post("/password")
async def set_password(
    request: Request,
    session: Session,
    visitor: CurrentVisitor,
    form_token: Text,
    old: Text,
    password: Text,
    again: Text,
    then: Text = "/",
) -> Response:
    """Set a new password; other browsers are signed out, this one stays signed in."""
    visitor.require_own_form(form_token)
    failure = "" if password == again else "The two passwords are not the same."
    if not failure:
        try:
            await door.check_own_password(
                process_of(request).platform.sessions,
                visitor.actor,
                old,
                address=address_of(request),
            )
            user = await users.change_password(session, visitor.actor, old=old, new=password)
        except (InvalidError, UnauthenticatedError, TooManyError) as refused:
            failure = str(refused)
    if failure:
        values = {"visitor": visitor, "then": then, "failure": failure}
        return page(request, "sign_in/password.html", status=422, **values)
    answer = redirect(then)
    set_cookie(request, answer, await sessions.open_session(session, user))
    return answer


def _let_in(request: Request, entry: door.Entry, then: str) -> Response:
    first = f"/password?{urlencode({'then': then})}"
    answer = redirect(first if entry.user.must_change_password else then)
    set_cookie(request, answer, entry.secret)
    return answer


def _refused(answer: Response, failure: LandformError) -> Response:
    if isinstance(failure, TooManyError):
        answer.headers["Retry-After"] = str(math.ceil(failure.retry_after_s))
    return answer
