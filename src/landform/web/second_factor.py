"""A user's own second factor: set up, confirmed, removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import APIRouter, Response

from landform.edge.deps import address_of
from landform.identity import second_factor
from landform.identity import sign_in as door
from landform.identity.models import User
from landform.kit.errors import TooManyError
from landform.web.forms import OwnForm, attempt, refusals_to, sent_back
from landform.web.pages import redirect
from landform.web.visit import AnyVisit, Crumb

router = APIRouter(include_in_schema=False)

_HERE: Final = "/account/two-factor"
_ISSUER: Final = "Landform"


@router.get(_HERE)
async def show(visit: AnyVisit) -> Response:
    """Say whether there is one."""
    return await _page(visit)


@router.post(_HERE)
async def begin(visit: AnyVisit, _: OwnForm) -> Response:
    """Show the secret for the authenticator."""
    keyring = visit.process.platform.keyring
    with refusals_to(_HERE):
        enrolment = await second_factor.begin(visit.session, keyring, visit.actor, _ISSUER)
    return await _page(visit, enrolment=enrolment)


@router.post(f"{_HERE}/confirm")
async def confirm(visit: AnyVisit, form: OwnForm) -> Response:
    """Turn it on, and show the recovery codes this once."""
    keyring = visit.process.platform.keyring
    codes, failure = await attempt(
        visit.session,
        second_factor.confirm(visit.session, keyring, visit.actor, form.line("code")),
    )
    if codes is None:
        # The same secret again, which the authenticator has by now.
        again = await second_factor.begun(visit.session, keyring, visit.actor, _ISSUER)
        return await _page(visit, enrolment=again, failure=failure)
    return await _page(visit, codes=codes)


@router.post(f"{_HERE}/remove")
async def remove(visit: AnyVisit, form: OwnForm) -> Response:
    """Remove it, for whoever has both factors."""
    platform = visit.process.platform
    user = await visit.session.get_one(User, visit.actor.id)
    address = address_of(visit.request)
    password, code = form.text("password"), form.line("code")
    sessions, keyring = platform.sessions, platform.keyring
    with _refusals_of("password"):
        await door.check_own_password(sessions, visit.actor, password, address=address)
    with _refusals_of("code"):
        await door.check_code(sessions, keyring, user, code, address=address)
    with refusals_to(_HERE):
        await second_factor.remove(visit.session, visit.actor, user)
    return redirect(_HERE, say="The second factor was removed.")


@contextmanager
def _refusals_of(field: str) -> Iterator[None]:
    """Have what is wrong with a factor said beside its field, also where it was too often wrong."""
    try:
        with refusals_to(_HERE, at=field):
            yield
    except TooManyError as failure:
        raise sent_back(_HERE, failure, at=field) from None


async def _page(visit: AnyVisit, **shown: Any) -> Response:
    values = {
        "codes": [],
        "enrolment": None,
        "failure": "",
        "is_on": await second_factor.is_on(visit.session, visit.actor.id),
        "left": await second_factor.recovery_codes_left(visit.session, visit.actor),
        **shown,
    }
    return await visit.page(
        "account/two_factor.html",
        section="two-factor",
        status=422 if values["failure"] else 200,
        crumbs=[Crumb("Second factor")],
        follows=(),
        **values,
    )
