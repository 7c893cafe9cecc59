"""TFE's audit trail: plain JSON, not JSON:API, and of the organization whose token asks.

`GET /organization/audit-trail` is HCP Terraform's ("Audit Trails API"); the other names the
organization, for people who own it.
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Response

from landform.api.tfe.dialect import Context, CurrentContext, new_router
from landform.audit.documents import documents
from landform.audit.queries import trail
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.pagination import Page
from landform.workspaces import organizations

router = new_router()

_LARGEST: Final = 1000
Since = Annotated[str, Query()]
Number = Annotated[int, Query(alias="page[number]", ge=1, le=1_000_000)]
Size = Annotated[int, Query(alias="page[size]", ge=1, le=_LARGEST)]


@router.get("/organization/audit-trail")
async def of_token(
    context: CurrentContext, since: Since = "", number: Number = 1, size: Size = _LARGEST
) -> Response:
    if context.actor.organization_id is None:
        raise NotFoundError(
            "The audit trail is read with an organization's token. With your own, ask"
            " /api/v2/organizations/NAME/audit-trail."
        )
    return await _answer(context, context.actor.organization_id, since, Page(number, size))


@router.get("/organizations/{organization}/audit-trail")
async def of_organization(
    organization: str,
    context: CurrentContext,
    since: Since = "",
    number: Number = 1,
    size: Size = _LARGEST,
) -> Response:
    found = await organizations.by_name(context.session, context.actor, organization)
    return await _answer(context, found.id, since, Page(number, size))


async def _answer(context: Context, organization_id: str, since: str, page: Page) -> Response:
    found = await trail(
        context.session, context.actor, organization_id, since=_moment(since), page=page
    )
    last = max(1, -(-found.total // page.size))
    answer: dict[str, Any] = {
        "data": await documents(context.session, found.items),
        "pagination": {
            "current_page": page.number,
            "prev_page": page.number - 1 if page.number > 1 else None,
            "next_page": page.number + 1 if page.number < last else None,
            "total_pages": last,
            "total_count": found.total,
        },
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidError(
            "`since` is a moment such as 2026-11-25T00:00:00Z.", pointer="since"
        ) from None
    return moment
