"""TFE workspaces."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from landform.access.permissions import Permission
from landform.api.jsonapi import (
    ActionInput,
    Attributes,
    Body,
    Identifier,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    reads,
)
from landform.api.tfe import workspace_repositories
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.tags import TagName, sent_bindings
from landform.api.tfe.workspace_input import WORKSPACE, WorkspaceInput, require_own, settings_of
from landform.api.tfe.workspace_repositories import VcsRepo
from landform.edge.brief import BriefActor
from landform.edge.deps import CurrentProcess
from landform.kit.errors import ConflictError, InvalidError
from landform.organizations.models import Organization
from landform.runs import deletion, locks, overview
from landform.runs import queries as runs
from landform.runs.status import RunStatus
from landform.states import queries as states
from landform.states.models import StateOutput
from landform.toolchain.versions import Tool
from landform.triggers.linking import Found
from landform.workspaces import organizations, projects, queries, service, tags
from landform.workspaces.models import ExecutionMode, LockHolder, Workspace
from landform.workspaces.queries import WorkspaceFilter
from landform.workspaces.tags import Tag

router = new_router()

_BY_RUN: Final = "current-run.created-at"


class Permissions(Kebab):
    """What the present user may do to the workspace."""

    can_update: bool
    can_destroy: bool
    can_queue_run: bool
    can_queue_apply: bool
    can_queue_destroy: bool
    can_read_run: bool
    can_read_settings: bool
    can_read_variable: bool
    can_update_variable: bool
    can_read_state_versions: bool
    can_read_state_outputs: bool
    can_create_state_versions: bool
    can_lock: bool
    can_unlock: bool
    can_force_unlock: bool
    can_force_delete: bool
    can_manage_tags: bool


class Actions(Kebab):
    """What could be done to the workspace as it stands."""

    is_destroyable: bool


def _permissions(workspace: Workspace, context: Context) -> Permissions:
    held = context.held[workspace.id]
    return Permissions(
        can_update=Permission.UPDATE_WORKSPACE in held,
        can_destroy=Permission.DELETE_WORKSPACE in held,
        can_queue_run=Permission.QUEUE_PLAN in held,
        can_queue_apply=Permission.QUEUE_APPLY in held,
        can_queue_destroy=Permission.QUEUE_APPLY in held,
        can_read_run=Permission.READ_RUNS in held,
        can_read_settings=Permission.READ_WORKSPACE in held,
        can_read_variable=Permission.READ_VARIABLES in held,
        can_update_variable=Permission.WRITE_VARIABLES in held,
        can_read_state_versions=Permission.READ_STATE in held,
        can_read_state_outputs=Permission.READ_OUTPUTS in held,
        can_create_state_versions=Permission.WRITE_STATE in held,
        can_lock=Permission.LOCK_WORKSPACE in held,
        can_unlock=Permission.LOCK_WORKSPACE in held,
        can_force_unlock=Permission.FORCE_UNLOCK in held,
        can_force_delete=Permission.DELETE_WORKSPACE in held
        and context.may_force[workspace.organization_id],
        can_manage_tags=Permission.QUEUE_PLAN in held,
    )


def _identifier(workspace: Workspace, context: Context) -> str | None:
    row = context.repositories.get(workspace.id)
    return row.identifier if row else None


class WorkspaceAttributes(Attributes[Workspace]):
    """One state, its settings and its queue of runs. `engine` is ours: terraform or tofu."""

    actions: Actions = reads(lambda _: Actions(is_destroyable=True))
    allow_destroy_plan: bool
    assessments_enabled: bool
    auto_apply: bool
    auto_apply_run_trigger: bool
    created_at: datetime
    description: str
    engine: Tool = reads("tool")
    environment: str = reads(lambda _: "default")
    execution_mode: ExecutionMode
    file_triggers_enabled: bool
    global_remote_state: bool
    latest_change_at: datetime = reads("updated_at")
    locked: bool = reads("is_locked")
    locked_reason: str = reads("lock_reason")
    name: str
    operations: bool = reads(lambda w: w.execution_mode is not ExecutionMode.LOCAL)
    permissions: Permissions = reads(_permissions)
    project_remote_state: bool
    queue_all_runs: bool
    resource_count: int = reads(lambda w, context: context.resource_counts.get(w.id, 0))
    source: str
    source_name: str | None
    source_url: str | None
    speculative_enabled: bool
    structured_run_output_enabled: bool
    tag_names: list[str] = reads(lambda w, context: context.tag_names.get(w.id, []))
    terraform_version: str = reads("tool_version")
    trigger_patterns: list[str]
    trigger_prefixes: list[str]
    updated_at: datetime
    vcs_repo: VcsRepo | None = reads(workspace_repositories.shown)
    vcs_repo_identifier: str | None = reads(_identifier)
    working_directory: str


async def _by_ids(ids: Sequence[str], context: Context) -> list[Workspace]:
    await context.learn(ids)
    found = (context.workspaces.get(each) for each in ids)
    return [w for w in found if w and context.may(Permission.READ_WORKSPACE, w.id)]


async def _prepare(workspaces: Sequence[Workspace], context: Context) -> None:
    await context.learn(workspace.id for workspace in workspaces)
    await workspace_repositories.learn(list(workspaces), context)
    context.tag_names.update(await tags.tag_names(context.session, workspaces))
    context.resource_counts.update(await states.resource_counts(context.session, workspaces))
    context.configuration_ids.update(await runs.configuration_ids(context.session, workspaces))
    wanted = {workspace.organization_id for workspace in workspaces}
    for organization_id in wanted - context.organization_names.keys():
        organization = await context.session.get_one(Organization, organization_id)
        context.organization_names[organization_id] = organization.name
    for organization_id in {w.organization_id for w in workspaces} - context.may_force.keys():
        organization = await context.session.get_one(Organization, organization_id)
        context.may_force[organization_id] = await deletion.may_force(
            context.session, context.actor, organization
        )


async def _outputs(
    workspaces: Sequence[Workspace], context: Context
) -> dict[str, Sequence[StateOutput]]:
    """Return the outputs of the newest states, of workspaces whose outputs the actor may read."""
    readable = [w for w in workspaces if context.may(Permission.READ_OUTPUTS, w.id)]
    return await states.outputs_of_workspaces(context.session, readable)


def _locked_by(workspace: Workspace) -> Identifier | None:
    if workspace.lock_holder_kind is None or workspace.lock_holder_id is None:
        return None
    return Identifier(workspace.lock_holder_kind, workspace.lock_holder_id)


WORKSPACES = Resource[Workspace, Context](
    TFE,
    "workspaces",
    WorkspaceAttributes,
    relationships=[
        ToOne(
            "organization",
            "organizations",
            id=lambda w, context: context.organization_names[w.organization_id],
        ),
        ToOne("project", "projects"),
        ToOne("current_run", "runs"),
        ToOne("latest_run", "runs", id="current_run_id"),
        ToOne("current_state_version", "state-versions"),
        ToOne("locked_by", tuple(LockHolder), id=_locked_by),
        ToOne("agent_pool", "agent-pools"),
        ToOne("ssh_key", "ssh-keys"),
        ToMany("vars", "vars", related="/api/v2/workspaces/{id}/vars"),
        ToMany(
            "remote_state_consumers",
            "workspaces",
            related="/api/v2/workspaces/{id}/relationships/remote-state-consumers",
        ),
        ToOne(
            "current_configuration_version",
            "configuration-versions",
            id=lambda w, context: context.configuration_ids.get(w.id),
        ),
        ToOne("readme", "workspace-readme", id=lambda _: None),
        ToMany(
            "outputs",
            "workspace-outputs",
            load=_outputs,
            eager=False,
            related="/api/v2/workspaces/{id}/current-state-version-outputs",
        ),
        ToMany("tag_bindings", "tag-bindings", related="/api/v2/workspaces/{id}/tag-bindings"),
    ],
    url="/api/v2/workspaces/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    sorts=("name", "created_at", "latest_change_at", "current_run.created_at"),
    filters=(
        "search[name]",
        "search[tags]",
        "search[exclude-tags]",
        "search[wildcard-name]",
        "filter[project][id]",
        "filter[current-run][status]",
        "filter[tagged][][key]",
        "filter[tagged][][value]",
    ),
)


class Reason(Kebab):
    """Why a workspace is locked."""

    reason: str | None = None


REASON = ActionInput(TFE, Reason)
One = Annotated[Query, Depends(WORKSPACES.query)]
Sent = Annotated[Body[WorkspaceInput], Depends(WORKSPACE)]


async def _find(
    request: Request, process: CurrentProcess, actor: BriefActor, body: Sent
) -> Found | None:
    return await workspace_repositories.find(request, process, actor, body.attributes.vcs_repo)


# Before the context in every signature: what is open by then must not wait for a provider.
FoundRepository = Annotated[Found | None, Depends(_find)]


@router.get("/organizations/{organization}/workspaces")
async def list_of_organization(
    organization: str,
    query: Annotated[ListQuery, Depends(WORKSPACES.list_query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    sort = next(
        (f"{'-' * key.descending}{key.name.replace('_', '-')}" for key in query.sort), "name"
    )
    wanted, statuses = _filter(query), query.members("filter[current-run][status]", RunStatus)
    if statuses or sort.removeprefix("-") == _BY_RUN:
        listed = await overview.list_with_runs(
            session, actor, owner, wanted, statuses=statuses, sort=sort, page=query.page
        )
        rows = [each.workspace for each in listed.items]
        return await WORKSPACES.many(rows, query, context, total=listed.total)
    found = await queries.list_workspaces(session, actor, owner, wanted, sort=sort, page=query.page)
    return await WORKSPACES.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/workspaces", status_code=201)
async def create(
    organization: str, body: Sent, found: FoundRepository, query: One, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    linked = body.one("project")
    project = await projects.get_project(session, actor, linked.id) if linked else None
    flat = [Tag(each.read(TagName).name) for each in body.many("tags")]
    settings = settings_of(body, context)
    require_own(body, owner, settings, owner.default_execution_mode)
    workspace = await service.create_workspace(
        session,
        actor,
        owner,
        settings,
        project=project,
        tags=[*flat, *(sent_bindings(body) or ())],
    )
    if found is not None:
        await workspace_repositories.keep(context, workspace, body.attributes.vcs_repo, found)
    return await WORKSPACES.one(workspace, query, context)


@router.get("/organizations/{organization}/workspaces/{name}")
async def read_by_name(
    organization: str, name: str, query: One, context: CurrentContext
) -> Response:
    workspace = await queries.by_name(context.session, context.actor, organization, name)
    return await WORKSPACES.one(workspace, query, context)


@router.get("/workspaces/{workspace_id}")
async def read(workspace_id: str, query: One, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    return await WORKSPACES.one(workspace, query, context)


@router.patch("/organizations/{organization}/workspaces/{name}")
async def update_by_name(
    organization: str,
    name: str,
    body: Sent,
    found: FoundRepository,
    query: One,
    context: CurrentContext,
) -> Response:
    workspace = await queries.by_name(context.session, context.actor, organization, name)
    return await _update(workspace, body, found, query, context)


@router.patch("/workspaces/{workspace_id}")
async def update(
    workspace_id: str, body: Sent, found: FoundRepository, query: One, context: CurrentContext
) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    return await _update(workspace, body, found, query, context)


@router.delete("/organizations/{organization}/workspaces/{name}", status_code=204)
async def delete_by_name(organization: str, name: str, context: CurrentContext) -> Response:
    workspace = await queries.by_name(context.session, context.actor, organization, name)
    return await _delete(workspace, context, force=True)


@router.delete("/workspaces/{workspace_id}", status_code=204)
async def delete(workspace_id: str, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    return await _delete(workspace, context, force=True)


@router.post("/organizations/{organization}/workspaces/{name}/actions/safe-delete", status_code=204)
async def safe_delete_by_name(organization: str, name: str, context: CurrentContext) -> Response:
    workspace = await queries.by_name(context.session, context.actor, organization, name)
    return await _delete(workspace, context, force=False)


@router.post("/workspaces/{workspace_id}/actions/safe-delete", status_code=204)
async def safe_delete(workspace_id: str, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    return await _delete(workspace, context, force=False)


@router.post("/workspaces/{workspace_id}/actions/lock")
async def lock(
    workspace_id: str,
    body: Annotated[Reason, Depends(REASON)],
    query: One,
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    workspace = await queries.get(session, actor, workspace_id)
    workspace = await locks.lock(session, actor, workspace, reason=body.reason or "")
    return await WORKSPACES.one(workspace, query, context)


@router.post("/workspaces/{workspace_id}/actions/unlock")
async def unlock(workspace_id: str, query: One, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    workspace = await locks.unlock(context.session, context.actor, workspace)
    return await WORKSPACES.one(workspace, query, context)


@router.post("/workspaces/{workspace_id}/actions/force-unlock")
async def force_unlock(workspace_id: str, query: One, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    try:
        workspace = await locks.force_unlock(context.session, context.actor, workspace)
    except ConflictError as failure:
        if not workspace.is_locked:
            raise
        # Of a 409 the CLI says that the workspace was not locked, and not what we say.
        raise InvalidError(str(failure)) from None
    return await WORKSPACES.one(workspace, query, context)


async def _update(
    workspace: Workspace,
    body: Body[WorkspaceInput],
    found: Found | None,
    query: Query,
    context: Context,
) -> Response:
    session, actor = context.session, context.actor
    linked = body.one("project")
    project = await projects.get_project(session, actor, linked.id) if linked else None
    settings = settings_of(body, context, of=workspace)
    owner = await session.get_one(Organization, workspace.organization_id)
    require_own(body, owner, settings, workspace.execution_mode)
    bindings = sent_bindings(body)
    workspace = await service.update_workspace(session, actor, workspace, settings, project=project)
    if bindings is not None:
        await tags.replace_bindings(session, actor, workspace, bindings)
    await workspace_repositories.keep(context, workspace, body.attributes.vcs_repo, found)
    return await WORKSPACES.one(workspace, query, context)


async def _delete(workspace: Workspace, context: Context, *, force: bool) -> Response:
    await deletion.delete_workspace(context.session, context.actor, workspace, force=force)
    return Response(status_code=204)


def _filter(query: ListQuery) -> WorkspaceFilter:
    tagged = [
        (group["key"], group.get("value"))
        for group in query.groups("filter[tagged]")
        if "key" in group
    ]
    return WorkspaceFilter(
        search_name=query.text("search[name]"),
        wildcard_name=query.text("search[wildcard-name]"),
        search_tags=query.values("search[tags]"),
        exclude_tags=query.values("search[exclude-tags]"),
        tagged=tagged,
        project_id=query.text("filter[project][id]") or None,
    )
