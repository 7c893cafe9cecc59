"""Pages: templates, the signed-in browser, and what keeps one site from posting as another."""

import hashlib
import hmac
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException

from landform.edge.deps import Session, process_of
from landform.edge.statuses import status_of
from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.db import transaction
from landform.kit.errors import ForbiddenError, LandformError, UnauthenticatedError
from landform.web import flash
from landform.web.present.text import FILTERS
from landform.web.static_files import asset

log = structlog.get_logger()

COOKIE: Final = "landform_session"
THEME_COOKIE: Final = "landform_theme"
THEMES: Final = ("auto", "light", "dark")
_BEFORE_OWN_PASSWORD: Final = ("/password", "/logout")
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
    """Nobody is signed in in this browser; the page asked for is shown after signing in."""

    def __init__(self, then: str) -> None:
        super().__init__("Sign in first.")
        self.then = then


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
    then = asked if request.method == "GET" else "/"
    try:
        actor, row = await sessions.session_actor(session, secret)
    except UnauthenticatedError:
        raise SignInFirstError(then) from None
    request.state.actor = actor  # for whoever tells of a refusal
    user = await session.get_one(User, actor.id)
    if user.must_change_password and request.url.path not in _BEFORE_OWN_PASSWORD:
        raise OwnPasswordFirstError(then)
    return Visitor(actor, secret, row.id)


CurrentVisitor = Annotated[Visitor, Depends(_visitor)]

# For pages that read the object store, which they must not do inside a transaction.
CurrentSession = Annotated[Visitor, Depends(_visitor_alone)]


class SendBackError(LandformError):
    """A form was refused for a reason that the page it came from can say."""

    def __init__(self, to: str, reason: str) -> None:
        super().__init__(reason)
        self.to = to


def page(request: Request, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the template filled with `values`."""
    theme = request.cookies.get(THEME_COOKIE, "auto")
    given = {
        "visitor": None,
        "shell": None,
        "theme": theme if theme in THEMES else "auto",
        "said": flash.heard(request),
        "path": request.url.path,
        **values,
    }
    answer = _templates.TemplateResponse(request, template, given, status_code=status)
    answer.headers.update(SECURITY_HEADERS)
    flash.forget(request, answer)
    return answer


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
        return redirect(f"/login?{urlencode({'then': failure.then})}")
    if isinstance(failure, SendBackError):
        return redirect(failure.to, say=str(failure), failed=True)
    if isinstance(failure, OwnPasswordFirstError):
        return redirect(f"/password?{urlencode({'then': failure.then})}")
    if isinstance(failure, HTTPException):
        status, detail = failure.status_code, str(failure.detail)
    elif isinstance(failure, RequestValidationError):
        status, detail = 400, "Something in the address or the form is missing or malformed."
    else:
        status, detail = status_of(failure), str(failure)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("a page failed", path=request.url.path, exc_info=failure)
        detail = "This is our mistake; it was written to the server's log."
    title = HTTPStatus(status).phrase
    return page(
        request, "layout/failure.html", status=status, code=status, title=title, detail=detail
    )
