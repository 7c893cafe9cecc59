"""The schedules of a workspace: runs that start by themselves."""

from typing import Final

from fastapi import APIRouter, Response

from landform.access import directory
from landform.access.permissions import Permission
from landform.identity import users
from landform.kit.errors import InvalidError
from landform.schedules import queries, service
from landform.schedules.service import ScheduleSettings
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.present.schedules import KINDS, shown_of
from landform.web.visit import Crumb, InWorkspace
from landform.workspaces.run_kinds import RunKind

router = APIRouter(include_in_schema=False)

_HERE: Final = "/app/{organization}/{workspace}/settings/schedules"


@router.get(_HERE)
async def show(visit: InWorkspace) -> Response:
    """List the schedules, with when each comes next and why one did not."""
    found = await queries.select_schedules(visit.session, visit.actor, visit.workspace)
    ids = [row.acts_for_id for row in found.items]
    names = await users.names_of(visit.session, ids)
    teams = await directory.team_names(visit.session, visit.actor, visit.organization.id, ids)
    return await visit.page(
        "workspaces/schedules.html",
        section="settings",
        follows=("schedules", "runs"),
        crumbs=[Crumb("Settings", f"{visit.path}/settings"), Crumb("Schedules")],
        schedules=[shown_of(row, {**names, **teams}) for row in found.items],
        kinds=[(kind.value, words) for kind, words in KINDS.items()],
        may_update=visit.may(Permission.UPDATE_WORKSPACE),
    )


@router.post(_HERE)
async def create(visit: InWorkspace, form: OwnForm) -> Response:
    """Add a schedule, which acts for the visitor."""
    kind = form.line("run_kind")
    given = ScheduleSettings(
        cron=form.line("cron"),
        time_zone=form.line("time_zone"),
        run_kind=RunKind(kind) if kind in set(RunKind) else None,
        description=form.line("description"),
    )
    back = f"{visit.path}/settings/schedules"
    with refusals_to(back):
        await service.create_schedule(visit.session, visit.actor, visit.workspace, given)
    return redirect(back, say="Runs start by themselves now.")


@router.post(f"{_HERE}/{{schedule_id}}")
async def change(visit: InWorkspace, schedule_id: str, form: OwnForm) -> Response:
    """Switch a schedule on or off, or take it away."""
    back, session, actor = f"{visit.path}/settings/schedules", visit.session, visit.actor
    workspace = visit.workspace
    row = await queries.of_workspace(session, actor, workspace, schedule_id)
    deed = form.line("deed")
    with refusals_to(back):
        if deed == "remove":
            await service.delete_schedule(session, actor, workspace, row)
            return redirect(back, say="The schedule was removed.")
        if deed not in ("on", "off"):
            raise InvalidError("A schedule can be switched on or off, or removed.")
        given = ScheduleSettings(enabled=deed == "on")
        await service.update_schedule(session, actor, workspace, row, given)
    return redirect(back, say=f"The schedule is {deed}.")
