"""Terrakube's `workspace`. Facts: terrakube_backend.md §1.4, terrakube_user.md §5."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Response

from landform.api.jsonapi import (
    Attributes,
    Body,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    given,
    reads,
    seen,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    BELOW_ORGANIZATION,
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    CurrentWorkspace,
    WorkspaceAnywhere,
    new_router,
    selection_of,
)
from landform.api.terrakube.statuses import JOB_STATUS, NEVER
from landform.api.terrakube.templates import default_of
from landform.api.terrakube.workspace_input import (
    NO_BRANCH,
    NO_SOURCE,
    FoundRepository,
    Sent,
    WorkspaceInput,
    keep_repository,
    settings_of,
    shared_ids,
)
from landform.organizations.models import Organization
from landform.runs import deletion, locks
from landform.runs import queries as runs
from landform.schedules import queries as schedules
from landform.schedules.models import Schedule
from landform.toolchain.versions import Tool
from landform.triggers import webhooks
from landform.variables import queries as variables
from landform.variables.queries import ShownVariable
from landform.vcs import queries as vcs
from landform.vcs.providers.git.urls import address_of
from landform.workspaces import module_keys, projects, queries, repositories, service, sharing
from landform.workspaces.models import ExecutionMode, LockHolder, Project, Workspace

router = new_router()

_FIELDS: Final = {
    "id": Field("id"),
    "name": Field("name"),
    "description": Field("description"),
    "folder": Field("working_directory", lambda folder: (folder.lstrip("/"),)),
    "iacType": Field("tool"),
    "terraformVersion": Field("tool_version"),
    "executionMode": Field("execution_mode"),
    "globalRemoteState": Field("global_remote_state"),
    "createdDate": Field("created_at"),
    "updatedDate": Field("updated_at"),
}


def _source(workspace: Workspace, context: Context) -> str:
    row = context.repositories.get(workspace.id)
    if row is None:
        return NO_SOURCE
    reached = context.by_ssh.get(row.connection_id)
    if row.web_url or reached is None:
        return row.web_url
    return address_of(row.repository_id, reached.endpoint, reached.username)


def _branch(workspace: Workspace, context: Context) -> str:
    row = context.repositories.get(workspace.id)
    return row.followed_branch if row else NO_BRANCH


def _connection(workspace: Workspace, context: Context) -> str | None:
    """Return how its repository is reached, but for what a key was named for alone."""
    row = context.repositories.get(workspace.id)
    return row.connection_id if row and _key(workspace, context) is None else None


def _key(workspace: Workspace, context: Context) -> str | None:
    row = context.repositories.get(workspace.id)
    found = context.by_ssh.get(row.connection_id) if row else None
    return found.ssh_key_id if found else None


def _webhook(workspace: Workspace, context: Context) -> str | None:
    row = context.webhooks.get(workspace.id)
    return row.id if row else None


def _is_locked(workspace: Workspace) -> bool:
    """Tell of locks that last: one of a run at work ends by itself, and has no reason."""
    kept = workspace.lock_holder_kind is not LockHolder.RUN or workspace.lock_reason
    return workspace.is_locked and bool(kept)


def _last_status(workspace: Workspace, context: Context) -> str:
    run = context.newest_runs.get(workspace.id)
    return JOB_STATUS[run.status] if run else NEVER


def _last_date(workspace: Workspace, context: Context) -> datetime | None:
    run = context.newest_runs.get(workspace.id)
    return run.changed_at if run else None


class WorkspaceAttributes(Attributes[Workspace]):
    """One state, its settings and its queue of jobs.

    `defaultTemplate` says whether runs apply by themselves; `sharedIds` whose jobs may read the
    state, where not all of the organization's may.
    """

    name: str
    description: str | None = reads(lambda workspace: workspace.description or None)
    source: str = reads(_source)
    branch: str = reads(_branch)
    folder: str = reads(lambda workspace: f"/{workspace.working_directory}")
    iac_type: Tool = reads("tool")
    terraform_version: str = reads("tool_version")
    execution_mode: ExecutionMode
    default_template: str = reads(lambda each: default_of(auto_apply=each.auto_apply).id)
    locked: bool = reads(_is_locked)
    lock_description: str | None = reads(
        lambda workspace: workspace.lock_reason or None if _is_locked(workspace) else None
    )
    deleted: bool = reads(lambda _: False)
    allow_remote_apply: bool = reads(lambda _: False)
    global_remote_state: bool
    module_ssh_key: str | None = reads("ssh_key_id")
    shared_ids: str = reads(lambda w, context: ",".join(context.consumers.get(w.id, ())))
    last_job_status: str = reads(_last_status)
    last_job_date: datetime | None = reads(_last_date)
    created_date: datetime = reads("created_at")
    updated_date: datetime = reads("updated_at")


async def _by_ids(ids: Sequence[str], context: Context) -> list[Workspace]:
    return await seen(lambda each: queries.get(context.session, context.actor, each), ids)


async def _prepare(workspaces: Sequence[Workspace], context: Context) -> None:
    session = context.session
    context.repositories.update(await repositories.repositories_of(session, list(workspaces)))
    reached_by = {row.connection_id for row in context.repositories.values()}
    context.by_ssh.update(await vcs.by_ssh(session, reached_by))
    context.newest_runs.update(await runs.last_runs(session, workspaces))
    context.webhooks.update(await webhooks.webhooks_of(session, workspaces))
    context.consumers.update(await sharing.named_consumers(session, context.actor, workspaces))


async def _variables(
    workspaces: Sequence[Workspace], context: Context
) -> dict[str, Sequence[ShownVariable]]:
    """Return the variables of those workspaces whose variables the actor may read."""
    keyring = context.process.platform.keyring
    by_id = {workspace.id: workspace for workspace in workspaces}

    async def read(workspace_id: str) -> tuple[str, Sequence[ShownVariable]]:
        workspace = by_id[workspace_id]
        return workspace_id, await variables.list_variables(
            context.session, keyring, context.actor, workspace
        )

    return dict(await seen(read, by_id))


async def _schedules(
    workspaces: Sequence[Workspace], context: Context
) -> dict[str, Sequence[Schedule]]:
    return await schedules.of_workspaces(context.session, context.actor, workspaces)


WORKSPACE = Resource[Workspace, Context](
    TERRAKUBE,
    "workspace",
    WorkspaceAttributes,
    relationships=[
        ToOne("organization", "organization"),
        ToOne("project", "project"),
        ToOne("vcs", "vcs", id=_connection),
        ToOne("ssh", "ssh", id=_key),
        ToMany("variable", "variable", load=_variables, eager=False),
        ToOne("webhook", "webhook", id=_webhook),
        ToMany("schedule", "schedule", load=_schedules, eager=False),
    ],
    by_ids=_by_ids,
    prepare=_prepare,
    sorts=("name", "created_date", "updated_date"),
    filters=("filter", "filter[workspace]"),
)

One = Annotated[Query, Depends(WORKSPACE.query)]

_PATH: Final = "/organization/{organization_id}/workspace"
_ONE: Final = _PATH + "/{workspace_id}"


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(WORKSPACE.list_query)],
    context: CurrentContext,
) -> Response:
    found = await queries.select_workspaces(
        context.session,
        context.actor,
        organization,
        selection_of(query, "workspace", _FIELDS),
        query.page,
    )
    return await WORKSPACE.many(found.items, query, context, total=found.total)


@router.post(_PATH, status_code=201)
async def create(
    body: Sent,
    found: FoundRepository,
    organization: CurrentOrganization,
    query: One,
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    workspace = await service.create_workspace(
        session,
        actor,
        organization,
        settings_of(body),
        project=await _project(context, organization, body),
    )
    await _keep_rest(context, workspace, body)
    if found is not None:
        await keep_repository(context, workspace, body, found)
    return await WORKSPACE.one(workspace, query, context)


@router.get("/workspace/{workspace_id}")
@router.get(_ONE, dependencies=[BELOW_ORGANIZATION])
async def read(workspace: WorkspaceAnywhere, query: One, context: CurrentContext) -> Response:
    return await WORKSPACE.one(workspace, query, context)


@router.patch(_ONE, status_code=204)
async def update(
    body: Sent,
    found: FoundRepository,
    organization: CurrentOrganization,
    workspace: CurrentWorkspace,
    context: CurrentContext,
) -> Response:
    """Change it, or delete it: what else a client says of one that it deletes is of no use."""
    session, actor = context.session, context.actor
    if body.attributes.deleted is True:
        await deletion.delete_workspace(session, actor, workspace, force=True)
        return Response(status_code=204)
    workspace = await service.update_workspace(
        session,
        actor,
        workspace,
        settings_of(body),
        project=await _project(context, organization, body),
    )
    await _keep_rest(context, workspace, body)
    await keep_repository(context, workspace, body, found)
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(workspace: CurrentWorkspace, context: CurrentContext) -> Response:
    await deletion.delete_workspace(context.session, context.actor, workspace, force=True)
    return Response(status_code=204)


async def _project(
    context: Context, organization: Organization, body: Body[WorkspaceInput]
) -> Project | None:
    """Return the project that is named; none at all stands for the default one."""
    if not body.mentions("project"):
        return None
    linked = body.one("project")
    project_id = linked.id if linked else organization.default_project_id or ""
    return await projects.get_project(context.session, context.actor, project_id)


async def _keep_rest(context: Context, workspace: Workspace, body: Body[WorkspaceInput]) -> None:
    """Set what is no plain setting: with whom it is shared, its key for modules, who locks it."""
    session, actor, sent = context.session, context.actor, given(body.attributes)
    if (key_id := sent.get("module_ssh_key", "")) != "":
        await module_keys.assign_key(session, actor, workspace, key_id)
    if (ids := shared_ids(body)) is not None:
        await sharing.replace_consumers(session, actor, workspace, ids)
    wanted = sent.get("locked")
    if wanted is True and not _is_locked(workspace):
        reason = sent.get("lock_description") or ""
        await locks.lock(session, actor, workspace, reason=reason)
    elif wanted is False and _is_locked(workspace):
        await locks.unlock(session, actor, workspace)
