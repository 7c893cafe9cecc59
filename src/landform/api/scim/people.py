"""SCIM users: a person that a directory knows, and whether they are there."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from landform.api.scim.dialect import (
    PREFIX,
    USER,
    Body,
    Count,
    CurrentSource,
    Filter,
    Start,
    answer,
    listed,
    place_of,
    window,
)
from landform.api.scim.reading import read_filter, read_person, read_person_patch
from landform.directories import people
from landform.directories.people import Shown
from landform.edge.deps import Session
from landform.kit.clock import rfc3339

router = APIRouter(prefix=f"{PREFIX}/Users")

_NAMES: Final = {
    "username": "user_name",
    "externalid": "external_id",
    "emails.value": "email",
    "emails": "email",
    "id": "id",
}


@router.get("")
async def list_all(
    request: Request,
    source: CurrentSource,
    session: Session,
    wanted: Filter = "",
    start: Start = "",
    count: Count = "",
) -> Response:
    skip, most = window(start, count)
    total, found = await people.list_people(
        session, source, by=read_filter(wanted, _NAMES), skip=skip, most=most
    )
    return listed([_document(request, each) for each in found], total=total, skip=skip)


@router.post("")
async def create(request: Request, source: CurrentSource, body: Body, session: Session) -> Response:
    shown = await people.add_person(session, source, read_person(body))
    return answer(request, _document(request, shown), 201)


@router.get("/{person_id}")
async def read(
    request: Request, source: CurrentSource, person_id: str, session: Session
) -> Response:
    return answer(request, _document(request, await people.get_person(session, source, person_id)))


@router.put("/{person_id}")
async def replace(
    request: Request, source: CurrentSource, person_id: str, body: Body, session: Session
) -> Response:
    shown = await people.get_person(session, source, person_id)
    await people.change_person(session, source, shown, read_person(body))
    return answer(request, _document(request, shown))


@router.patch("/{person_id}")
async def patch(
    request: Request, source: CurrentSource, person_id: str, body: Body, session: Session
) -> Response:
    shown = await people.get_person(session, source, person_id)
    await people.change_person(session, source, shown, read_person_patch(body))
    return answer(request, _document(request, shown))


@router.delete("/{person_id}", status_code=204)
async def delete(source: CurrentSource, person_id: str, session: Session) -> Response:
    shown = await people.get_person(session, source, person_id)
    await people.remove_person(session, source, shown)
    return Response(status_code=204)


def _document(request: Request, shown: Shown) -> dict[str, Any]:
    person, user = shown.person, shown.user
    document: dict[str, Any] = {
        "schemas": [USER],
        "id": person.id,
        "userName": person.user_name,
        "displayName": person.display_name or person.user_name,
        "active": person.is_active and not user.is_suspended,
        "emails": [{"value": user.email, "type": "work", "primary": True}] if user.email else [],
        "meta": {
            "resourceType": "User",
            "created": rfc3339(person.created_at),
            "lastModified": rfc3339(person.updated_at),
            "location": place_of(request, "Users", person.id),
        },
    }
    return document | ({"externalId": person.external_id} if person.external_id else {})
