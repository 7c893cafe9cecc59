"""The audit trail of an organization, with filters that the address keeps."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from landform.audit.documents import names_of, words_of
from landform.audit.queries import trail
from landform.identity import users
from landform.kit.events import EventRow
from landform.kit.pagination import Page
from landform.web.present.pages import Pages, with_query
from landform.web.present.text import as_json
from landform.web.visit import Crumb, InOrganization

router = APIRouter(include_in_schema=False)

_HERE: Final = "/organizations/{organization}/audit"
_SIZE: Final = 50
Text = Annotated[str, Query(max_length=100)]
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get(_HERE)
async def show(
    visit: InOrganization,
    event: Text = "",
    who: Text = "",
    subject: Text = "",
    since: Text = "",
    page: Number = 1,
) -> Response:
    """List what happened, newest first."""
    wanted = Page(number=page, size=_SIZE)
    given = {"event": event, "who": who, "subject": subject, "since": since}
    moment, failure = _day(since)
    someone = await users.by_username(visit.session, who.strip()) if who.strip() else None
    found = await trail(
        visit.session,
        visit.actor,
        visit.organization.id,
        since=moment,
        event=event.replace(" ", ""),
        actor_id=someone.id if someone else who.strip(),
        subject_id=subject.strip(),
        page=wanted,
    )
    names = await names_of(visit.session, {row.actor_id for row in found.items})
    path = f"{visit.path}/audit"
    return await visit.page(
        "organizations/audit.html",
        section="audit",
        follows=(visit.organization.id,),
        status=422 if failure else 200,
        crumbs=[Crumb("Audit trail")],
        rows=[_row(path, row, names.get(row.actor_id, row.actor_id)) for row in found.items],
        given=given,
        failure=failure,
        is_narrowed=any(given.values()),
        pages=Pages(path, given, wanted, found.total),
    )


def _row(path: str, row: EventRow, name: str) -> dict[str, Any]:
    known = {key: value for key, value in row.payload.items() if value not in (None, "", [], {})}
    return {
        "id": row.id,
        "at": row.at,
        "words": words_of(row.name),
        "is_denial": "Denied" in row.name,
        "name": name,
        "by_href": with_query(path, {"who": row.actor_id}),
        "subject": row.subject_id,
        "subject_href": with_query(path, {"subject": row.subject_id}),
        "address": row.address,
        "request": row.request_id,
        "details": as_json(known) if known else "",
    }


def _day(text: str) -> tuple[datetime | None, str]:
    if not text.strip():
        return None, ""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC), ""
    except ValueError:
        return None, f"{text!r} is no date; one is 2026-11-25."
