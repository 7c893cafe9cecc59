"""Terrakube's `tag` and `workspaceTag`, both known by the tag's name, which is their id.

Facts: terrakube_backend.md §1.4, terrakube_user.md §5.2. A tag with a value, which TFE has and
Terrakube has not, is shown by its key; to tag a workspace with it again leaves the value.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Camel,
    Input,
    ListQuery,
    Query,
    Resource,
    ToOne,
    reads,
)
from landform.api.jsonapi.rsql import Field
from landform.api.terrakube.dialect import (
    TERRAKUBE,
    Context,
    CurrentContext,
    CurrentOrganization,
    CurrentWorkspace,
    new_router,
    selection_of,
)
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.selection import matches
from landform.workspaces import organization_tags, tags
from landform.workspaces.models import TagBinding

router = new_router()


@dataclass(frozen=True)
class Named:
    """A tag of an organization."""

    name: str
    organization_id: str


class TagAttributes(Attributes[Named]):
    """A tag that workspaces can have."""

    name: str


TAG = Resource[Named, Context](
    TERRAKUBE,
    "tag",
    TagAttributes,
    key="name",
    relationships=[ToOne("organization", "organization")],
    filters=("filter", "filter[tag]"),
)


class WorkspaceTagAttributes(Attributes[TagBinding]):
    """A tag of a workspace, named by its id."""

    tag_id: str = reads("key")


WORKSPACE_TAG = Resource[TagBinding, Context](
    TERRAKUBE,
    "workspacetag",
    WorkspaceTagAttributes,
    key="key",
    relationships=[ToOne("workspace", "workspace")],
    filters=("filter", "filter[workspacetag]"),
)


class TagInput(Camel):
    """What a client gives of a tag."""

    name: str | UnsetType | None = UNSET


class WorkspaceTagInput(Camel):
    """What a client gives of a workspace's tag."""

    tag_id: str | UnsetType | None = UNSET


INPUT = Input(TERRAKUBE, "tag", TagInput)
WORKSPACE_INPUT = Input(TERRAKUBE, "workspacetag", WorkspaceTagInput)
One = Annotated[Query, Depends(TAG.query)]
OneOfWorkspace = Annotated[Query, Depends(WORKSPACE_TAG.query)]
Sent = Annotated[Body[TagInput], Depends(INPUT)]
SentOfWorkspace = Annotated[Body[WorkspaceTagInput], Depends(WORKSPACE_INPUT)]

_PATH: Final = "/organization/{organization_id}/tag"
_ONE: Final = _PATH + "/{tag_name}"
_BELOW: Final = "/organization/{organization_id}/workspace/{workspace_id}/workspaceTag"
_ONE_BELOW: Final = _BELOW + "/{tag_name}"
_FIELDS: Final = {"id": Field("name"), "name": Field("name")}
_FIELDS_BELOW: Final = {"id": Field("key"), "tagId": Field("key")}


@router.get(_PATH)
async def list_of_organization(
    organization: CurrentOrganization,
    query: Annotated[ListQuery, Depends(TAG.list_query)],
    context: CurrentContext,
) -> Response:
    names = await organization_tags.list_names(context.session, context.actor, organization)
    condition = selection_of(query, "tag", _FIELDS).condition
    rows = [Named(name, organization.id) for name in names if matches(condition, lambda _: name)]  # noqa: B023 - asked at once
    page = query.page
    shown = rows[page.offset : page.offset + page.size]
    return await TAG.many(shown, query, context, total=len(rows))


@router.post(_PATH, status_code=201)
async def create(
    organization: CurrentOrganization, body: Sent, query: One, context: CurrentContext
) -> Response:
    name = await organization_tags.set_aside(
        context.session, context.actor, organization, body.attributes.name or ""
    )
    return await TAG.one(Named(name, organization.id), query, context)


@router.get(_ONE)
async def read(
    organization: CurrentOrganization, tag_name: str, query: One, context: CurrentContext
) -> Response:
    name = await organization_tags.find_name(context.session, context.actor, organization, tag_name)
    return await TAG.one(Named(name, organization.id), query, context)


@router.patch(_ONE, status_code=204)
async def update(
    organization: CurrentOrganization, tag_name: str, body: Sent, context: CurrentContext
) -> Response:
    """Accept what leaves the tag as it is: its name is what it is known by."""
    name = await organization_tags.find_name(context.session, context.actor, organization, tag_name)
    if body.attributes.name not in (UNSET, None, "", name):
        raise InvalidError(
            "A tag is known by its name and keeps it; make another, and delete this one.",
            pointer="name",
        )
    return Response(status_code=204)


@router.delete(_ONE, status_code=204)
async def delete(
    organization: CurrentOrganization, tag_name: str, context: CurrentContext
) -> Response:
    await organization_tags.forget(context.session, context.actor, organization, tag_name)
    return Response(status_code=204)


@router.get(_BELOW)
async def list_of_workspace(
    workspace: CurrentWorkspace,
    query: Annotated[ListQuery, Depends(WORKSPACE_TAG.list_query)],
    context: CurrentContext,
) -> Response:
    rows = await tags.bindings_of(context.session, context.actor, workspace)
    condition = selection_of(query, "workspacetag", _FIELDS_BELOW).condition
    held = [row for row in rows if matches(condition, lambda _: row.key)]  # noqa: B023 - asked at once
    return await WORKSPACE_TAG.many(held, query, context)


@router.post(_BELOW, status_code=201)
async def tag_workspace(
    organization: CurrentOrganization,
    workspace: CurrentWorkspace,
    body: SentOfWorkspace,
    query: OneOfWorkspace,
    context: CurrentContext,
) -> Response:
    session, actor, name = context.session, context.actor, body.attributes.tag_id or ""
    try:
        await organization_tags.find_name(session, actor, organization, name)
    except NotFoundError as failure:
        raise InvalidError(str(failure), pointer="tag_id") from None
    await tags.add_tags(session, actor, workspace, [name])
    rows = await tags.bindings_of(session, actor, workspace)
    row = next(each for each in rows if each.key == name)
    return await WORKSPACE_TAG.one(row, query, context)


@router.get(_ONE_BELOW)
async def read_of_workspace(
    workspace: CurrentWorkspace, tag_name: str, query: OneOfWorkspace, context: CurrentContext
) -> Response:
    rows = await tags.bindings_of(context.session, context.actor, workspace)
    row = next((each for each in rows if each.key == tag_name), None)
    if row is None:
        raise NotFoundError(f"{workspace.name} has no tag {tag_name[:300]}.")
    return await WORKSPACE_TAG.one(row, query, context)


@router.delete(_ONE_BELOW, status_code=204)
async def untag_workspace(
    workspace: CurrentWorkspace, tag_name: str, context: CurrentContext
) -> Response:
    rows = await tags.bindings_of(context.session, context.actor, workspace)
    if tag_name not in {row.key for row in rows}:
        raise NotFoundError(f"{workspace.name} has no tag {tag_name[:300]}.")
    await tags.remove_tags(context.session, context.actor, workspace, [tag_name])
    return Response(status_code=204)
