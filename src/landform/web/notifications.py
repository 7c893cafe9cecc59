"""Who is told of the runs of a workspace, how, and what came of it.

All of it is for those who may change the workspace. Where a chat is posted to is a secret: what is
shown of an address is its host.
"""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Response

from landform.identity import users
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.notifications import queries, service
from landform.notifications.drafting import Given
from landform.notifications.models import Destination, NotificationConfiguration
from landform.notifications.service import VerificationError
from landform.notifications.triggers import Trigger
from landform.web.alone import ChangeableAlone, WorkspaceAlone
from landform.web.forms import REFUSALS, Form, FormAlone, sent_back
from landform.web.pages import SendBackError, redirect
from landform.web.present.notifications import DESTINATIONS, TRIGGERS, shown_of
from landform.web.visit import Crumb, InWorkspace, WorkspaceVisit

router = APIRouter(include_in_schema=False)

_HERE: Final = "/app/{organization}/{workspace}/settings/notifications"
_ON_LIST: Final = 1  # deliveries of each
_ON_PAGE: Final = 30
# What the form calls what the service calls otherwise.
_NAMES: Final = {
    "users": "people",
    "email_addresses": "people",
    "destination_type": "destination",
}
_USUAL: Final = (Trigger.NEEDS_ATTENTION, Trigger.COMPLETED, Trigger.ERRORED)


@router.get(_HERE)
async def show(visit: InWorkspace) -> Response:
    """List who is told, and how that went last."""
    return await _list(visit)


@router.post(_HERE)
async def create(seen: ChangeableAlone, form: FormAlone) -> Response:
    """Have somebody told, once a test was taken."""
    post = seen.process.post
    try:
        given = await _given(seen, form)
        row = await service.create(post, seen.visitor.actor, seen.workspace_id, given)
    except (*REFUSALS, VerificationError) as refused:
        raise sent_back(_path(seen), refused, names=_NAMES) from None
    return redirect(_path(seen), say=_saved(row))


@router.get(f"{_HERE}/{{notification_id}}")
async def show_one(visit: InWorkspace, notification_id: str) -> Response:
    """Show one configuration, with its last deliveries."""
    return await _one(visit, await _of(visit, notification_id))


@router.post(f"{_HERE}/{{notification_id}}")
async def change(seen: ChangeableAlone, notification_id: str, form: FormAlone) -> Response:
    """Save a configuration, switch it on or off, send a test, or take it away."""
    actor, post, deed = seen.visitor.actor, seen.process.post, form.line("deed")
    async with transaction(seen.process.platform.sessions) as session:
        await _of(await seen.again(session), notification_id)
    if deed == "save":
        return await _save(seen, notification_id, form)
    try:
        match deed:
            case "remove":
                async with transaction(post.sessions) as session:
                    await service.delete(session, actor, notification_id)
                said = "Nobody is told by it any more."
            case "test":
                await service.verify(post, actor, notification_id)
                said = "The test was taken."
            case "on" | "off":
                given = Given(enabled=deed == "on")
                said = _saved(await service.change(post, actor, notification_id, given))
            case _:
                raise InvalidError("It can be saved, switched on or off, tested, or removed.")
    except (*REFUSALS, VerificationError) as refused:
        raise SendBackError(f"{_path(seen)}/{notification_id}", str(refused)) from None
    back = _path(seen) if deed == "remove" else f"{_path(seen)}/{notification_id}"
    return redirect(back, say=said)


async def _save(seen: WorkspaceAlone, notification_id: str, form: Form) -> Response:
    post = seen.process.post
    try:
        given = await _given(seen, form)
        # An address or a token that is not typed anew stays; it is shown to nobody.
        given = replace(given, url=given.url or None, token=given.token or None)
        if form.flag("no_token"):
            given = replace(given, token="")
        row = await service.change(post, seen.visitor.actor, notification_id, given)
    except (*REFUSALS, VerificationError) as refused:
        raise sent_back(f"{_path(seen)}/{notification_id}", refused, names=_NAMES) from None
    return redirect(f"{_path(seen)}/{notification_id}", say=_saved(row))


def _path(seen: WorkspaceAlone) -> str:
    return f"{seen.path}/settings/notifications"


async def _of(visit: WorkspaceVisit, notification_id: str) -> NotificationConfiguration:
    row, workspace = await queries.get(visit.session, visit.actor, notification_id)
    return queries.require_within(row, workspace, visit.workspace)


async def _given(seen: WorkspaceAlone, form: Form) -> Given:
    """Return what was filled in; whoever has an @ in it is an address, others are members."""
    people = form.lines("people")
    names = [each for each in people if "@" not in each]
    async with transaction(seen.process.platform.sessions) as session:
        user_ids = await queries.members_named(session, seen.organization_id, names)
    return Given(
        name=form.line("name"),
        destination=form.line("destination"),
        enabled=form.flag("enabled"),
        triggers=form.all("triggers"),
        url=form.line("url"),
        token=form.line("token"),
        email_addresses=[each for each in people if "@" in each],
        user_ids=user_ids,
    )


async def _list(visit: WorkspaceVisit) -> Response:
    found = await queries.list_of(visit.session, visit.actor, visit.workspace)
    told = await queries.last_deliveries(visit.session, found.items, most=_ON_LIST)
    keyring = visit.process.platform.keyring
    return await visit.page(
        "workspaces/notifications.html",
        section="settings",
        follows=("notifications", *(row.id for row in found.items)),
        crumbs=[Crumb("Settings", f"{visit.path}/settings"), Crumb("Notifications")],
        configurations=[shown_of(row, told[row.id], keyring) for row in found.items],
        may_mail=visit.process.mail is not None,
        destinations=list(DESTINATIONS.items()),
        choices=list(TRIGGERS.items()),
        given={
            "name": "",
            "url": "",
            "people": "",
            "destination": Destination.SLACK.value,
            "triggers": _USUAL,
            "enabled": True,
        },
    )


async def _one(visit: WorkspaceVisit, row: NotificationConfiguration) -> Response:
    names = await users.names_of(visit.session, row.user_ids)
    people = [*(names.get(each, each) for each in row.user_ids), *row.email_addresses]
    told = await queries.last_deliveries(visit.session, [row], most=_ON_PAGE)
    list_page = f"{visit.path}/settings/notifications"
    return await visit.page(
        "workspaces/notification.html",
        section="settings",
        follows=("notifications", row.id),
        crumbs=[
            Crumb("Settings", f"{visit.path}/settings"),
            Crumb("Notifications", list_page),
            Crumb(row.name),
        ],
        one=shown_of(row, told[row.id], visit.process.platform.keyring),
        choices=list(TRIGGERS.items()),
        given={
            "name": row.name,
            "url": "",
            "people": "\n".join(people),
            "triggers": row.triggers,
            "enabled": row.enabled,
        },
    )


def _saved(row: NotificationConfiguration) -> str:
    return f"{row.name} is {'on' if row.enabled else 'off'}."
