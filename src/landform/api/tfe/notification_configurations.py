"""TFE's notification configurations: go-tfe notification_configuration.go, HCP's page of the name.

All of it is for those who may change the workspace, as with TFE: the address is shown to them, and
is the one secret of a chat. The token is shown to nobody. A configuration that is enabled is
verified before it is saved, and refused with 400 when the address does not take that.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.edge.brief import BriefActor
from landform.edge.deps import process_of
from landform.kit.clock import rfc3339
from landform.kit.errors import InvalidError
from landform.notifications import queries, service
from landform.notifications.drafting import Given
from landform.notifications.models import NotificationConfiguration
from landform.notifications.recording import read_answer
from landform.workspaces import queries as workspaces

router = new_router()

_HERE: Final = "/notification-configurations/{configuration_id}"
_OF_WORKSPACE: Final = "/workspaces/{workspace_id}/notification-configurations"


def _url(row: NotificationConfiguration, context: Context) -> str | None:
    return row.url(context.process.platform.keyring) or None


def _nothing(_: NotificationConfiguration) -> None:
    """Return what is shown of a token."""


def _responses(row: NotificationConfiguration, context: Context) -> list[dict[str, Any]]:
    """Return the newest answer, if there is one; all of it is text, as TFE's is."""
    delivery = context.answers.get(row.id)
    keyring = context.process.platform.keyring
    heard = read_answer(keyring, delivery) if delivery else None
    if delivery is None or heard is None or delivery.sent_at is None:
        return []
    return [
        {
            "body": heard.body,
            "code": str(heard.code),
            "headers": heard.headers,
            "sent-at": rfc3339(delivery.sent_at),
            "successful": "true" if heard.is_delivered else "false",
            "url": row.url(keyring),
        }
    ]


class ConfigurationAttributes(Attributes[NotificationConfiguration]):
    """Who is told of the runs of a workspace, and how."""

    created_at: datetime
    delivery_responses: list[dict[str, Any]] = reads(_responses)
    destination_type: str = reads("destination")
    email_addresses: list[str]
    enabled: bool
    name: str
    token: str | None = reads(_nothing)
    triggers: list[str]
    updated_at: datetime
    url: str | None = reads(_url)


async def _prepare(rows: Sequence[NotificationConfiguration], context: Context) -> None:
    context.answers.update(await queries.last_answers(context.session, rows))


CONFIGURATIONS = Resource[NotificationConfiguration, Context](
    TFE,
    "notification-configurations",
    ConfigurationAttributes,
    relationships=[
        ToOne("subscribable", "workspaces", id="workspace_id"),
        ToMany("users", "users", ids=lambda row: row.user_ids),
    ],
    url="/api/v2/notification-configurations/{id}",
    prepare=_prepare,
)


class ConfigurationInput(Kebab):
    """What a client gives of a configuration; what it leaves out stays."""

    destination_type: str | UnsetType = UNSET
    email_addresses: list[str] | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    name: str | UnsetType = UNSET
    token: str | UnsetType | None = UNSET
    triggers: list[str] | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET


CONFIGURATION = Input(
    TFE,
    "notification-configurations",
    ConfigurationInput,
    one={"subscribable": "workspaces"},
    many={"users": "users"},
)
One = Annotated[Query, Depends(CONFIGURATIONS.query)]
Sent = Annotated[Body[ConfigurationInput], Depends(CONFIGURATION)]
_Row = NotificationConfiguration


async def _created(
    request: Request, workspace_id: str, actor: BriefActor, body: Sent
) -> NotificationConfiguration:
    linked = body.one("subscribable")
    if linked is not None and linked.id != workspace_id:
        raise InvalidError(
            "The address says which workspace is told of; subscribable says another.",
            pointer="subscribable",
        )
    return await service.create(process_of(request).post, actor, workspace_id, _given(body))


async def _changed(
    request: Request, configuration_id: str, actor: BriefActor, body: Sent
) -> NotificationConfiguration:
    return await service.change(process_of(request).post, actor, configuration_id, _given(body))


async def _verified(
    request: Request, configuration_id: str, actor: BriefActor
) -> NotificationConfiguration:
    return await service.verify(process_of(request).post, actor, configuration_id)


async def _enabled(
    request: Request, configuration_id: str, actor: BriefActor
) -> NotificationConfiguration:
    given = Given(enabled=True)
    return await service.change(process_of(request).post, actor, configuration_id, given)


# Before the context in every signature: what is open by then must not wait for a receiver.
Created = Annotated[_Row, Depends(_created)]
Changed = Annotated[_Row, Depends(_changed)]
Verified = Annotated[_Row, Depends(_verified)]
Enabled = Annotated[_Row, Depends(_enabled)]


@router.get(_OF_WORKSPACE)
async def list_of_workspace(
    workspace_id: str,
    query: Annotated[ListQuery, Depends(CONFIGURATIONS.list_query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    workspace = await workspaces.get(session, actor, workspace_id)
    found = await queries.list_of(session, actor, workspace, query.page)
    return await CONFIGURATIONS.many(found.items, query, context, total=found.total)


@router.post(_OF_WORKSPACE, status_code=201)
async def create(row: Created, query: One, context: CurrentContext) -> Response:
    return await CONFIGURATIONS.one(row, query, context)


@router.get(_HERE)
async def read(configuration_id: str, query: One, context: CurrentContext) -> Response:
    row, _ = await queries.get(context.session, context.actor, configuration_id)
    return await CONFIGURATIONS.one(row, query, context)


@router.patch(_HERE)
async def update(row: Changed, query: One, context: CurrentContext) -> Response:
    return await CONFIGURATIONS.one(row, query, context)


@router.delete(_HERE, status_code=204)
async def delete(configuration_id: str, context: CurrentContext) -> Response:
    await service.delete(context.session, context.actor, configuration_id)
    return Response(status_code=204)


@router.post(f"{_HERE}/actions/verify")
async def verify(row: Verified, query: One, context: CurrentContext) -> Response:
    return await CONFIGURATIONS.one(row, query, context)


@router.post(f"{_HERE}/actions/enable")
async def enable(row: Enabled, query: One, context: CurrentContext) -> Response:
    return await CONFIGURATIONS.one(row, query, context)


def _given(body: Body[ConfigurationInput]) -> Given:
    """Null is empty: go-tfe sends none of what it leaves out, and others send nulls."""
    sent = body.attributes
    return Given(
        name=_sent(sent.name),
        destination=_sent(sent.destination_type),
        enabled=_sent(sent.enabled),
        triggers=_sent(sent.triggers, empty=[]),
        url=_sent(sent.url, empty=""),
        token=_sent(sent.token, empty=""),
        email_addresses=_sent(sent.email_addresses, empty=[]),
        user_ids=[each.id for each in body.many("users")] if body.mentions("users") else None,
    )


def _sent(value: Any, *, empty: Any = None) -> Any:
    if value is UNSET:
        return None
    return empty if value is None else value
