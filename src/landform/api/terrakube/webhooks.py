"""Terrakube's `webhook` of a workspace and its `webhook_event`s.

Facts: terrakube_backend.md §1.4 and §2.8, terrakube_user.md §5.2. The hook at the provider is made
with the repository's connection, so that a webhook here says only what of it starts jobs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from msgspec import UNSET, UnsetType

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
    seen,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube import templates
from landform.api.terrakube.dialect import (
    BELOW_WORKSPACE,
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentWorkspace,
    new_router,
    refuse_set,
    selection_of,
)
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.selection import matches
from landform.triggers import webhooks
from landform.triggers.models import PathType, Webhook, WebhookEvent, WebhookEventKind
from landform.triggers.webhooks import EventSettings
from landform.workspaces.models import Workspace

router = new_router()

_EVENTS: Final = {
    "PUSH": WebhookEventKind.PUSH,
    "PULL_REQUEST": WebhookEventKind.PULL_REQUEST,
    "RELEASE": WebhookEventKind.TAG,
}
_EVENT_NAMES: Final = {kind: name for name, kind in _EVENTS.items()}
_PATH_TYPES: Final = {"REGEX": PathType.REGEX, "PATTERN": PathType.PATTERN}
_ITS_EVENTS: Final = "What starts jobs is said by events: POST it to the webhook's `events`."
_NOT_OFFERED: Final = {
    "remote_hook_id": "The hook at the provider is made by this platform, which knows its id.",
    **dict.fromkeys(("path", "branch", "template_id", "event"), _ITS_EVENTS),
}


class WebhookAttributes(Attributes[Webhook]):
    """That events at the workspace's repository start its jobs, and only those."""

    remote_hook_id: str = reads(lambda row, context: context.remote_hooks.get(row.id, ""))
    migrated_v2: bool = reads("migrated", name="migratedV2")
    created_by: str
    created_date: datetime = reads("created_at")
    updated_by: str
    updated_date: datetime = reads("updated_at")


def _branch(row: WebhookEvent, context: Context) -> str:
    return webhooks.branch_in_force(row, context.repositories[row.webhook_id])


def _path(row: WebhookEvent, context: Context) -> str:
    return webhooks.path_in_force(row, context.repositories[row.webhook_id])[0]


def _path_type(row: WebhookEvent, context: Context) -> str:
    return webhooks.path_in_force(row, context.repositories[row.webhook_id])[1].upper()


def _template(row: WebhookEvent, context: Context) -> str:
    kind = webhooks.run_kind_in_force(row, context.repositories[row.webhook_id])
    return templates.of_kind(kind).id if kind else ""


class EventAttributes(Attributes[WebhookEvent]):
    """What at the repository starts jobs: pushes, pull requests or tags, and of which files."""

    event: str = reads(lambda row: _EVENT_NAMES[row.event])
    branch: str = reads(_branch)
    path: str = reads(_path)
    path_type: str = reads(_path_type)
    template_id: str = reads(_template)
    priority: int
    pr_workflow_enabled: bool = reads("plans_by_comment")
    pr_apply_enabled: bool = reads("applies_by_comment")
    created_by: str
    created_date: datetime = reads("created_at")
    updated_by: str
    updated_date: datetime = reads("updated_at")


async def _prepare(rows: Sequence[Webhook], context: Context) -> None:
    for row in rows:
        ids = await webhooks.remote_ids(context.session, row.workspace_id)
        context.remote_hooks[row.id] = ",".join(ids)


async def _prepare_events(rows: Sequence[WebhookEvent], context: Context) -> None:
    for webhook_id in {row.webhook_id for row in rows}:
        row = await webhooks.repository_of(context.session, webhook_id)
        context.repositories[webhook_id] = row


async def _events(rows: Sequence[Webhook], context: Context) -> dict[str, Sequence[WebhookEvent]]:
    found = {}
    for row in rows:
        workspace = await context.session.get_one(Workspace, row.workspace_id)
        found[row.id] = await webhooks.events_of(context.session, row, workspace)
    return found


async def _by_ids(ids: Sequence[str], context: Context) -> list[Webhook]:
    async def read_one(webhook_id: str) -> Webhook:
        return (await webhooks.get_webhook(context.session, context.actor, webhook_id))[0]

    return await seen(read_one, ids)


WEBHOOK = Resource[Webhook, Context](
    TERRAKUBE,
    "webhook",
    WebhookAttributes,
    relationships=[
        ToOne("workspace", "workspace"),
        ToMany("events", "webhook_event", load=_events),
    ],
    by_ids=_by_ids,
    prepare=_prepare,
)
EVENT = Resource[WebhookEvent, Context](
    TERRAKUBE,
    "webhook_event",
    EventAttributes,
    relationships=[ToOne("webhook", "webhook")],
    prepare=_prepare_events,
    filters=("filter", "filter[webhook_event]"),
)


class WebhookInput(Camel):
    """What a client gives of a webhook; what clients of old gave of it is its events'."""

    migrated_v2: bool | UnsetType | None = UNSET
    remote_hook_id: str | UnsetType | None = UNSET
    path: str | UnsetType | None = UNSET
    branch: str | UnsetType | None = UNSET
    template_id: str | UnsetType | None = UNSET
    event: str | UnsetType | None = UNSET


class EventInput(Camel):
    """What a client gives of an event."""

    event: str | UnsetType | None = UNSET
    branch: str | UnsetType | None = UNSET
    path: str | UnsetType | None = UNSET
    path_type: str | UnsetType | None = UNSET
    template_id: str | UnsetType | None = UNSET
    priority: int | UnsetType | None = UNSET
    pr_workflow_enabled: bool | UnsetType | None = UNSET
    pr_apply_enabled: bool | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "webhook", WebhookInput)
EVENT_INPUT = Input(TERRAKUBE, "webhook_event", EventInput)
One = Annotated[Query, Depends(WEBHOOK.query)]
OneEvent = Annotated[Query, Depends(EVENT.query)]
Listed = Annotated[ListQuery, Depends(EVENT.list_query)]
Sent = Annotated[Body[WebhookInput], Depends(INPUT)]
SentEvent = Annotated[Body[EventInput], Depends(EVENT_INPUT)]

_FIELDS: Final = {
    "id": Field("id"),
    "event": Field("event", lambda word: (_EVENTS.get(word, word),)),
    "branch": Field("branch"),
    "path": Field("path"),
}
# The provider asks for both from the root, and for some of it below the workspace.
_PATH: Final = "/organization/{organization_id}/workspace/{workspace_id}/webhook"
_ROOT_ONE: Final = "/webhook/{webhook_id}"
_ONE: Final = _PATH + "/{webhook_id}"
_ROOT_EVENTS: Final = _ROOT_ONE + "/events"
_EVENTS_BELOW: Final = _ONE + "/events"
_ROOT_EVENT: Final = "/webhook_event/{event_id}"
_WEBHOOK_EVENT: Final = _ROOT_EVENTS + "/{event_id}"
_EVENT_BELOW: Final = _EVENTS_BELOW + "/{event_id}"

Found = tuple[Webhook, Workspace]
FoundEvent = tuple[WebhookEvent, Webhook, Workspace]


async def _webhook(request: Request, webhook_id: str, context: CurrentContext) -> Found:
    row, workspace = await webhooks.get_webhook(context.session, context.actor, webhook_id)
    if request.path_params.get("workspace_id", workspace.id) != workspace.id:
        raise NotFoundError(f"There is no webhook {webhook_id}.")
    return row, workspace


async def _event(request: Request, event_id: str, context: CurrentContext) -> FoundEvent:
    found = await webhooks.get_event(context.session, context.actor, event_id)
    named = request.path_params
    if (
        named.get("webhook_id", found[1].id) != found[1].id
        or named.get("workspace_id", found[2].id) != found[2].id
    ):
        raise NotFoundError(f"There is no event {event_id}.")
    return found


CurrentWebhook = Annotated[Found, Depends(_webhook)]
CurrentEvent = Annotated[FoundEvent, Depends(_event)]
_BELOW: Final = [BELOW_WORKSPACE]
_OF_WEBHOOK: Final = Depends(_webhook)


@router.get(_PATH)
async def read_of_workspace(
    workspace: CurrentWorkspace, query: One, context: CurrentContext
) -> Response:
    """Answer with the workspace's webhook, or with null."""
    found = await webhooks.webhooks_of(context.session, [workspace])
    return await WEBHOOK.one(found.get(workspace.id), query, context)


@router.post(_PATH, status_code=201)
async def create(
    workspace: CurrentWorkspace, body: Sent, query: One, context: CurrentContext
) -> Response:
    refuse_set(_NOT_OFFERED, given(body.attributes))
    migrated = body.attributes.migrated_v2 is True
    row = await webhooks.create_webhook(
        context.session, context.actor, workspace, migrated=migrated
    )
    return await WEBHOOK.one(row, query, context)


@router.get(_ROOT_ONE)
@router.get(_ONE, dependencies=_BELOW)
async def read(found: CurrentWebhook, query: One, context: CurrentContext) -> Response:
    return await WEBHOOK.one(found[0], query, context)


@router.patch(_ROOT_ONE, status_code=204)
@router.patch(_ONE, status_code=204, dependencies=_BELOW)
async def update(found: CurrentWebhook, body: Sent, context: CurrentContext) -> Response:
    row, workspace = found
    refuse_set(_NOT_OFFERED, given(body.attributes))
    sent = body.attributes.migrated_v2
    migrated = sent if isinstance(sent, bool) else row.migrated
    session, actor = context.session, context.actor
    await webhooks.update_webhook(session, actor, workspace, row, migrated=migrated)
    return Response(status_code=204)


@router.delete(_ROOT_ONE, status_code=204)
@router.delete(_ONE, status_code=204, dependencies=_BELOW)
async def delete(found: CurrentWebhook, context: CurrentContext) -> Response:
    row, workspace = found
    await webhooks.delete_webhook(context.session, context.actor, workspace, row)
    return Response(status_code=204)


@router.get(_ROOT_EVENTS)
@router.get(_EVENTS_BELOW, dependencies=_BELOW)
async def list_events(found: CurrentWebhook, query: Listed, context: CurrentContext) -> Response:
    condition = selection_of(query, "webhook_event", _FIELDS).condition
    rows = await webhooks.events_of(context.session, *found)
    held = [row for row in rows if matches(condition, lambda name: str(getattr(row, name)))]  # noqa: B023 - asked at once
    return await EVENT.many(held, query, context)


@router.post(_ROOT_EVENTS, status_code=201)
@router.post(_EVENTS_BELOW, status_code=201, dependencies=_BELOW)
async def create_event(
    found: CurrentWebhook, body: SentEvent, query: OneEvent, context: CurrentContext
) -> Response:
    row, workspace = found
    settings = _settings(body)
    event = await webhooks.add_event(context.session, context.actor, workspace, row, settings)
    return await EVENT.one(event, query, context)


@router.get(_ROOT_EVENT)
@router.get(_WEBHOOK_EVENT, dependencies=[_OF_WEBHOOK])
@router.get(_EVENT_BELOW, dependencies=[*_BELOW, _OF_WEBHOOK])
async def read_event(found: CurrentEvent, query: OneEvent, context: CurrentContext) -> Response:
    return await EVENT.one(found[0], query, context)


@router.patch(_ROOT_EVENT, status_code=204)
@router.patch(_WEBHOOK_EVENT, status_code=204, dependencies=[_OF_WEBHOOK])
@router.patch(_EVENT_BELOW, status_code=204, dependencies=[*_BELOW, _OF_WEBHOOK])
async def update_event(found: CurrentEvent, body: SentEvent, context: CurrentContext) -> Response:
    event, webhook, workspace = found
    session, actor = context.session, context.actor
    await webhooks.change_event(session, actor, workspace, webhook, event, _settings(body))
    return Response(status_code=204)


@router.delete(_ROOT_EVENT, status_code=204)
@router.delete(_WEBHOOK_EVENT, status_code=204, dependencies=[_OF_WEBHOOK])
@router.delete(_EVENT_BELOW, status_code=204, dependencies=[*_BELOW, _OF_WEBHOOK])
async def delete_event(found: CurrentEvent, context: CurrentContext) -> Response:
    event, webhook, workspace = found
    await webhooks.remove_event(context.session, context.actor, workspace, webhook, event)
    return Response(status_code=204)


def _settings(body: Body[EventInput]) -> EventSettings:
    """Translate Terrakube's names.

    Raises:
        InvalidError: an event, a type of path or a template is none that is offered.
    """
    sent = given(body.attributes)
    return EventSettings(
        event=_one_of(_EVENTS, sent, "event"),
        branch=_text(sent, "branch"),
        path=_text(sent, "path"),
        path_type=_one_of(_PATH_TYPES, sent, "path_type"),
        run_kind=_run_kind(sent),
        priority=sent.get("priority"),
        plans_by_comment=sent.get("pr_workflow_enabled"),
        applies_by_comment=sent.get("pr_apply_enabled"),
    )


def _text(sent: dict[str, Any], name: str) -> str | None:
    """Return a list as it is written; null empties it."""
    return (sent[name] or "") if name in sent else None


def _run_kind(sent: dict[str, Any]) -> str | None:
    """Return what is run; empty for as the workspace says."""
    if "template_id" not in sent:
        return None
    if not sent["template_id"]:
        return ""
    try:
        return templates.by_id(sent["template_id"]).kind
    except NotFoundError as failure:
        raise InvalidError(str(failure), pointer="template_id") from None


def _one_of(words: dict[str, Any], sent: dict[str, Any], name: str) -> Any:
    word = sent.get(name)
    if word and word not in words:
        raise InvalidError(f"{word[:40]!r} is none of {', '.join(words)}.", pointer=name)
    return words[word] if word else None
