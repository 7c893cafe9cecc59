"""A user's own API tokens, and the browsers in which they are signed in."""

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response

from landform.identity import sessions, tokens
from landform.identity.actor import ActorKind
from landform.kit.clock import now
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import COOKIE, redirect
from landform.web.visit import AnyVisit, Crumb

router = APIRouter(include_in_schema=False)

_HERE: Final = "/account/tokens"
_SESSIONS: Final = "/account/sessions"
_SHOWN: Final = Page(number=1, size=200)
_LIVES: Final = {"30": "30 days", "90": "90 days", "365": "a year", "": "until revoked"}


@router.get(_HERE)
async def show(visit: AnyVisit) -> Response:
    """List the tokens; none of their secrets can be had again."""
    return await _page(visit)


@router.post(_HERE)
async def create(visit: AnyVisit, form: OwnForm) -> Response:
    """Make a token and show its secret, this once."""
    days = form.line("days")
    with refusals_to(_HERE, names={"expired_at": "days"}):
        if days not in _LIVES:
            raise InvalidError(
                "A token lives 30, 90 or 365 days, or until it is withdrawn.", pointer="days"
            )
        _, secret = await tokens.issue(
            visit.session,
            visit.actor,
            owner_kind=ActorKind.USER,
            owner_id=visit.actor.id,
            description=form.line("description"),
            expires_at=now() + timedelta(days=int(days)) if days else None,
        )
    return await _page(visit, secret)


@router.post(f"{_HERE}/{{token_id}}/delete")
async def withdraw(visit: AnyVisit, token_id: str, form: OwnForm) -> Response:
    """Withdraw a token; it stops working at once."""
    token = await tokens.get(visit.session, visit.actor, token_id)
    await tokens.revoke(visit.session, visit.actor, token)
    return redirect(_HERE, say="The token was withdrawn.")


@router.get(_SESSIONS)
async def show_sessions(visit: AnyVisit) -> Response:
    """List the browsers in which the visitor is signed in."""
    return await visit.page(
        "account/sessions.html",
        section="sessions",
        follows=(f"{visit.actor.id}/identity",),
        crumbs=[Crumb("Sessions")],
        sessions=await sessions.list_(visit.session, visit.actor),
        here=visit.visitor.session_id,
    )


@router.post(f"{_SESSIONS}/others/delete")
async def sign_out_elsewhere(visit: AnyVisit, _: OwnForm) -> Response:
    """Sign out every browser but this one."""
    secret = visit.request.cookies.get(COOKIE, "")
    count = await sessions.revoke_others(visit.session, visit.actor, secret)
    return redirect(_SESSIONS, say=f"Signed out elsewhere: {count}.")


@router.post(f"{_SESSIONS}/{{session_id}}/delete")
async def sign_out_there(visit: AnyVisit, session_id: str, _: OwnForm) -> Response:
    """Sign out one browser, be it this one."""
    await sessions.revoke(visit.session, visit.actor, session_id)
    return redirect(_SESSIONS, say="Signed out there.")


async def _page(visit: AnyVisit, secret: str = "") -> Response:
    found = await tokens.list_(visit.session, visit.actor, visit.actor.id, _SHOWN)
    return await visit.page(
        "account/tokens.html",
        section="tokens",
        follows=(f"{visit.actor.id}/identity",),
        crumbs=[Crumb("API tokens")],
        tokens=found.items,
        secret=secret,
        lives=list(_LIVES.items()),
    )
