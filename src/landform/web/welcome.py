"""The first three steps of a new installation, or of somebody new to it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from landform.access.permissions import NOTHING, Permission, Place
from landform.access.service import permissions
from landform.edge.deps import CurrentProcess, base_url
from landform.kit.db import transaction
from landform.kit.pagination import Page
from landform.organizations.events import OrganizationCreated
from landform.organizations.models import Organization
from landform.runs import overview
from landform.runs.example import plan_example
from landform.web.forms import FormAlone, refusals_to
from landform.web.pages import CurrentSession, redirect
from landform.web.visit import AnyVisit, Crumb, Visit, enter
from landform.workspaces import organizations

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=300)]


@router.get("/welcome")
async def show(visit: AnyVisit, organization: Text = "") -> Response:
    """Lead to a first run; each step says whether it is done."""
    first = Page(number=1, size=1)
    owner = await _owner(visit, organization)
    workspace, held = None, NOTHING
    if owner is not None:
        place = Place(organization_id=owner.id)
        held = await permissions(visit.session, visit.actor, place)
        listed = await overview.list_with_runs(
            visit.session, visit.actor, owner, sort="-changed", page=first
        )
        workspace = listed.items[0] if listed.items else None
    url = base_url(visit.request)
    return await visit.page(
        "layout/welcome.html",
        section="welcome",
        follows=_events_of(owner),
        crumbs=[Crumb("First steps")],
        organization=owner,
        workspace=workspace,
        may_start=Permission.CREATE_WORKSPACE in held,
        may_connect=Permission.MANAGE_VCS in held,
        host=url.split("://", 1)[-1],
    )


def _events_of(owner: Organization | None) -> list[str]:
    if owner is None:
        return [OrganizationCreated.__name__]
    return [f"{owner.id}/{noun}" for noun in ("access", "workspaces", "runs")]


async def _owner(visit: AnyVisit, name: str) -> Organization | None:
    """Return the organization that is named, or else one of the visitor's, if there is any."""
    if name:
        return (await enter(visit, name)).organization
    first = Page(number=1, size=1)
    found = await organizations.list_organizations(visit.session, visit.actor, page=first)
    return found.items[0] if found.items else None


@router.post("/organizations/{organization}/example")
async def run_example(
    request: Request,
    process: CurrentProcess,
    visitor: CurrentSession,
    _form: FormAlone,
    organization: str,
) -> Response:
    """Make a workspace of the example, plan it, and lead to the run, which waits for a yes."""
    platform = process.platform
    async with transaction(platform.sessions) as session:
        owner = (await enter(Visit(request, session, visitor), organization)).organization
    with refusals_to(f"/welcome?organization={owner.name}"):
        workspace, run = await plan_example(
            platform.sessions, platform.store, platform.keyring, visitor.actor, owner
        )
    return redirect(f"/app/{owner.name}/{workspace.name}/runs/{run.id}")
