"""SCIM groups: each is a team of the directory's organization."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from landform.api.scim.dialect import (
    GROUP,
    PREFIX,
    Body,
    Count,
    CurrentSource,
    Excluded,
    Filter,
    Start,
    answer,
    listed,
    place_of,
    window,
)
from landform.api.scim.reading import read_filter, read_group, read_group_patch
from landform.directories import groups
from landform.directories.models import DirectoryGroup
from landform.edge.deps import Session
from landform.kit.clock import rfc3339

router = APIRouter(prefix=f"{PREFIX}/Groups")

_NAMES: Final = {"displayname": "display_name", "externalid": "external_id", "id": "id"}


@router.get("")
async def list_all(
    request: Request,
    source: CurrentSource,
    session: Session,
    wanted: Filter = "",
    start: Start = "",
    count: Count = "",
    excluded: Excluded = "",
) -> Response:
    skip, most = window(start, count)
    total, found = await groups.list_groups(
        session, source, by=read_filter(wanted, _NAMES), skip=skip, most=most
    )
    members = {} if _hides(excluded) else await groups.members_of(session, found)
    rows = [_document(request, each, members.get(each.id)) for each in found]
    return listed(rows, total=total, skip=skip)


@router.post("")
async def create(request: Request, source: CurrentSource, body: Body, session: Session) -> Response:
    row = await groups.add_group(session, source, read_group(body))
    return await _whole(request, session, row, 201)


@router.get("/{group_id}")
async def read(
    request: Request,
    source: CurrentSource,
    group_id: str,
    session: Session,
    excluded: Excluded = "",
) -> Response:
    row = await groups.get_group(session, source, group_id)
    if _hides(excluded):
        return answer(request, _document(request, row, None))
    return await _whole(request, session, row)


@router.put("/{group_id}")
async def replace(
    request: Request, source: CurrentSource, group_id: str, body: Body, session: Session
) -> Response:
    row = await groups.get_group(session, source, group_id)
    await groups.change_group(session, source, row, read_group(body))
    return await _whole(request, session, row)


@router.patch("/{group_id}")
async def patch(
    request: Request, source: CurrentSource, group_id: str, body: Body, session: Session
) -> Response:
    row = await groups.get_group(session, source, group_id)
    for change in read_group_patch(body):
        await groups.change_group(session, source, row, change)
    return await _whole(request, session, row)


@router.delete("/{group_id}", status_code=204)
async def delete(source: CurrentSource, group_id: str, session: Session) -> Response:
    row = await groups.get_group(session, source, group_id)
    await groups.remove_group(session, source, row)
    return Response(status_code=204)


async def _whole(
    request: Request, session: AsyncSession, row: DirectoryGroup, status: int = 200
) -> Response:
    members = await groups.members_of(session, [row])
    return answer(request, _document(request, row, members[row.id]), status)


def _hides(excluded: str) -> bool:
    return "members" in [each.strip().lower() for each in excluded.split(",")]


def _document(
    request: Request, row: DirectoryGroup, members: list[tuple[str, str]] | None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schemas": [GROUP],
        "id": row.id,
        "displayName": row.display_name,
        "meta": {
            "resourceType": "Group",
            "created": rfc3339(row.created_at),
            "lastModified": rfc3339(row.updated_at),
            "location": place_of(request, "Groups", row.id),
        },
    }
    if row.external_id:
        document["externalId"] = row.external_id
    if members is not None:
        document["members"] = [{"value": key, "display": name} for key, name in members]
    return document
