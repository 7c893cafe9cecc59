"""A user's own second factor: set up, confirmed, removed."""

from typing import Any, Final

from fastapi import APIRouter, Response

from landform.edge.deps import address_of
from landform.identity import second_factor
from landform.identity import sign_in as door
from landform.identity.models import User
from landform.kit.errors import TooManyError
from landform.web.forms import OwnForm, attempt, refusals_to
from landform.web.pages import SendBackError, redirect
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
    with refusals_to(_HERE):
        try:
            await door.check_own_password(
                platform.sessions, visit.actor, form.text("password"), address=address
            )
            await door.check_code(
                platform.sessions, platform.keyring, user, form.line("code"), address=address
            )
        except TooManyError as failure:
            raise SendBackError(_HERE, str(failure)) from None
        await second_factor.remove(visit.session, visit.actor, user)
    return redirect(_HERE, say="The second factor was removed.")


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
