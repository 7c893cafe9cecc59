"""TFE runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access.permissions import Permission
from landform.api.jsonapi.body import Body
from landform.api.jsonapi.declaration import Attributes, ToMany, ToOne, reads
from landform.api.jsonapi.inputs import ActionInput, Input
from landform.api.jsonapi.naming import Kebab
from landform.api.jsonapi.query import ListQuery, Query
from landform.api.jsonapi.resource import Resource
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.kit.clock import now
from landform.kit.errors import InvalidError
from landform.runs import approvals, creation, queries, service
from landform.runs.creation import NewRun, RunVariable
from landform.runs.models import Run
from landform.runs.queries import Operation
from landform.runs.standing import NOBODY_ASKED, standings
from landform.runs.status import RunStatus, Step, can
from landform.workspaces import organizations
from landform.workspaces import queries as workspaces

router = new_router()


# Unless they are asked for, lists leave out runs that never apply, as HCP Terraform documents it:
# a client that counts the runs before its own would wait for those too.
_LISTED: Final = [each for each in Operation if each is not Operation.PLAN_ONLY]


class Actions(Kebab):
    """What could be done to the run as it stands, by whoever may."""

    is_cancelable: bool
    is_confirmable: bool
    is_discardable: bool
    is_force_cancelable: bool


class Permissions(Kebab):
    """What the present user may do to the run."""

    can_apply: bool
    can_cancel: bool
    can_comment: bool
    can_discard: bool
    can_force_execute: bool
    can_force_cancel: bool
    can_override_policy_check: bool


class Variable(Kebab):
    """A variable given with the run; the value is an HCL literal."""

    key: str
    value: str


def _actions(run: Run, context: Context) -> Actions:
    available_at = service.force_cancel_available_at(run)
    fresh = context.workspaces[run.workspace_id].current_state_version_id == run.state_version_id
    return Actions(
        is_cancelable=can(run.status, Step.CANCEL) and run.cancel_asked_at is None,
        is_confirmable=can(run.status, Step.CONFIRM)
        and (run.has_changes or run.allow_empty_apply)
        and fresh
        and context.standings.get(run.id, NOBODY_ASKED).is_met,
        is_discardable=can(run.status, Step.DISCARD),
        is_force_cancelable=available_at is not None and available_at <= now(),
    )


class Approvals(Kebab):
    """How many approvals a run needs, of which teams (ids), and who gave one that counts."""

    needed: int
    teams: list[str]
    given_by: list[str]


def _approvals(run: Run, context: Context) -> Approvals | UnsetType:
    standing = context.standings.get(run.id)
    if standing is None:
        return UNSET
    return Approvals(
        needed=standing.needed, teams=list(standing.teams), given_by=list(standing.given)
    )


def _permissions(run: Run, context: Context) -> Permissions:
    may_apply = context.may(Permission.QUEUE_APPLY, run.workspace_id)
    may_plan = context.may(Permission.QUEUE_PLAN, run.workspace_id)
    return Permissions(
        can_apply=may_apply,
        can_cancel=may_apply or (may_plan and run.created_by == context.actor.id),
        can_comment=True,
        can_discard=may_apply,
        can_force_execute=False,
        can_force_cancel=context.may(Permission.FORCE_CANCEL, run.workspace_id),
        can_override_policy_check=False,
    )


class RunAttributes(Attributes[Run]):
    """A plan of a configuration on a workspace, and its apply.

    `wait-reason`, `error` and `approvals` are ours: why it does not go on, why it ended, and whose
    approval it needs and has while it waits to be confirmed.
    """

    actions: Actions = reads(_actions)
    allow_config_generation: bool
    allow_empty_apply: bool
    approvals: Approvals | UnsetType = reads(_approvals)
    auto_apply: bool
    canceled_at: datetime | None = reads("cancel_asked_at")
    created_at: datetime
    error: str
    force_cancel_available_at: datetime | UnsetType = reads(
        lambda run: service.force_cancel_available_at(run) or UNSET
    )
    has_changes: bool
    is_destroy: bool
    message: str
    permissions: Permissions = reads(_permissions)
    plan_only: bool
    position_in_queue: int = reads(lambda run, context: context.positions.get(run.id, 0))
    refresh: bool
    refresh_only: bool
    replace_addrs: list[str]
    save_plan: bool
    source: str
    status: RunStatus
    status_timestamps: dict[str, Any]
    target_addrs: list[str]
    terraform_version: str = reads("tool_version")
    trigger_reason: str = reads(lambda _: "manual")
    updated_at: datetime = reads("changed_at")
    wait_reason: str | UnsetType = reads(
        lambda run, context: context.wait_reasons.get(run.id, UNSET)
    )


async def _by_ids(ids: Sequence[str], context: Context) -> list[Run]:
    return await queries.get_many(context.session, context.actor, ids)


async def _prepare(runs: Sequence[Run], context: Context) -> None:
    await context.learn(run.workspace_id for run in runs)
    approvals = await standings(context.session, runs)
    context.standings.update(approvals)
    context.wait_reasons.update(await queries.wait_reasons(context.session, runs, approvals))
    context.positions.update(await queries.positions(context.session, runs))


def _suffix(run: Run) -> str:
    return run.id.partition("-")[2]


RUNS = Resource[Run, Context](
    TFE,
    "runs",
    RunAttributes,
    relationships=[
        ToOne("workspace", "workspaces"),
        ToOne("configuration_version", "configuration-versions"),
        ToOne("plan", "plans", id=lambda run: f"plan-{_suffix(run)}"),
        ToOne("apply", "applies", id=lambda run: f"apply-{_suffix(run)}"),
        ToOne("created_by", "users", id=lambda run: _user(run.created_by)),
        ToOne("confirmed_by", "users", id=lambda run: _user(run.confirmed_by)),
        ToOne("cost_estimate", "cost-estimates", id=lambda _: None),
        ToMany("task_stages", "task-stages", ids=lambda _: ()),
        ToMany("policy_checks", "policy-checks", ids=lambda _: ()),
        ToMany("run_events", "run-events", related="/api/v2/runs/{id}/run-events"),
        ToMany("comments", "comments", related="/api/v2/runs/{id}/comments"),
    ],
    url="/api/v2/runs/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("filter[status]", "filter[operation]", "filter[source]", "search[basic]"),
    refuse_unknown_include=False,  # the CLI always asks for task stages, which there are none of
)


class CreateRun(Kebab):
    """What a client asks of a new run."""

    message: str | None = None
    is_destroy: bool | None = None
    refresh: bool | None = None
    refresh_only: bool | None = None
    plan_only: bool | None = None
    save_plan: bool | None = None
    auto_apply: bool | None = None
    allow_empty_apply: bool | None = None
    allow_config_generation: bool | None = None
    target_addrs: list[str] | None = None
    replace_addrs: list[str] | None = None
    invoke_action_addrs: list[str] | None = None
    variables: list[Variable] | None = None
    terraform_version: str | None = None


class Remark(Kebab):
    """What may be said with an action."""

    comment: str | None = None


CREATE_RUN = Input(
    TFE,
    "runs",
    CreateRun,
    one={"workspace": "workspaces", "configuration_version": "configuration-versions"},
)
REMARK = ActionInput(TFE, Remark)
RunQuery = Annotated[Query, Depends(RUNS.query)]
RunList = Annotated[ListQuery, Depends(RUNS.list_query)]
Remarked = Annotated[Remark, Depends(REMARK)]


@router.post("/runs", status_code=201)
async def create(
    body: Annotated[Body[CreateRun], Depends(CREATE_RUN)], query: RunQuery, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, body.need("workspace").id)
    keyring = context.process.platform.keyring
    run = await creation.create_run(session, keyring, actor, workspace, _new(body, context))
    return await RUNS.one(run, query, context)


@router.get("/runs/{run_id}")
async def read(run_id: str, query: RunQuery, context: CurrentContext) -> Response:
    run = await queries.get(context.session, context.actor, run_id)
    return await RUNS.one(run, query, context)


@router.get("/workspaces/{workspace_id}/runs")
async def list_of_workspace(workspace_id: str, query: RunList, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    found = await queries.list_of(session, actor, workspace, query.page, _filter(query))
    return await RUNS.many(found.items, query, context, total=found.total)


@router.get("/organizations/{name}/runs")
async def list_of_organization(name: str, query: RunList, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    organization = await organizations.by_name(session, actor, name)
    found = await queries.list_in_organization(
        session, actor, organization, query.page, _filter(query)
    )
    return await RUNS.many(found.items, query, context, total=found.total)


@router.get("/organizations/{name}/runs/queue")
async def queue(name: str, query: RunList, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    organization = await organizations.by_name(session, actor, name)
    found = await queries.waiting_in_organization(session, actor, organization, query.page)
    return await RUNS.many(found.items, query, context, total=found.total)


@router.post("/runs/{run_id}/actions/apply", status_code=202)
async def confirm(run_id: str, body: Remarked, context: CurrentContext) -> Response:
    await service.confirm(context.session, context.actor, run_id, comment=body.comment or "")
    return Response(status_code=202)


@router.post("/runs/{run_id}/actions/approve", status_code=202)
async def approve(run_id: str, body: Remarked, context: CurrentContext) -> Response:
    await approvals.approve(context.session, context.actor, run_id, comment=body.comment or "")
    return Response(status_code=202)


@router.post("/runs/{run_id}/actions/discard", status_code=202)
async def discard(run_id: str, body: Remarked, context: CurrentContext) -> Response:
    await service.discard(context.session, context.actor, run_id, comment=body.comment or "")
    return Response(status_code=202)


@router.post("/runs/{run_id}/actions/cancel", status_code=202)
async def cancel(run_id: str, body: Remarked, context: CurrentContext) -> Response:
    await service.cancel(context.session, context.actor, run_id, comment=body.comment or "")
    return Response(status_code=202)


@router.post("/runs/{run_id}/actions/force-cancel", status_code=202)
async def force_cancel(run_id: str, body: Remarked, context: CurrentContext) -> Response:
    await service.force_cancel(context.session, context.actor, run_id, comment=body.comment or "")
    return Response(status_code=202)


def _new(body: Body[CreateRun], context: Context) -> NewRun:
    sent = body.attributes
    if sent.invoke_action_addrs:
        raise InvalidError(
            "Invoking actions (-invoke) is not offered yet; plan without it.",
            pointer="invoke_action_addrs",
        )
    configuration = body.one("configuration_version")
    source = "terraform+cloud" if context.client.is_cloud_integration else "tfe-api"
    return NewRun(
        message=sent.message or "",
        source="terraform" if _is_remote_back_end(context) else source,
        configuration_version_id=configuration.id if configuration else None,
        is_destroy=bool(sent.is_destroy),
        refresh=sent.refresh is not False,
        refresh_only=bool(sent.refresh_only),
        plan_only=sent.plan_only,
        save_plan=bool(sent.save_plan),
        auto_apply=sent.auto_apply,
        allow_empty_apply=bool(sent.allow_empty_apply),
        allow_config_generation=bool(sent.allow_config_generation),
        target_addrs=sent.target_addrs or (),
        replace_addrs=sent.replace_addrs or (),
        variables=[RunVariable(each.key, each.value) for each in sent.variables or ()],
        terraform_version=sent.terraform_version,
    )


def _is_remote_back_end(context: Context) -> bool:
    client = context.client
    return bool(client.terraform_version) and not client.is_cloud_integration


def _filter(query: ListQuery) -> queries.RunFilter:
    return queries.RunFilter(
        statuses=query.members("filter[status]", RunStatus),
        operations=query.members("filter[operation]", Operation) or _LISTED,
        sources=query.values("filter[source]"),
        text=query.text("search[basic]"),
    )


def _user(actor_id: str | None) -> str | None:
    """Runs are also made by teams and by the platform; those are no users."""
    return actor_id if actor_id and actor_id.startswith("user-") else None
