"""TFE comments on runs, and what happened to them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Response

from landform.api.jsonapi.body import Body
from landform.api.jsonapi.declaration import Attributes, ToOne, reads
from landform.api.jsonapi.inputs import Input
from landform.api.jsonapi.naming import Kebab, kebab
from landform.api.jsonapi.query import ListQuery, Query
from landform.api.jsonapi.resource import Resource
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.kit.events import EventRow
from landform.runs import queries, service
from landform.runs.models import Comment

router = new_router()


class CommentAttributes(Attributes[Comment]):
    """What somebody said of a run."""

    body: str
    created_at: datetime


COMMENTS = Resource[Comment, Context](
    TFE,
    "comments",
    CommentAttributes,
    relationships=[ToOne("run", "runs")],
    url="/api/v2/comments/{id}",
)


class RunEventAttributes(Attributes[EventRow]):
    """Something that happened to a run."""

    action: str = reads(lambda event: kebab(_snake(event.name)).replace("-", "_"))
    description: str | None = reads(lambda event: event.payload.get("reason") or None)
    created_at: datetime = reads("at")
    details: dict[str, Any] = reads("payload")


RUN_EVENTS = Resource[EventRow, Context](
    TFE,
    "run-events",
    RunEventAttributes,
    key=lambda event: f"re-{event.id}",
    relationships=[ToOne("run", "runs", id="subject_id")],
)


class CreateComment(Kebab):
    """What is to be said."""

    body: str


CREATE = Input(TFE, "comments", CreateComment)
One = Annotated[Query, Depends(COMMENTS.query)]


@router.post("/runs/{run_id}/comments", status_code=201)
async def create(
    run_id: str,
    body: Annotated[Body[CreateComment], Depends(CREATE)],
    query: One,
    context: CurrentContext,
) -> Response:
    comment = await service.add_comment(
        context.session, context.actor, run_id, body.attributes.body
    )
    return await COMMENTS.one(comment, query, context)


@router.get("/runs/{run_id}/comments")
async def list_of_run(
    run_id: str,
    query: Annotated[ListQuery, Depends(COMMENTS.list_query)],
    context: CurrentContext,
) -> Response:
    run = await queries.get(context.session, context.actor, run_id)
    return await COMMENTS.many(await queries.comments_of(context.session, run), query, context)


@router.get("/comments/{comment_id}")
async def read(comment_id: str, query: One, context: CurrentContext) -> Response:
    comment = await queries.comment(context.session, context.actor, comment_id)
    return await COMMENTS.one(comment, query, context)


@router.get("/runs/{run_id}/run-events")
async def events_of_run(
    run_id: str,
    query: Annotated[ListQuery, Depends(RUN_EVENTS.list_query)],
    context: CurrentContext,
) -> Response:
    run = await queries.get(context.session, context.actor, run_id)
    return await RUN_EVENTS.many(await queries.events_of(context.session, run), query, context)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
