"""Directories that push people by SCIM, for site admins. TFE keeps them elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.directories import service
from landform.directories.models import Directory

router = new_router()


@dataclass(frozen=True)
class Shown:
    """A directory, with its token in the answer that makes it."""

    row: Directory
    token: str | UnsetType = UNSET

    @property
    def id(self) -> str:
        """Return the directory's id."""
        return self.row.id


class DirectoryAttributes(Attributes[Shown]):
    """Somebody who says by SCIM who there is; `organization-id` null: for the site.

    `token` is shown once, in the answer that makes the directory; `url` is where it is used.
    """

    created_at: datetime = reads(lambda shown: shown.row.created_at)
    last_used_at: datetime | None = reads(lambda shown: shown.row.last_used_at)
    name: str = reads(lambda shown: shown.row.name)
    organization_id: str | None = reads(lambda shown: shown.row.organization_id)
    token: str | UnsetType
    url: str = reads(lambda _, context: f"{context.base}/scim/v2")


DIRECTORIES = Resource[Shown, Context](TFE, "directories", DirectoryAttributes)


class DirectoryInput(Kebab):
    """`organization` is a name; empty: for the site."""

    name: str
    organization: str = ""


DIRECTORY = Input(TFE, "directories", DirectoryInput)


@router.get("/admin/directories")
async def list_all(
    query: Annotated[ListQuery, Depends(DIRECTORIES.list_query)], context: CurrentContext
) -> Response:
    found = await service.list_directories(context.session, context.actor, query.page)
    rows = [Shown(row) for row in found.items]
    return await DIRECTORIES.many(rows, query, context, total=found.total)


@router.post("/admin/directories", status_code=201)
async def create(
    body: Annotated[Body[DirectoryInput], Depends(DIRECTORY)],
    query: Annotated[Query, Depends(DIRECTORIES.query)],
    context: CurrentContext,
) -> Response:
    row, token = await service.create_directory(
        context.session,
        context.actor,
        name=body.attributes.name,
        organization=body.attributes.organization,
    )
    return await DIRECTORIES.one(Shown(row, token), query, context)


@router.delete("/admin/directories/{directory_id}", status_code=204)
async def delete(directory_id: str, context: CurrentContext) -> Response:
    await service.delete_directory(context.session, context.actor, directory_id)
    return Response(status_code=204)
