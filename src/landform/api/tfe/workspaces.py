"""TFE workspaces."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from msgspec import UNSET, UnsetType

from landform.access.permissions import Permission
from landform.api.jsonapi import (
    ActionInput,
    Attributes,
    Body,
    Identifier,
    Input,
    Kebab,
    ListInput,
    ListQuery,
    Query,
    Resource,
    SortKey,
    ToMany,
    ToOne,
    given,
    reads,
)
from landform.api.tfe import workspace_repositories
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.workspace_repositories import VcsRepo, VcsRepoInput
from landform.edge.brief import BriefActor
from landform.edge.deps import CurrentProcess
from landform.kit.errors import ConflictError, InvalidError
from landform.organizations.models import Organization
from landform.runs import deletion, locks
from landform.states import queries as states
from landform.toolchain.versions import Tool
from landform.triggers.linking import Found
from landform.workspaces import organizations, projects, queries, service, tags
from landform.workspaces.models import ExecutionMode, LockHolder, TagBinding, Workspace
from landform.workspaces.queries import WorkspaceFilter
from landform.workspaces.settings import WorkspaceSettings
from landform.workspaces.tags import EffectiveTag, Tag

router = new_router()


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
        can_force_delete=Permission.DELETE_WORKSPACE in held,
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
    wanted = {workspace.organization_id for workspace in workspaces}
    for organization_id in wanted - context.organization_names.keys():
        organization = await context.session.get_one(Organization, organization_id)
        context.organization_names[organization_id] = organization.name


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
        ToOne("agent_pool", "agent-pools", id=lambda _: None),
        ToMany("vars", "vars", related="/api/v2/workspaces/{id}/vars"),
        ToMany(
            "remote_state_consumers",
            "workspaces",
            related="/api/v2/workspaces/{id}/relationships/remote-state-consumers",
        ),
        ToMany("tag_bindings", "tag-bindings", related="/api/v2/workspaces/{id}/tag-bindings"),
    ],
    url="/api/v2/workspaces/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    sorts=("name", "created_at", "latest_change_at"),
    filters=(
        "search[name]",
        "search[tags]",
        "search[exclude-tags]",
        "search[wildcard-name]",
        "filter[project][id]",
        "filter[tagged][][key]",
        "filter[tagged][][value]",
    ),
)


class TagBindingAttributes(Attributes[TagBinding]):
    """A key with or without a value."""

    key: str
    value: str


TAG_BINDINGS = Resource[TagBinding, Context](TFE, "tag-bindings", TagBindingAttributes)


class EffectiveTagAttributes(Attributes[EffectiveTag]):
    """A tag that holds for a workspace, of its own or its project's."""

    key: str
    value: str


EFFECTIVE_TAGS = Resource[EffectiveTag, Context](
    TFE, "effective-tag-bindings", EffectiveTagAttributes, key="key"
)


class TagAttributes(Attributes[str]):
    """A tag without a value."""

    name: str = reads(lambda name: name)


TAGS = Resource[str, Context](TFE, "tags", TagAttributes, key=lambda name: name)


class WorkspaceInput(Kebab):
    """What a client gives of a workspace."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    engine: Tool | UnsetType | None = UNSET
    terraform_version: str | UnsetType | None = UNSET
    working_directory: str | UnsetType | None = UNSET
    execution_mode: str | UnsetType | None = UNSET
    operations: bool | UnsetType | None = UNSET
    auto_apply: bool | UnsetType | None = UNSET
    auto_apply_run_trigger: bool | UnsetType | None = UNSET
    allow_destroy_plan: bool | UnsetType | None = UNSET
    assessments_enabled: bool | UnsetType | None = UNSET
    file_triggers_enabled: bool | UnsetType | None = UNSET
    global_remote_state: bool | UnsetType | None = UNSET
    queue_all_runs: bool | UnsetType | None = UNSET
    speculative_enabled: bool | UnsetType | None = UNSET
    structured_run_output_enabled: bool | UnsetType | None = UNSET
    trigger_prefixes: list[str] | UnsetType | None = UNSET
    trigger_patterns: list[str] | UnsetType | None = UNSET
    source_name: str | UnsetType | None = UNSET
    source_url: str | UnsetType | None = UNSET
    vcs_repo: VcsRepoInput | UnsetType | None = UNSET


class TagName(Kebab):
    """A tag by its name."""

    name: str


class TagPair(Kebab):
    """A tag by its key and value."""

    key: str
    value: str | None = None


class Reason(Kebab):
    """Why a workspace is locked."""

    reason: str | None = None


class Nothing(Kebab):
    """An action that takes nothing."""


WORKSPACE = Input(
    TFE,
    "workspaces",
    WorkspaceInput,
    one={"project": "projects", "agent_pool": "agent-pools"},
    many={"tags": "tags", "tag_bindings": "tag-bindings"},
)
BINDINGS = ListInput(TFE, "tag-bindings", TagPair)
TAG_LIST = ListInput(TFE, "tags", TagName)
REASON = ActionInput(TFE, Reason)
One = Annotated[Query, Depends(WORKSPACES.query)]
Sent = Annotated[Body[WorkspaceInput], Depends(WORKSPACE)]


async def _find(
    request: Request, process: CurrentProcess, actor: BriefActor, body: Sent
) -> Found | None:
    return await workspace_repositories.find(request, process, actor, body.attributes.vcs_repo)


# Before the context in every signature: what is open by then must not wait for a provider.
FoundRepository = Annotated[Found | None, Depends(_find)]
BindingList = Annotated[ListQuery, Depends(TAG_BINDINGS.list_query)]
SentTags = Annotated[tuple[Body[TagName], ...], Depends(TAG_LIST)]


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
    found = await queries.list_workspaces(
        session, actor, owner, _filter(query), sort=sort, page=query.page
    )
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
    pairs = [each.read(TagPair) for each in body.many("tag_bindings")]
    settings = _settings(body, context)
    workspace = await service.create_workspace(
        session,
        actor,
        owner,
        settings,
        project=project,
        tags=[*flat, *(Tag(pair.key, pair.value or "") for pair in pairs)],
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


@router.get("/workspaces/{workspace_id}/tag-bindings")
async def tag_bindings(workspace_id: str, query: BindingList, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    rows = await tags.bindings_of(context.session, context.actor, workspace)
    return await TAG_BINDINGS.many(rows, query, context)


@router.patch("/workspaces/{workspace_id}/tag-bindings")
async def update_tag_bindings(
    workspace_id: str,
    body: Annotated[tuple[Body[TagPair], ...], Depends(BINDINGS)],
    query: BindingList,
    context: CurrentContext,
) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    pairs = [Tag(each.attributes.key, each.attributes.value or "") for each in body]
    rows = await tags.update_bindings(context.session, context.actor, workspace, pairs)
    return await TAG_BINDINGS.many(rows, query, context)


@router.get("/workspaces/{workspace_id}/effective-tag-bindings")
async def effective_tag_bindings(
    workspace_id: str,
    query: Annotated[ListQuery, Depends(EFFECTIVE_TAGS.list_query)],
    context: CurrentContext,
) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    rows = await tags.effective_bindings(context.session, context.actor, workspace)
    return await EFFECTIVE_TAGS.many(rows, query, context)


@router.get("/workspaces/{workspace_id}/relationships/tags")
async def list_tags(
    workspace_id: str,
    query: Annotated[ListQuery, Depends(TAGS.list_query)],
    context: CurrentContext,
) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    names = await tags.tag_names(context.session, [workspace])
    return await TAGS.many(names[workspace.id], query, context)


@router.post("/workspaces/{workspace_id}/relationships/tags", status_code=204)
async def add_tags(workspace_id: str, body: SentTags, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    names = [each.attributes.name for each in body]
    await tags.add_tags(context.session, context.actor, workspace, names)
    return Response(status_code=204)


@router.delete("/workspaces/{workspace_id}/relationships/tags", status_code=204)
async def remove_tags(workspace_id: str, body: SentTags, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    names = [each.attributes.name for each in body]
    await tags.remove_tags(context.session, context.actor, workspace, names)
    return Response(status_code=204)


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
    settings = _settings(body, context, of=workspace)
    workspace = await service.update_workspace(session, actor, workspace, settings, project=project)
    await workspace_repositories.keep(context, workspace, body.attributes.vcs_repo, found)
    return await WORKSPACES.one(workspace, query, context)


async def _delete(workspace: Workspace, context: Context, *, force: bool) -> Response:
    await deletion.delete_workspace(context.session, context.actor, workspace, force=force)
    return Response(status_code=204)


def _settings(
    body: Body[WorkspaceInput], context: Context, *, of: Workspace | None = None
) -> WorkspaceSettings:
    """Translate TFE's names; null means "leave it"."""
    sent: dict[str, Any] = {k: v for k, v in given(body.attributes).items() if v is not None}
    sent.pop("vcs_repo", None)
    engine = sent.pop("engine", None)
    operations = sent.pop("operations", None)
    if "execution_mode" not in sent and operations is not None:
        sent["execution_mode"] = ExecutionMode.REMOTE if operations else ExecutionMode.LOCAL
    if sent.get("execution_mode") == ExecutionMode.AGENT:
        raise InvalidError(
            "Agent pools are not offered yet; use execution mode remote or local.",
            pointer="execution_mode",
        )
    version = sent.pop("terraform_version", None)
    if engine is None and of is None:
        is_tofu = context.client.user_agent.startswith("OpenTofu")
        engine = Tool.TOFU if is_tofu else context.process.default_tool
    source = "terraform" if context.client.terraform_version else "tfe-api"
    return WorkspaceSettings(
        tool=engine, tool_version=version, source=None if of else source, **sent
    )


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


def _sort(key: SortKey) -> str:
    return ("-" if key.descending else "") + key.name.replace("_", "-")
