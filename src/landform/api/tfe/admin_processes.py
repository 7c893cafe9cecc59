"""The platform's own processes, for site admins. Ours: TFE has nothing like it."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, ListQuery, Resource
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.fleet.models import Kind, Presence
from landform.fleet.queries import list_processes

router = new_router()


class ProcessAttributes(Attributes[Presence]):
    """A server or worker that lives.

    `key-ids` names the encryption keys it holds, the one it seals with first; `sandbox` is what
    keeps a worker's runs apart, and `sandbox-reason` why that is `none`.
    """

    host: str
    key_ids: list[str]
    kind: Kind
    pid: int
    sandbox: str
    sandbox_reason: str
    seen_at: datetime
    started_at: datetime
    version: str


PROCESSES = Resource[Presence, Context](TFE, "processes", ProcessAttributes)


@router.get("/admin/processes")
async def list_all(
    query: Annotated[ListQuery, Depends(PROCESSES.list_query)], context: CurrentContext
) -> Response:
    found = await list_processes(context.session, context.actor, query.page)
    return await PROCESSES.many(found.items, query, context, total=found.total)
