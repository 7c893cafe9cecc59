"""Terrakube's `schedule`: jobs of a workspace that start by themselves.

Facts: terrakube_backend.md §1.4 and §6.2 C18, terrakube_user.md §5.2. Beside Terrakube's own
attributes it takes `timeZone`, and shows when the next job starts and why the last did not.
"""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    ToOne,
    given,
    reads,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube import templates
from landform.api.terrakube.dialect import (
    BELOW_ORGANIZATION,
    TERRAKUBE,
    Context,
    CurrentContext,
    WorkspaceAnywhere,
    new_router,
    selection_of,
)
from landform.kit.errors import InvalidError
from landform.schedules import queries, service
from landform.schedules.models import Schedule
from landform.schedules.service import ScheduleSettings

router = new_router()

_FIELDS: Final = {
    "id": Field("id"),
    "cron": Field("cron"),
    "timeZone": Field("time_zone"),
    "description": Field("description"),
    "enabled": Field("enabled"),
    "nextDate": Field("next_at"),
    "createdDate": Field("created_at"),
    "updatedDate": Field("updated_at"),
}


class ScheduleAttributes(Attributes[Schedule]):
    """Jobs that start by themselves, by the permission of whoever set the schedule last.

    `lastOutcome` says why the last time brought no job, `stoppedReason` why there are no more.
    """

    cron: str
    time_zone: str
    template_reference: str = reads(lambda row: templates.of_kind(row.run_kind).id)
    tcl: str = reads(lambda row: templates.of_kind(row.run_kind).tcl)
    description: str | None = reads(lambda row: row.description or None)
    enabled: bool
    acts_for: str = reads("acts_for_id")
    next_date: datetime | None = reads("next_at")
    last_date: datetime | None = reads("last_at")
    last_job: str | None = reads("last_run_id")
    last_outcome: str
    stopped_reason: str
    created_by: str
    created_date: datetime = reads("created_at")
    updated_by: str
    updated_date: datetime = reads("updated_at")


SCHEDULE = Resource[Schedule, Context](
    TERRAKUBE,
    "schedule",
    ScheduleAttributes,
    relationships=[ToOne("workspace", "workspace")],
    sorts=("cron", "created_date", "updated_date", "next_date"),
    filters=("filter", "filter[schedule]"),
)


class ScheduleInput(Camel):
    """What a client gives of a schedule."""

    cron: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    template_reference: str | UnsetType | None = UNSET
    tcl: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "schedule", ScheduleInput)
One = Annotated[Query, Depends(SCHEDULE.query)]
Listed = Annotated[ListQuery, Depends(SCHEDULE.list_query)]
Sent = Annotated[Body[ScheduleInput], Depends(INPUT)]

# The provider leaves the organization out.
_ROOT: Final = "/workspace/{workspace_id}/schedule"
_PATH: Final = "/organization/{organization_id}" + _ROOT
_ROOT_ONE: Final = _ROOT + "/{schedule_id}"
_ONE: Final = _PATH + "/{schedule_id}"


async def _schedule(
    workspace: WorkspaceAnywhere, schedule_id: str, context: CurrentContext
) -> Schedule:
    return await queries.of_workspace(context.session, context.actor, workspace, schedule_id)


CurrentSchedule = Annotated[Schedule, Depends(_schedule)]


@router.get(_ROOT)
@router.get(_PATH, dependencies=[BELOW_ORGANIZATION])
async def list_of_workspace(
    workspace: WorkspaceAnywhere, query: Listed, context: CurrentContext
) -> Response:
    found = await queries.select_schedules(
        context.session,
        context.actor,
        workspace,
        selection_of(query, "schedule", _FIELDS),
        query.page,
    )
    return await SCHEDULE.many(found.items, query, context, total=found.total)


@router.post(_ROOT, status_code=201)
@router.post(_PATH, status_code=201, dependencies=[BELOW_ORGANIZATION])
async def create(
    workspace: WorkspaceAnywhere, body: Sent, query: One, context: CurrentContext
) -> Response:
    settings = _settings(body)
    if settings.run_kind is None:
        raise InvalidError(
            "A schedule names what is run with templateReference.", pointer="template_reference"
        )
    row = await service.create_schedule(context.session, context.actor, workspace, settings)
    return await SCHEDULE.one(row, query, context)


@router.get(_ROOT_ONE)
@router.get(_ONE, dependencies=[BELOW_ORGANIZATION])
async def read(schedule: CurrentSchedule, query: One, context: CurrentContext) -> Response:
    return await SCHEDULE.one(schedule, query, context)


@router.patch(_ROOT_ONE, status_code=204)
@router.patch(_ONE, status_code=204, dependencies=[BELOW_ORGANIZATION])
async def update(
    workspace: WorkspaceAnywhere, schedule: CurrentSchedule, body: Sent, context: CurrentContext
) -> Response:
    await service.update_schedule(
        context.session, context.actor, workspace, schedule, _settings(body)
    )
    return Response(status_code=204)


@router.delete(_ROOT_ONE, status_code=204)
@router.delete(_ONE, status_code=204, dependencies=[BELOW_ORGANIZATION])
async def delete(
    workspace: WorkspaceAnywhere, schedule: CurrentSchedule, context: CurrentContext
) -> Response:
    await service.delete_schedule(context.session, context.actor, workspace, schedule)
    return Response(status_code=204)


def _settings(body: Body[ScheduleInput]) -> ScheduleSettings:
    """Translate Terrakube's names; null means "leave it", but of a description."""
    sent = given(body.attributes)
    template = templates.named(sent.get("template_reference"), sent.get("tcl"))
    no_description = "description" in sent and sent["description"] is None
    return ScheduleSettings(
        cron=sent.get("cron"),
        time_zone=sent.get("time_zone"),
        run_kind=template.kind if template else None,
        description="" if no_description else sent.get("description"),
        enabled=sent.get("enabled"),
    )
