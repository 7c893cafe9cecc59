"""The first three steps of a new installation, or of somebody new to it."""

from fastapi import APIRouter, Response

from landform.access.permissions import NOTHING, Permission, Place
from landform.access.service import permissions
from landform.edge.deps import base_url
from landform.kit.pagination import Page
from landform.runs import overview
from landform.web.visit import AnyVisit, Crumb
from landform.workspaces import organizations

router = APIRouter(include_in_schema=False)


@router.get("/welcome")
async def show(visit: AnyVisit) -> Response:
    """Lead to a first run; each step says whether it is done."""
    first = Page(number=1, size=1)
    found = await organizations.list_organizations(visit.session, visit.actor, page=first)
    organization = found.items[0] if found.items else None
    workspace, held = None, NOTHING
    if organization is not None:
        place = Place(organization_id=organization.id)
        held = await permissions(visit.session, visit.actor, place)
        listed = await overview.list_with_runs(
            visit.session, visit.actor, organization, sort="-changed", page=first
        )
        workspace = listed.items[0] if listed.items else None
    url = base_url(visit.request)
    return await visit.page(
        "layout/welcome.html",
        section="welcome",
        crumbs=[Crumb("First steps")],
        organization=organization,
        workspace=workspace,
        may_start=Permission.CREATE_WORKSPACE in held,
        may_connect=Permission.MANAGE_VCS in held,
        host=url.split("://", 1)[-1],
    )
