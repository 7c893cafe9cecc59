"""Signing in, by password or through a provider, and out; setting a password of one's own."""

import math
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from landform.edge.deps import CurrentProcess, Session, address_of, base_url, process_of
from landform.edge.process import Process
from landform.edge.statuses import status_of
from landform.federation import queries as federation
from landform.federation import saml_extra
from landform.federation.departure import Return
from landform.federation.sign_in import LIFE, begin, finish
from landform.identity import policy, sessions, users
from landform.identity import sign_in as door
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, LandformError, TooManyError, UnauthenticatedError
from landform.web.forms import Refusal, read_form
from landform.web.pages import (
    COOKIE,
    SECURITY_HEADERS,
    CurrentVisitor,
    page,
    redirect,
    set_cookie,
)

router = APIRouter(include_in_schema=False)

DEPARTURE: Final = "landform_departure"
_AWAY: Final = "/login/callback"  # the only place that the cookie of a departure goes to
_UNLIKE: Final = Refusal("The two passwords are not the same.", "again")
_STATE: Final = 4096  # characters

Text = Annotated[str, Form(max_length=4096)]
Told = Annotated[str, Query(max_length=16384)]


@router.get("/login")
async def show(request: Request, process: CurrentProcess, then: str = "/") -> Response:
    """Show the ways to sign in."""
    return await _page(request, process, then=then)


@router.post("/login")
async def sign_in(
    request: Request, process: CurrentProcess, username: Text, password: Text, then: Text = "/"
) -> Response:
    """Open a session, or say that the two do not go together, or that it must wait."""
    stores = process.platform.sessions
    try:
        entry = await door.sign_in(stores, username, password, address=address_of(request))
    except (UnauthenticatedError, TooManyError) as failure:
        answer = await _page(
            request, process, failure=failure, then=then, username=username, field="password"
        )
        return _refused(answer, failure)
    if entry.awaits_code:
        answer = redirect(f"/login/code?{urlencode({'then': then})}")
        set_cookie(request, answer, entry.secret)
        return answer
    return _let_in(request, entry, then)


@router.get("/login/with/{provider_id}")
async def leave(
    request: Request, process: CurrentProcess, provider_id: str, then: str = "/"
) -> Response:
    """Send the browser to a provider."""
    try:
        return await send_away(request, process, provider_id, then)
    except LandformError as failure:
        return await _page(request, process, failure=failure, then=then)


@router.get(_AWAY + "/{provider_id}")
async def come_back(
    request: Request,
    process: CurrentProcess,
    provider_id: str,
    code: Told = "",
    state: Told = "",
    iss: Told = "",
    error: Told = "",
    error_description: Told = "",
) -> Response:
    """Let in whom the provider sends back, or link their account."""
    back = Return(
        cookie=request.cookies.get(DEPARTURE, ""),
        code=code,
        state=state,
        issuer=iss,
        error=error,
        description=error_description,
    )
    return await _arrive(request, process, provider_id, back)


@router.post(_AWAY + "/{provider_id}")
async def come_back_by_form(
    request: Request,
    process: CurrentProcess,
    provider_id: str,
) -> Response:
    """Let in whom a provider sends back by a form (SAML), or link their account.

    The form comes from another site, so that browsers leave our cookies out: it is sent once more,
    by a page of ours. Nothing is looked at before that.
    """
    form = await read_form(request)
    cookie = request.cookies.get(DEPARTURE, "")
    response, state = form.text("SAMLResponse"), form.text("RelayState")
    if not cookie and not form.flag("again"):
        return page(request, "sign_in/hand_over.html", response=response, state=state)
    back = Return(cookie=cookie, state=state[:_STATE], response=response)
    return await _arrive(request, process, provider_id, back)


@router.get("/login/saml/{provider_id}")
async def show_own_metadata(
    request: Request, session: Session, process: CurrentProcess, provider_id: str
) -> Response:
    """Show what we are to a provider that speaks SAML; there is no secret in it."""
    row = await federation.find_saml(session, provider_id)
    base = base_url(request)
    shown = saml_extra.own_metadata(
        process.platform.keyring, row, base=base, callback=f"{base}{_AWAY}/{row.id}"
    )
    return Response(shown, media_type="application/samlmetadata+xml", headers=SECURITY_HEADERS)


async def _arrive(request: Request, process: Process, provider_id: str, back: Return) -> Response:
    visitor = await _visitor(request, process)
    answer: Response
    try:
        arrival = await finish(
            process.federation, provider_id, back, visitor=visitor, address=address_of(request)
        )
    except LandformError as failure:
        if visitor is not None:
            answer = redirect("/account/identities", say=str(failure), failed=True)
        else:
            answer = _refused(await _page(request, process, failure=failure), failure)
    else:
        answer = sent = redirect(arrival.then, say="Linked." if arrival.linked else "")
        if arrival.secret:
            set_cookie(request, sent, arrival.secret)
    answer.delete_cookie(DEPARTURE, path=_AWAY)
    return answer


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
        template, status = "sign_in/code.html", status_of(failure)
        said = Refusal(str(failure), "code")
        return _refused(page(request, template, status=status, then=then, failure=said), failure)
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
    failure = Refusal() if password == again else _UNLIKE
    if not failure:
        try:
            await door.check_own_password(
                process_of(request).platform.sessions,
                visitor.actor,
                old,
                address=address_of(request),
            )
            user = await users.change_password(session, visitor.actor, old=old, new=password)
        except UnauthenticatedError:
            failure = Refusal("This is not the password that you signed in with.", "old")
        except (InvalidError, TooManyError) as refused:
            failure = Refusal.of(refused)
    if failure:
        template = "sign_in/password.html"
        return page(request, template, status=422, visitor=visitor, then=then, failure=failure)
    answer = redirect(then, say="Your password is changed. Other browsers are signed out.")
    set_cookie(request, answer, await sessions.open_session(session, user))
    return answer


async def send_away(
    request: Request,
    process: Process,
    provider_id: str,
    then: str,
    *,
    linking: Actor | None = None,
) -> RedirectResponse:
    """Return the way to a provider; raises as `landform.federation.sign_in.begin`."""
    base = base_url(request)
    departure = await begin(process.federation, provider_id, base=base, then=then, linking=linking)
    answer = RedirectResponse(departure.url, status_code=303, headers=SECURITY_HEADERS)
    # Lax, so that it comes along when the provider sends the browser back.
    answer.set_cookie(
        DEPARTURE,
        departure.cookie,
        httponly=True,
        samesite="lax",
        secure=base.startswith("https://"),
        path=_AWAY,
        max_age=int(LIFE.total_seconds()),
    )
    return answer


async def _page(
    request: Request,
    process: Process,
    *,
    failure: LandformError | None = None,
    then: str = "/",
    username: str = "",
    field: str = "",
) -> Response:
    async with transaction(process.platform.sessions) as session:
        is_first = await users.awaits_first_sign_in(session)
        doors = await federation.open_doors(session)
        found = await policy.get_policy(session)
    values: dict[str, Any] = {
        "then": then,
        "failure": Refusal(str(failure or ""), field),
        "is_first": is_first,
        "username": username,
        "doors": [(f"/login/with/{key}?{urlencode({'then': then})}", name) for key, name in doors],
        "is_local": found.local_sign_in,
    }
    status = status_of(failure) if failure is not None else 200
    return page(request, "sign_in/sign_in.html", status=status, **values)


async def _visitor(request: Request, process: Process) -> Actor | None:
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        return None
    try:
        async with transaction(process.platform.sessions) as session:
            return (await sessions.session_actor(session, secret))[0]
    except UnauthenticatedError:
        return None


def _let_in(request: Request, entry: door.Entry, then: str) -> Response:
    first = f"/password?{urlencode({'then': then})}"
    answer = redirect(first if entry.user.must_change_password else then)
    set_cookie(request, answer, entry.secret)
    return answer


def _refused(answer: Response, failure: LandformError) -> Response:
    if isinstance(failure, TooManyError):
        answer.headers["Retry-After"] = str(math.ceil(failure.retry_after_s))
    return answer
