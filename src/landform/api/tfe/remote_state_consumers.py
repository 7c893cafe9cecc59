"""TFE's remote state consumers: the workspaces whose runs may read a workspace's state."""

from typing import Annotated

from fastapi import Depends, Response

from landform.api.jsonapi import Body, Kebab, ListInput, ListQuery
from landform.api.tfe.dialect import TFE, CurrentContext, new_router
from landform.api.tfe.workspaces import WORKSPACES
from landform.workspaces import queries, sharing

router = new_router()


class Consumer(Kebab):
    """A workspace, named by its id."""


CONSUMERS = ListInput(TFE, "workspaces", Consumer)
Sent = Annotated[tuple[Body[Consumer], ...], Depends(CONSUMERS)]


@router.get("/workspaces/{workspace_id}/relationships/remote-state-consumers")
async def list_of_workspace(
    workspace_id: str,
    query: Annotated[ListQuery, Depends(WORKSPACES.list_query)],
    context: CurrentContext,
    show_only_configured: str = "",
) -> Response:
    session, actor = context.session, context.actor
    workspace = await queries.get(session, actor, workspace_id)
    only_named = show_only_configured == "true"
    found = await sharing.consumers_of(session, actor, workspace, query.page, only_named=only_named)
    return await WORKSPACES.many(found.items, query, context, total=found.total)


@router.post("/workspaces/{workspace_id}/relationships/remote-state-consumers", status_code=204)
async def add(workspace_id: str, body: Sent, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    await sharing.add_consumers(context.session, context.actor, workspace, _ids(body))
    return Response(status_code=204)


@router.patch("/workspaces/{workspace_id}/relationships/remote-state-consumers", status_code=204)
async def replace(workspace_id: str, body: Sent, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    await sharing.replace_consumers(context.session, context.actor, workspace, _ids(body))
    return Response(status_code=204)


@router.delete("/workspaces/{workspace_id}/relationships/remote-state-consumers", status_code=204)
async def remove(workspace_id: str, body: Sent, context: CurrentContext) -> Response:
    workspace = await queries.get(context.session, context.actor, workspace_id)
    await sharing.remove_consumers(context.session, context.actor, workspace, _ids(body))
    return Response(status_code=204)


def _ids(body: tuple[Body[Consumer], ...]) -> list[str]:
    return [each.id for each in body]
