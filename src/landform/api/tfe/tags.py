"""Tags of TFE's workspaces: bindings of keys and values, and names without a value."""

from typing import Annotated, Any

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, Body, Kebab, ListInput, ListQuery, Resource, reads
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.workspaces import queries, tags
from landform.workspaces.models import TagBinding
from landform.workspaces.tags import EffectiveTag, Tag

router = new_router()


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


class TagName(Kebab):
    """A tag by its name."""

    name: str


class TagPair(Kebab):
    """A tag by its key and value."""

    key: str
    value: str | None = None


BINDINGS = ListInput(TFE, "tag-bindings", TagPair)
TAG_LIST = ListInput(TFE, "tags", TagName)
BindingList = Annotated[ListQuery, Depends(TAG_BINDINGS.list_query)]
SentTags = Annotated[tuple[Body[TagName], ...], Depends(TAG_LIST)]


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


def sent_bindings(body: Body[Any]) -> list[Tag] | None:
    """Return the tags that a workspace or project is sent with; None if it says nothing of them."""
    if not body.mentions("tag_bindings"):
        return None
    pairs = [each.read(TagPair) for each in body.many("tag_bindings")]
    return [Tag(pair.key, pair.value or "") for pair in pairs]
