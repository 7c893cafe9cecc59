"""Terrakube's webhooks: events that say, instead of the workspace's own settings, what starts runs.

They are written into those settings whenever they change, all of them anew, so that there is one
place that decides (`triggers.matching`). What the settings have no place for is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.triggers.models import PathType, Webhook, WebhookEvent, WebhookEventKind
from landform.vcs.models import Hook
from landform.workspaces import queries as workspaces
from landform.workspaces import repositories, rows, service
from landform.workspaces.models import Workspace, WorkspaceRepository
from landform.workspaces.patterns import wildcard_regex
from landform.workspaces.repositories import RepositorySettings
from landform.workspaces.run_kinds import RunKind
from landform.workspaces.settings import WorkspaceSettings

_LIMIT: Final = 4096  # characters of a list
_PRIORITY_MAX: Final = 2**31 - 1
_ANY: Final = frozenset({"", ".*", ".+", "^.*$", "^.+$"})
# A branch that is named, as an expression may: escaped, and held at both ends.
_ESCAPED: Final = re.compile(r"\\([^A-Za-z0-9])")


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    """What a client gives of an event; None means as it is, or the default.

    Attributes:
        run_kind: empty: as the workspace says.
    """

    event: WebhookEventKind | None = None
    branch: str | None = None
    path: str | None = None
    path_type: PathType | None = None
    run_kind: RunKind | str | None = None
    priority: int | None = None
    plans_by_comment: bool | None = None
    applies_by_comment: bool | None = None


async def get_webhook(
    session: AsyncSession, actor: Actor, webhook_id: str
) -> tuple[Webhook, Workspace]:
    """Return a webhook and its workspace.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(Webhook, webhook_id)
    if row is None or not await workspaces.may_know(session, actor, row.workspace_id):
        raise NotFoundError(f"There is no webhook {webhook_id}.")
    return row, await session.get_one(Workspace, row.workspace_id)


async def get_event(
    session: AsyncSession, actor: Actor, event_id: str
) -> tuple[WebhookEvent, Webhook, Workspace]:
    """Return an event that is in force, its webhook and workspace.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(WebhookEvent, event_id)
    webhook = await session.get(Webhook, row.webhook_id) if row is not None else None
    if webhook is not None and await workspaces.may_know(session, actor, webhook.workspace_id):
        workspace = await session.get_one(Workspace, webhook.workspace_id)
        for each in await events_of(session, webhook, workspace):
            if each.id == event_id:
                return each, webhook, workspace
    raise NotFoundError(f"There is no event {event_id}.")


async def webhooks_of(session: AsyncSession, found: Sequence[Workspace]) -> dict[str, Webhook]:
    """Return the webhooks of workspaces the caller could get, by id of the workspace."""
    ids = [each.id for each in found]
    query = select(Webhook).where(Webhook.workspace_id.in_(ids))
    return {row.workspace_id: row for row in await session.scalars(query)}


async def events_of(
    session: AsyncSession, webhook: Webhook, workspace: Workspace
) -> Sequence[WebhookEvent]:
    """Return the events that are in force: none that was switched off on the workspace's page."""
    repository = await session.get_one(WorkspaceRepository, workspace.id)
    on = {
        WebhookEventKind.PUSH: repository.pushes_enabled and not repository.tags_regex,
        WebhookEventKind.PULL_REQUEST: workspace.speculative_enabled,
        WebhookEventKind.TAG: bool(repository.tags_regex),
    }
    return [row for row in await _rows(session, webhook) if on[row.event]]


async def remote_ids(session: AsyncSession, workspace_id: str) -> Sequence[str]:
    """Return the provider's ids of the hooks that tell of the workspace's repository."""
    query = select(Hook).join(
        WorkspaceRepository,
        (WorkspaceRepository.connection_id == Hook.connection_id)
        & (WorkspaceRepository.repository_id == Hook.repository_id),
    )
    hook = await session.scalar(query.where(WorkspaceRepository.workspace_id == workspace_id))
    return [str(each["id"]) for each in hook.remote] if hook is not None else []


async def create_webhook(
    session: AsyncSession, actor: Actor, workspace: Workspace, *, migrated: bool = False
) -> Webhook:
    """Have events say what starts runs of the workspace; before the first, nothing does.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        ConflictError: it follows no repository, or has a webhook.
    """
    workspace = await _changing(session, actor, workspace)
    if await session.get(WorkspaceRepository, workspace.id) is None:
        raise ConflictError(
            f"Workspace {workspace.name} is planned from no repository, so nothing can start its"
            " runs; give it a source and a vcs first."
        )
    row = Webhook(
        workspace_id=workspace.id, migrated=migrated, created_by=actor.id, updated_by=actor.id
    )
    there = ConflictError(f"Workspace {workspace.name} has a webhook.")
    async with unique(session, "uq_webhooks_workspace_id", there):
        session.add(row)
    await _set_all(session, actor, workspace, row)
    return row


async def update_webhook(
    session: AsyncSession, actor: Actor, workspace: Workspace, webhook: Webhook, *, migrated: bool
) -> None:
    """Keep what a client says of the webhook itself.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
    """
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    webhook.migrated, webhook.updated_by = migrated, actor.id
    await session.flush()


async def delete_webhook(
    session: AsyncSession, actor: Actor, workspace: Workspace, webhook: Webhook
) -> None:
    """Take the webhook away: nothing at the repository starts runs before something is set anew.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
    """
    workspace = await _changing(session, actor, workspace)
    for row in await _rows(session, webhook):
        await session.delete(row)
    await session.flush()
    await _set_all(session, actor, workspace, webhook)
    await session.delete(webhook)
    await session.flush()


async def add_event(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    webhook: Webhook,
    given: EventSettings,
) -> WebhookEvent:
    """Have one more thing at the repository start runs.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        InvalidError: the workspace's settings have no place for it.
        ConflictError: there is such an event.
    """
    workspace = await _changing(session, actor, workspace)
    kind = given.event or WebhookEventKind.PUSH
    for row in await _rows(session, webhook):
        if row.event is kind and row not in await events_of(session, webhook, workspace):
            await session.delete(row)  # switched off on the page, and made anew
    await session.flush()
    event = WebhookEvent(
        webhook_id=webhook.id,
        event=kind,
        branch="",
        path="",
        path_type=PathType.REGEX,
        priority=0,
        plans_by_comment=False,
        applies_by_comment=False,
        created_by=actor.id,
        updated_by=actor.id,
    )
    await _keep(session, actor, workspace, webhook, event, given)
    return event


async def change_event(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    webhook: Webhook,
    event: WebhookEvent,
    given: EventSettings,
) -> None:
    """Change an event of the webhook; raises as `add_event`."""
    workspace = await _changing(session, actor, workspace)
    event.event = given.event or event.event
    event.updated_by = actor.id
    await _keep(session, actor, workspace, webhook, event, given)


async def remove_event(
    session: AsyncSession, actor: Actor, workspace: Workspace, webhook: Webhook, event: WebhookEvent
) -> None:
    """Have a thing at the repository start no runs any more.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
    """
    workspace = await _changing(session, actor, workspace)
    await session.delete(event)
    await session.flush()
    await _set_all(session, actor, workspace, webhook)


async def _changing(session: AsyncSession, actor: Actor, workspace: Workspace) -> Workspace:
    """Return the workspace, held: events set at once would write settings without each other."""
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    return await rows.locked(session, workspace.id)


async def _keep(
    session: AsyncSession,
    actor: Actor,
    workspace: Workspace,
    webhook: Webhook,
    event: WebhookEvent,
    given: EventSettings,
) -> None:
    with session.no_autoflush:
        _take(event, given)
        repository = await session.get_one(WorkspaceRepository, workspace.id)
        _check(event, repository)
        there = ConflictError(f"The webhook has an event {event.event}; change that one.")
        async with unique(session, "uq_webhook_events_webhook_id_event", there):
            session.add(event)
    await _set_all(session, actor, workspace, webhook)


def _take(event: WebhookEvent, given: EventSettings) -> None:
    for name in ("branch", "path"):
        text = getattr(given, name)
        if text is not None:
            check_text(text, what=f"The {name}", limit=_LIMIT, pointer=name)
            setattr(event, name, text)
    if given.priority is not None and not 0 <= given.priority <= _PRIORITY_MAX:
        raise InvalidError("The priority is a number from 0 on.", pointer="priority")
    for name in ("path_type", "priority", "plans_by_comment", "applies_by_comment"):
        if (value := getattr(given, name)) is not None:
            setattr(event, name, value)
    if given.run_kind is not None:
        event.run_kind = RunKind(given.run_kind) if given.run_kind else None


def _check(event: WebhookEvent, repository: WorkspaceRepository) -> None:
    """Refuse what the settings of a workspace have no place for.

    Raises:
        InvalidError: there is none; its pointer is the attribute.
    """
    followed = repository.followed_branch
    match event.event:
        case WebhookEventKind.PUSH:
            if {_named(each) for each in listed(event.branch)} - {followed}:
                raise InvalidError(
                    f"The workspace follows branch {followed}, whose pushes alone start its runs:"
                    f" say {followed!r}, change the workspace's branch, or make a workspace for"
                    " each.",
                    pointer="branch",
                )
        case WebhookEventKind.PULL_REQUEST:
            if set(listed(event.branch)) - _ANY:
                raise InvalidError(
                    f"Pull requests into {followed} are planned, whatever branch they are from:"
                    " say '.*'.",
                    pointer="branch",
                )
            if event.run_kind not in (None, RunKind.PLAN):
                raise InvalidError(
                    "A pull request is planned and no more; its template is tpl-plan.",
                    pointer="template_id",
                )
        case WebhookEventKind.TAG if not set(listed(event.path)) <= _ANY:
            raise InvalidError("A tag counts whatever files it changes.", pointer="path")
    if event.run_kind is not None and event.run_kind.is_destroy:
        raise InvalidError("A push destroys nothing; schedule that.", pointer="template_id")
    if event.applies_by_comment and not event.plans_by_comment:
        raise InvalidError(
            "prApplyEnabled goes with prWorkflowEnabled.", pointer="applies_by_comment"
        )
    is_pull = event.event is WebhookEventKind.PULL_REQUEST
    if not is_pull and (event.plans_by_comment or event.applies_by_comment):
        pointer = "plans_by_comment" if event.plans_by_comment else "applies_by_comment"
        raise InvalidError("Comments are of an event PULL_REQUEST.", pointer=pointer)


async def _set_all(
    session: AsyncSession, actor: Actor, workspace: Workspace, webhook: Webhook
) -> None:
    """Write what all events together mean into the workspace's settings."""
    found = {row.event: row for row in await _rows(session, webhook)}
    push, tag = found.get(WebhookEventKind.PUSH), found.get(WebhookEventKind.TAG)
    pull = found.get(WebhookEventKind.PULL_REQUEST)
    if push is not None and tag is not None:
        raise InvalidError(
            "Runs of a workspace start by pushes or by tags, not by both; make a workspace for"
            " each.",
            pointer="event",
        )
    starting = push or tag
    kind = starting.run_kind if starting is not None else None
    settings = RepositorySettings(
        pushes_enabled=push is not None,
        tags_regex=tags_regex_of(tag) if tag is not None else "",
        push_run_kind=kind or "",
        path_regexes=path_regexes_of(push) if push is not None else [],
        pull_path_regexes=path_regexes_of(pull) if pull is not None else [],
        applies_by_comment=pull is not None and pull.applies_by_comment,
    )
    try:
        await repositories.connect(session, actor, workspace, settings)
    except InvalidError as failure:
        pointer = "branch" if tag is not None else "path"
        raise InvalidError(str(failure), pointer=pointer) from None
    of_workspace = WorkspaceSettings(
        speculative_enabled=pull is not None, file_triggers_enabled=False
    )
    await service.update_workspace(session, actor, workspace, of_workspace)


async def _rows(session: AsyncSession, webhook: Webhook) -> Sequence[WebhookEvent]:
    query = select(WebhookEvent).where(WebhookEvent.webhook_id == webhook.id)
    ordered = query.order_by(WebhookEvent.priority, WebhookEvent.created_at, WebhookEvent.id)
    return (await session.scalars(ordered.execution_options(populate_existing=True))).all()


async def repository_of(session: AsyncSession, webhook_id: str) -> WorkspaceRepository:
    """Return the repository of a webhook that the caller could get."""
    webhook = await session.get_one(Webhook, webhook_id)
    return await session.get_one(WorkspaceRepository, webhook.workspace_id)


def branch_in_force(event: WebhookEvent, repository: WorkspaceRepository) -> str:
    """Return the branches of an event as they were written, unless others are set by now."""
    match event.event:
        case WebhookEventKind.PUSH:
            said = {_named(each) for each in listed(event.branch)}
            return event.branch if said <= {repository.followed_branch} else repository.branch
        case WebhookEventKind.TAG if tags_regex_of(event) != repository.tags_regex:
            return repository.tags_regex
    return event.branch


def path_in_force(event: WebhookEvent, repository: WorkspaceRepository) -> tuple[str, PathType]:
    """Return the files of an event as they were written, unless others are set by now."""
    is_pull = event.event is WebhookEventKind.PULL_REQUEST
    now_set = repository.pull_path_regexes if is_pull else repository.path_regexes
    if event.event is WebhookEventKind.TAG or path_regexes_of(event) == now_set:
        return event.path, event.path_type
    return ",".join(now_set), PathType.REGEX


def run_kind_in_force(event: WebhookEvent, repository: WorkspaceRepository) -> RunKind | None:
    """Return what an event runs; None: as the workspace says."""
    is_pull = event.event is WebhookEventKind.PULL_REQUEST
    return event.run_kind if is_pull else repository.push_run_kind


def listed(text: str) -> list[str]:
    """Return the parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def tags_regex_of(event: WebhookEvent) -> str:
    """Return the expression of the tags an event is about."""
    return f"^(?:{'|'.join(listed(event.branch)) or '.*'})$"


def path_regexes_of(event: WebhookEvent) -> list[str]:
    """Return the expressions of the files an event is about; none: any file.

    In a pattern `*` stands for any text, slashes too, and `?` for one character, as in Terrakube
    since its webhooks are one for a repository.
    """
    parts = listed(event.path)
    if event.path_type is PathType.PATTERN:
        parts = [wildcard_regex(part) for part in parts]
    return [] if _ANY & set(parts) else parts


def _named(branch: str) -> str:
    return _ESCAPED.sub(r"\1", branch.removeprefix("^").removesuffix("$"))
