"""Terrakube's `job`, which is a run here. Facts: terrakube_backend.md §1.4, terrakube_user.md §4.2.

What is run is said by `templateReference`, by a `tcl` that is one of the templates', or by the
`command` that Terrakube's command line sends; without any of them, as the workspace says.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access.permissions import Permission
from landform.access.service import may
from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    given,
    reads,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube import templates
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    CurrentWorkspace,
    find_workspace,
    new_router,
    refuse_set,
    selection_of,
)
from landform.api.terrakube.statuses import JOB_STATUS, STEP_STATUS, run_statuses
from landform.api.terrakube.templates import Template
from landform.configurations import queries as configurations
from landform.contract import Phase
from landform.kit.errors import InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.runs import approvals, creation, queries, selecting, service
from landform.runs.creation import NewRun
from landform.runs.models import Run, RunPhase
from landform.runs.standing import standing_of
from landform.runs.status import Step, can
from landform.workspaces.models import Workspace

router = new_router()

_NOT_OFFERED: Final = {
    "commit_id": "A job plans the workspace's newest configuration; push the commit instead.",
    "override_branch": "A job plans the workspace's own branch; change the workspace's.",
    "override_source": "A job plans the workspace's own source; change the workspace's.",
    "approval_team": "Who approves is said by the workspace's rule of approvals.",
}
_COMMANDS: Final = {
    "plan": templates.PLAN,
    "apply": templates.PLAN_AND_APPLY,
    "destroy": templates.DESTROY,
}
_VIA: Final = {
    "tfe-ui": "UI",
    "terraform": "CLI",
    "terraform+cloud": "CLI",
    "landform-schedule": "Schedule",
}
_STEP_NUMBER: Final = {Phase.PLAN: 100, Phase.APPLY: 200}
_FIELDS: Final = {
    "id": Field("id"),
    "workspace.id": Field("workspace_id"),
    "status": Field("status", run_statuses),
    "comments": Field("message"),
    "refresh": Field("refresh"),
    "refreshOnly": Field("refresh_only"),
    "planChanges": Field("has_changes"),
    "createdBy": Field("created_by"),
    "createdDate": Field("created_at"),
    "updatedDate": Field("changed_at"),
}


def _template(run: Run) -> Template:
    """Return the template that does what the run does."""
    wanted = (run.plan_only, run.is_destroy and not run.plan_only, run.auto_apply)
    return next(
        each
        for each in templates.ALL
        if (each.kind.plan_only, each.kind.is_destroy, each.kind.auto_apply) == wanted
    )


def _commit(run: Run, context: Context) -> str | None:
    return context.commits.get(run.configuration_version_id)


class JobAttributes(Attributes[Run]):
    """A plan of a workspace's configuration, and its apply."""

    status: str = reads(lambda run: JOB_STATUS[run.status])
    comments: str = reads("message")
    commit_id: str | None = reads(_commit)
    pr_number: int | None = reads(
        lambda run, context: context.pulls.get(run.configuration_version_id)
    )
    template_reference: str = reads(lambda run: _template(run).id)
    tcl: str = reads(lambda run: _template(run).tcl)
    via: str = reads(lambda run: _VIA.get(run.source, run.source))
    refresh: bool
    refresh_only: bool
    plan_changes: bool = reads("has_changes")
    target_addrs: list[str]
    replace_addrs: list[str]
    error: str
    created_by: str
    created_date: datetime = reads("created_at")
    updated_date: datetime = reads("changed_at")


class StepAttributes(Attributes[RunPhase]):
    """The plan of a job, or its apply; `output` is the address of its log."""

    step_number: int = reads(lambda phase: _STEP_NUMBER[phase.phase])
    name: str = reads(lambda phase: phase.phase.capitalize())
    status: str = reads(lambda phase: STEP_STATUS[phase.status])
    output: str = reads(
        lambda phase, context: (
            f"{context.base}/tfoutput/v1/organization/{context.jobs[phase.run_id].organization_id}"
            f"/job/{phase.run_id}/step/{phase.id}"
        )
    )


async def _prepare(rows: Sequence[Run], context: Context) -> None:
    found = await configurations.ingress_of(
        context.session, {row.configuration_version_id for row in rows}
    )
    context.commits.update({key: each.commit_sha for key, each in found.items()})
    context.pulls.update({key: each.pull_request_number for key, each in found.items()})


async def _by_ids(ids: Sequence[str], context: Context) -> list[Run]:
    return await queries.get_many(context.session, context.actor, ids)


async def _steps(rows: Sequence[Run], context: Context) -> dict[str, Sequence[RunPhase]]:
    """Return the phases of each job; a plan that nothing follows is one."""
    found = await queries.phases_of(context.session, [row.id for row in rows])
    context.jobs.update({row.id: row for row in rows})
    return {row.id: found[row.id][: 1 if row.plan_only else 2] for row in rows}


STEP = Resource[RunPhase, Context](
    TERRAKUBE, "step", StepAttributes, relationships=[ToOne("job", "job", id="run_id")]
)
JOB = Resource[Run, Context](
    TERRAKUBE,
    "job",
    JobAttributes,
    relationships=[
        ToOne("organization", "organization"),
        ToOne("workspace", "workspace"),
        ToMany("step", "step", load=_steps, eager=False),
    ],
    by_ids=_by_ids,
    prepare=_prepare,
    sorts=("id", "status", "created_date", "updated_date"),
    filters=("filter", "filter[job]"),
)


class JobInput(Camel):
    """What a client gives of a job; of one that is there, only its `status` can be changed."""

    status: str | UnsetType | None = UNSET
    comments: str | UnsetType | None = UNSET
    command: str | UnsetType | None = UNSET
    template_reference: str | UnsetType | None = UNSET
    tcl: str | UnsetType | None = UNSET
    refresh: bool | UnsetType | None = UNSET
    refresh_only: bool | UnsetType | None = UNSET
    target_addrs: list[str] | UnsetType | None = UNSET
    replace_addrs: list[str] | UnsetType | None = UNSET
    commit_id: str | UnsetType | None = UNSET
    override_branch: str | UnsetType | None = UNSET
    override_source: str | UnsetType | None = UNSET
    approval_team: str | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "job", JobInput, one={"workspace": "workspace"})
One = Annotated[Query, Depends(JOB.query)]
Listed = Annotated[ListQuery, Depends(JOB.list_query)]
Sent = Annotated[Body[JobInput], Depends(INPUT)]

_PATH: Final = "/organization/{organization_id}/job"
_ONE: Final = _PATH + "/{job_id}"


async def _job(organization: CurrentOrganization, job_id: str, context: CurrentContext) -> Run:
    run = await queries.get(context.session, context.actor, job_id)
    if run.organization_id != organization.id:
        raise NotFoundError(f"There is no run {job_id}.")
    return run


CurrentJob = Annotated[Run, Depends(_job)]


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization, query: Listed, context: CurrentContext
) -> Response:
    return await _list(organization, None, query, context)


@router.get("/organization/{organization_id}/workspace/{workspace_id}/job")
async def list_of_workspace(
    organization: CurrentOrganization,
    workspace: CurrentWorkspace,
    query: Listed,
    context: CurrentContext,
) -> Response:
    return await _list(organization, workspace, query, context)


@router.post(_PATH, status_code=201)
async def create(
    organization: CurrentOrganization, body: Sent, query: One, context: CurrentContext
) -> Response:
    workspace = await find_workspace(context, organization, body.need("workspace").id)
    keyring = context.process.platform.keyring
    run = await creation.create_run(
        context.session, keyring, context.actor, workspace, _new(body.attributes)
    )
    return await JOB.one(run, query, context)


@router.get(_ONE)
async def read(job: CurrentJob, query: One, context: CurrentContext) -> Response:
    return await JOB.one(job, query, context)


@router.patch(_ONE, status_code=204)
async def update(job: CurrentJob, body: Sent, context: CurrentContext) -> Response:
    """Approve, reject or cancel it; to say what it is already changes nothing."""
    session, actor, sent = context.session, context.actor, body.attributes
    comment = sent.comments or ""
    match sent.status or JOB_STATUS[job.status]:
        case same if same == JOB_STATUS[job.status]:
            pass
        case "approved":
            await _approve(context, job, comment)
        case "rejected":
            await service.discard(session, actor, job.id, comment=comment)
        case "cancelled" if can(job.status, Step.DISCARD):
            await service.discard(session, actor, job.id, comment=comment)
        case "cancelled":
            await service.cancel(session, actor, job.id, comment=comment)
        case other:
            raise InvalidError(
                f"A job cannot be made {str(other)[:40]!r}, but approved, rejected or cancelled.",
                pointer="status",
            )
    return Response(status_code=204)


@router.get(_ONE + "/step")
async def list_steps(
    job: CurrentJob,
    query: Annotated[ListQuery, Depends(STEP.list_query)],
    context: CurrentContext,
) -> Response:
    rows = (await _steps([job], context))[job.id]
    return await STEP.many(rows, query, context)


@router.get(_ONE + "/step/{step_id}")
async def read_step(
    job: CurrentJob,
    step_id: str,
    query: Annotated[Query, Depends(STEP.query)],
    context: CurrentContext,
) -> Response:
    rows = (await _steps([job], context))[job.id]
    row = next((each for each in rows if each.id == step_id), None)
    if row is None:
        raise NotFoundError(f"There is no step {step_id} of job {job.id}.")
    return await STEP.one(row, query, context)


async def _list(
    organization: Organization, workspace: Workspace | None, query: ListQuery, context: Context
) -> Response:
    found = await selecting.select_runs(
        context.session,
        context.actor,
        organization,
        selection_of(query, "job", _FIELDS),
        query.page,
        workspace=workspace,
    )
    return await JOB.many(found.items, query, context, total=found.total)


async def _approve(context: Context, run: Run, comment: str) -> None:
    """Agree where people are asked; where nobody else is, have it applied, if the actor may."""
    session, actor = context.session, context.actor
    if not (await standing_of(session, run)).is_met:
        run = await approvals.approve(session, actor, run.id, comment=comment)
        workspace = await session.get_one(Workspace, run.workspace_id)
        waits = can(run.status, Step.CONFIRM) and (await standing_of(session, run)).is_met
        if not waits or not await may(session, actor, Permission.QUEUE_APPLY, workspace.place):
            return
        comment = ""
    await service.confirm(session, actor, run.id, comment=comment)


def _new(sent: JobInput) -> NewRun:
    refuse_set(_NOT_OFFERED, given(sent))
    template = _wanted(sent)
    return NewRun(
        message=sent.comments or "",
        plan_only=None if template is None else template.kind.plan_only,
        is_destroy=template is not None and template.kind.is_destroy,
        auto_apply=None if template is None else template.kind.auto_apply,
        refresh=sent.refresh is not False,
        refresh_only=sent.refresh_only is True,
        target_addrs=sent.target_addrs or (),
        replace_addrs=sent.replace_addrs or (),
    )


def _wanted(sent: JobInput) -> Template | None:
    """Return what is to be run; None: as the workspace says."""
    if (template := templates.named(sent.template_reference or "", sent.tcl or "")) is not None:
        return template
    if not sent.command:
        return None
    if sent.command not in _COMMANDS:
        raise InvalidError(
            f"{sent.command[:40]!r} is no command; there are {', '.join(_COMMANDS)}.",
            pointer="command",
        )
    return _COMMANDS[sent.command]
