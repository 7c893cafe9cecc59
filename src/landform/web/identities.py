"""A user's own accounts at identity providers: linked and unlinked."""

from typing import Final

from fastapi import APIRouter, Request, Response

from landform.edge.deps import CurrentProcess
from landform.federation import linking, queries
from landform.kit.errors import LandformError
from landform.web.forms import FormAlone, OwnForm, refusals_to
from landform.web.pages import CurrentSession, SendBackError, redirect
from landform.web.sign_in import send_away
from landform.web.visit import AnyVisit, Crumb

router = APIRouter(include_in_schema=False)

_HERE: Final = "/account/identities"


@router.get(_HERE)
async def show(visit: AnyVisit) -> Response:
    """List the visitor's accounts, and the providers at which they could have one."""
    own = await queries.own_identities(visit.session, visit.actor)
    linked = {provider.id for _, provider in own}
    doors = await queries.open_doors(visit.session)
    return await visit.page(
        "account/identities.html",
        section="identities",
        follows=("federation", f"{visit.actor.id}/federation"),
        crumbs=[Crumb("Linked accounts")],
        own=[(row, provider.name) for row, provider in own],
        doors=[(key, name) for key, name in doors if key not in linked],
    )


@router.post(f"{_HERE}/link/{{provider_id}}")
async def link(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    provider_id: str,
    _: FormAlone,
) -> Response:
    """Send the visitor to a provider, to come back with an account there."""
    try:
        return await send_away(request, process, provider_id, _HERE, linking=visitor.actor)
    except LandformError as failure:
        raise SendBackError(_HERE, str(failure)) from None


@router.post(f"{_HERE}/{{identity_id}}/delete")
async def unlink(visit: AnyVisit, identity_id: str, _: OwnForm) -> Response:
    """Forget an account."""
    with refusals_to(_HERE):
        await linking.unlink(visit.session, visit.actor, identity_id)
    return redirect(_HERE, say="Unlinked.")
