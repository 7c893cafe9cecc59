"""What providers delivered, and what came of it. TFE has no such thing; the words are ours."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, ListQuery, Query, Resource, reads
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.vcs import deliveries, queries
from landform.vcs.models import DeliveryRow

router = new_router()


class DeliveryAttributes(Attributes[DeliveryRow]):
    """One delivery; `outcomes` say for each change why it did or did not start runs."""

    event: str
    status: str
    attempts: int
    outcomes: list[dict[str, Any]]
    received_at: datetime
    done_at: datetime | None
    provider_delivery_id: str = reads("provider_id")
    hook_id: str


DELIVERIES = Resource[DeliveryRow, Context](TFE, "vcs-deliveries", DeliveryAttributes)

One = Annotated[Query, Depends(DELIVERIES.query)]
Listed = Annotated[ListQuery, Depends(DELIVERIES.list_query)]


@router.get("/oauth-clients/{oauth_client_id}/deliveries")
async def list_of_client(oauth_client_id: str, query: Listed, context: CurrentContext) -> Response:
    row = await queries.get_connection(context.session, context.actor, oauth_client_id)
    found = await queries.list_deliveries(context.session, context.actor, row, query.page)
    return await DELIVERIES.many(found.items, query, context, total=found.total)


@router.get("/vcs-deliveries/{delivery_id}")
async def read(delivery_id: str, query: One, context: CurrentContext) -> Response:
    row, _, _ = await queries.get_delivery(context.session, context.actor, delivery_id)
    return await DELIVERIES.one(row, query, context)


@router.post("/vcs-deliveries/{delivery_id}/actions/redeliver", status_code=202)
async def redeliver(delivery_id: str, query: One, context: CurrentContext) -> Response:
    """Have it looked at again."""
    row = await deliveries.redeliver(context.session, context.actor, delivery_id)
    return await DELIVERIES.one(row, query, context)
