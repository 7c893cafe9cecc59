"""Pages: templates, the signed-in browser, and what keeps one site from posting as another."""

import hashlib
import hmac
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.routing import Match

from landform.edge.deps import Session, process_of
from landform.edge.statuses import status_of
from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.db import transaction
from landform.kit.errors import ForbiddenError, LandformError, UnauthenticatedError
from landform.web import flash
from landform.web.present.pages import with_query
from landform.web.present.text import FILTERS
from landform.web.regions import Reading, mark_of, regions_of
from landform.web.returning import SENT, Sent, show_again
from landform.web.static_files import asset

log = structlog.get_logger()

COOKIE: Final = "landform_session"
READING: Final = "landform.reading"  # of a request's scope: the page is read for who follows it
_MARK: Final = "mark-of-what-is-shown"
THEME_COOKIE: Final = "landform_theme"
THEMES: Final = ("auto", "light", "dark")
_BEFORE_OWN_PASSWORD: Final = ("/password", "/logout")
_LOST: Final = "You were signed out meanwhile, and nothing was changed. Sign in, and send it again."
_TITLES: Final = {
    400: "That cannot be read",
    403: "Not yours to do",
    404: "Nothing here",
    409: "Not now",
    422: "That cannot be",
    429: "Too much at once",
    500: "Our mistake",
    503: "Not there at the moment",
}
_NOWHERE: Final = (
    "No page has this address. It may be mistyped, or what it was of was renamed or deleted."
)
_HERE: Final = Path(__file__).parent

_templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)

_templates.env.filters.update(FILTERS)
_templates.env.globals["asset"] = asset

# No script but our own, no frame around us, and no address of ours told to other sites: signed
# addresses are permissions.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class SignInFirstError(UnauthenticatedError):
    """Nobody is signed in in this browser; the page asked for is shown after signing in.

    Attributes:
        is_lost: a form was sent, and nothing of it was taken.
    """

    def __init__(self, then: str, *, is_lost: bool = False) -> None:
        super().__init__("Sign in first.")
        self.then = then
        self.is_lost = is_lost


class OwnPasswordFirstError(ForbiddenError):
    """The password was set by somebody else; nothing can be done with it but to set another."""

    def __init__(self, then: str) -> None:
        super().__init__("Set a password of your own first.")
        self.then = then


class Visitor:
    """Whoever is signed in in this browser."""

    def __init__(self, actor: Actor, secret: str, session_id: str) -> None:
        self.actor = actor
        self.session_id = session_id
        self._secret = secret

    @property
    def form_token(self) -> str:
        """What every form carries, so that only our own pages can post for this browser."""
        digest = hmac.digest(self._secret.encode(), b"landform form", hashlib.sha256)
        return digest.hex()

    def seal(self, text: str) -> str:
        """Return what shows that `text` was said to this browser."""
        return hmac.digest(self._secret.encode(), b"landform seal " + text.encode(), "sha256").hex()

    def is_sealed(self, text: str, seal: str) -> bool:
        """Tell whether `text` was said to this browser, with this seal."""
        return hmac.compare_digest(seal.encode(), self.seal(text).encode())

    def require_own_form(self, token: object) -> None:
        """Raise ForbiddenError unless `token` is what our own forms carry."""
        if not isinstance(token, str) or not hmac.compare_digest(token, self.form_token):
            raise ForbiddenError("This form is out of date. Go back, reload, and try again.")


async def _visitor(request: Request, session: Session) -> Visitor:
    return await _signed_in(request, session)


async def _visitor_alone(request: Request) -> Visitor:
    async with transaction(process_of(request).platform.sessions) as session:
        return await _signed_in(request, session)


async def _signed_in(request: Request, session: AsyncSession) -> Visitor:
    secret = request.cookies.get(COOKIE, "")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_form = request.method != "GET"
    then = _page_of_form(request) if is_form else asked
    try:
        actor, row = await sessions.session_actor(session, secret)
    except UnauthenticatedError:
        raise SignInFirstError(then, is_lost=is_form) from None
    request.state.actor = actor  # for whoever tells of a refusal
    user = await session.get_one(User, actor.id)
    if user.must_change_password and request.url.path not in _BEFORE_OWN_PASSWORD:
        raise OwnPasswordFirstError(then)
    return Visitor(actor, secret, row.id)


def _page_of_form(request: Request) -> str:
    """Return the page that a form was on: that at its address, or else the nearest above."""
    path = request.url.path.rstrip("/")
    while path:
        scope = {**request.scope, "method": "GET", "path": path}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            return path
        path = path.rpartition("/")[0]
    return "/"


CurrentVisitor = Annotated[Visitor, Depends(_visitor)]

# For pages that read the object store, which they must not do inside a transaction.
CurrentSession = Annotated[Visitor, Depends(_visitor_alone)]


class SendBackError(LandformError):
    """A form was refused for a reason that the page it came from can say.

    That page answers with the form as it was sent, or is led to where nothing was typed.
    """

    def __init__(self, to: str, reason: str, *, pointer: str = "") -> None:
        super().__init__(reason, pointer=pointer)
        self.to = to


def page(
    request: Request,
    template: str,
    /,
    *,
    status: int = 200,
    follows: tuple[str, ...] = (),
    **values: Any,
) -> HTMLResponse:
    """Return the template filled with `values`.

    Args:
        follows: what the page is about (`landform.web.following`); what answers a form, or says
            what is wrong, can be asked for by no address and follows nothing.
    """
    theme = request.cookies.get(THEME_COOKIE, "auto")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if request.scope.get(SENT) else status
    is_followed = bool(follows) and request.method == "GET" and status == HTTPStatus.OK
    given = {
        "visitor": None,
        "shell": None,
        "theme": theme if theme in THEMES else "auto",
        "said": flash.heard(request),
        "path": request.url.path,
        **refused_form(request, values.get("failure", "")),
        "follow": _following(request, values["visitor"], follows) if is_followed else "",
        **values,
    }
    html = fragment(template, **given)
    if given["wrong"]:
        if f'id="e-{given["wrong"]}"' not in html:  # it has no such field: say it above
            html = fragment(template, **(given | {"wrong": ""}))
        elif given["sent"]:
            given["sent"].is_shown = True
    if is_followed:
        regions = regions_of(html)
        if READING in request.scope:
            reading: Reading = request.scope[READING]
            reading.regions, reading.follows = regions, follows
        shown, end, rest = html.rpartition("<!--/page-->")
        html = shown + end + rest.replace(_MARK, mark_of(regions), 1)
    answer = HTMLResponse(html, status_code=status, headers=SECURITY_HEADERS)
    flash.forget(request, answer)
    return answer


def refused_form(request: Request, failure: str = "") -> dict[str, Any]:
    """Return what macros of `layout/parts.html` ask of a form that was refused.

    A part of a page that is rendered apart from it needs it too.
    """
    sent: Sent | None = request.scope.get(SENT)
    return {
        # The field that is wrong; it is said beside it.
        "wrong": sent.wrong if sent else getattr(failure, "pointer", ""),
        "refusal": sent.said.text if sent else failure,
        "sent": sent,
    }


def follow_seal(path: str, on: str) -> str:
    """Return what is sealed when a page is shown that can be followed."""
    return f"{path} {on}"


def _following(request: Request, visitor: Visitor, follows: tuple[str, ...]) -> str:
    path = quote(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
    on = ",".join(follows)
    seal = visitor.seal(follow_seal(path, on))
    return with_query("/follow", {"page": path, "on": on, "seal": seal, "since": _MARK})


def fragment(template: str, /, **values: Any) -> str:
    """Return the template filled with `values` as text, for a part of a page."""
    return _templates.env.get_template(template).render(**values)


def redirect(to: str, *, say: str = "", failed: bool = False) -> RedirectResponse:
    """Send the browser on, with GET, after a form; only to a path of our own.

    Args:
        say: what the next page says of the form.
    """
    own = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    answer = RedirectResponse(own, status_code=303, headers=SECURITY_HEADERS)
    if say:
        flash.say(answer, say, failed=failed)
    return answer


def set_cookie(request: Request, answer: RedirectResponse, secret: str) -> None:
    """Keep the browser signed in, beyond the reach of scripts and of other sites' requests."""
    url = process_of(request).public_url or str(request.base_url)
    answer.set_cookie(
        COOKIE,
        secret,
        httponly=True,
        samesite="lax",
        secure=url.startswith("https://"),
        path="/",
    )


async def failure_page(request: Request, failure: Exception) -> Response:
    """Answer what went wrong as a page; who is not signed in is sent to sign in."""
    if isinstance(failure, SignInFirstError):
        if "text/event-stream" in request.headers.get("accept", ""):
            # Of a page that stays: its script says so, and asks less and less often.
            return Response(status_code=HTTPStatus.UNAUTHORIZED, headers=SECURITY_HEADERS)
        lost = _LOST if failure.is_lost else ""
        return redirect(f"/login?{urlencode({'then': failure.then})}", say=lost, failed=True)
    if isinstance(failure, SendBackError):
        again = None
        if fields := getattr(request.state, "fields", {}):
            sent = Sent(fields, str(failure), failure.pointer)
            again = await show_again(request, failure.to, sent)
        return again or redirect(failure.to, say=str(failure), failed=True)
    if isinstance(failure, OwnPasswordFirstError):
        return redirect(f"/password?{urlencode({'then': failure.then})}")
    if isinstance(failure, HTTPException):
        status, detail = failure.status_code, str(failure.detail)
        detail = _NOWHERE if detail == HTTPStatus.NOT_FOUND.phrase else detail
    elif isinstance(failure, RequestValidationError):
        status, detail = 400, "Something in the address or the form is missing or malformed."
    else:
        status, detail = status_of(failure), str(failure)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("a page failed", path=request.url.path, exc_info=failure)
        detail = "This is our mistake; it was written to the server's log."
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    return page(
        request, "layout/failure.html", status=status, code=status, title=title, detail=detail
    )
