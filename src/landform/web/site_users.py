"""Everybody who has an account, for site admins."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from landform.identity import accounts, second_factor, users
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.present.pages import Pages
from landform.web.visit import AnyVisit, Crumb, Visit

router = APIRouter(include_in_schema=False)

_HERE: Final = "/site/users"
_SIZE: Final = 50
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get(_HERE)
async def show(visit: AnyVisit, page: Number = 1) -> Response:
    """List the users."""
    return await _page(visit, page)


@router.post(_HERE)
async def create(visit: AnyVisit, form: OwnForm) -> Response:
    """Make a user, and show their one-time password, this once."""
    with refusals_to(_HERE):
        user, password = await accounts.make_account(
            visit.session,
            visit.actor,
            username=form.line("username"),
            email=form.line("email"),
            is_site_admin=form.flag("is_site_admin"),
        )
    return await _page(visit, 1, user.username, password)


@router.post(f"{_HERE}/{{user_id}}")
async def change(visit: AnyVisit, user_id: str, form: OwnForm) -> Response:
    """Suspend or reinstate a user, or help one who cannot come in any more."""
    session, actor = visit.session, visit.actor
    user = await users.get(session, actor, user_id)
    with refusals_to(_HERE):
        match form.line("deed"):
            case "suspend":
                await users.suspend(session, actor, user)
                said = f"{user.username} is suspended."
            case "reinstate":
                await users.reinstate(session, actor, user)
                said = f"{user.username} can sign in again."
            case "second-factor":
                await second_factor.remove(session, actor, user)
                said = f"{user.username} signs in without a second factor."
            case "password":
                password = await accounts.reset_password(session, actor, user)
                return await _page(visit, 1, user.username, password)
            case _:
                raise InvalidError("There is no such deed.")
    return redirect(_HERE, say=said)


async def _page(visit: Visit, number: int, name: str = "", password: str = "") -> Response:
    wanted = Page(number=number, size=_SIZE)
    found = await users.list_(visit.session, visit.actor, wanted)
    has_factor = await second_factor.whose(visit.session, [user.id for user in found.items])
    return await visit.page(
        "site/users.html",
        section="site-users",
        follows=("identity", "directories"),
        crumbs=[Crumb("Users")],
        users=found.items,
        has_factor=has_factor,
        name=name,
        password=password,
        pages=Pages(_HERE, {}, wanted, found.total),
    )
