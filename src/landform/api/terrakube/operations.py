"""Atomic operations: several changes in one transaction, all of them or none.

Facts: jsonapi.org/ext/atomic; terrakube_user.md §5.1. Each operation is what the request at its
`href` would be, asked of an application with the same routes whose session is the batch's
(`app.build`). What waits for other servers cannot be part of one: a repository is connected by
itself.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
import psycopg
from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError

from landform.api.jsonapi import ActionInput, Camel, wrong
from landform.api.terrakube.asking import Answer, ask
from landform.api.terrakube.dialect import PREFIX, TERRAKUBE, new_router
from landform.api.terrakube.workspace_input import NO_SOURCE
from landform.edge.brief import BriefActor
from landform.edge.deps import ACTOR, SESSION, CurrentProcess
from landform.kit.db import transaction
from landform.kit.errors import UnavailableError

router = new_router()

_MEDIA_TYPE: Final = 'application/vnd.api+json; ext="https://jsonapi.org/ext/atomic"'
_LIMIT: Final = 50
_METHODS: Final = {"add": "POST", "update": "PATCH", "remove": "DELETE"}
_ID: Final = r"/[^/\s?#]+"
_IN_WORKSPACE: Final = (
    f"(/(variable|access|workspaceTag|schedule)({_ID})?|/webhook({_ID}(/events({_ID})?)?)?)?"
)
_WITHIN: Final = re.compile(
    f"/organization({_ID}(/(team|job|globalvar|tag|ssh|vcs)({_ID})?"
    f"|/project({_ID}(/projectAccess({_ID})?)?)?"
    f"|/workspace({_ID}{_IN_WORKSPACE})?)?)?"
    f"|/workspace{_ID}/schedule({_ID})?"
    f"|/webhook{_ID}(/events({_ID})?)?|/webhook_event{_ID}"
)
_RELATIONSHIP: Final = re.compile(f"(?P<owner>.+{_ID})/relationships/[A-Za-z_]+")
_CONNECTION: Final = re.compile(f"/organization{_ID}/vcs{_ID}")
_REFUSED_FROM: Final = 400


class Operation(Camel):
    """One change; `ref` is of no use, as everything here lies below its organization.

    Attributes:
        data: a resource; of a relationship, what it is to link to, which may be several.
    """

    op: str = ""
    href: str = ""
    data: dict[str, Any] | list[Any] | None = None


class Operations(msgspec.Struct):
    """What a client asks for."""

    asked: list[Operation] = msgspec.field(name="atomic:operations", default_factory=list)


INPUT = ActionInput(TERRAKUBE, Operations)


class _RefusedError(Exception):
    """One of the operations cannot be; the transaction ends with it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@router.post("/operations")
async def operate(
    request: Request,
    process: CurrentProcess,
    actor: BriefActor,
    body: Annotated[Operations, Depends(INPUT)],
) -> Response:
    """Do all, and answer with what was made; or nothing, with the first failure's own answer."""
    if not 1 <= len(body.asked) <= _LIMIT:
        raise wrong("/atomic:operations", f"There are 1 to {_LIMIT} operations in a request.")
    try:
        async with transaction(process.platform.sessions) as session:
            results = await _do_all(request, body.asked, {SESSION: session, ACTOR: actor})
    except _RefusedError as refused:
        return Response(refused.answer.body, refused.answer.status, media_type=_MEDIA_TYPE)
    except OperationalError as failure:
        if not isinstance(failure.orig, psycopg.errors.DeadlockDetected):
            raise
        raise UnavailableError(
            "Another request changes the same things in another order; try again."
        ) from None
    return JSONResponse({"atomic:results": results}, media_type=_MEDIA_TYPE)


async def _do_all(
    request: Request, asked: Sequence[Operation], shared: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Do one after the other, and return what each gave.

    Raises:
        DocumentError: one cannot be part of a batch.
        _RefusedError: one cannot be.
    """
    results = []
    made: dict[str, str] = {}
    for index, each in enumerate(asked):
        _check(each, f"/atomic:operations/{index}")
        answer = await ask(
            request,
            request.app.state.within_a_batch,
            _METHODS[each.op],
            _path(each, made),
            _renamed(each, made),
            keeping=shared,
        )
        if answer.status >= _REFUSED_FROM:
            raise _RefusedError(answer)
        data = answer.document.get("data")
        if each.op == "add" and data and (name := _name(each.data)):
            made[name] = data["id"]
        results.append({"data": data})
    return results


def _check(asked: Operation, pointer: str) -> None:
    """Refuse what cannot be part of a batch.

    Raises:
        DocumentError: it is none of the operations, or not on what they can be on.
    """
    if asked.op not in _METHODS:
        raise wrong(f"{pointer}/op", f"The operation is one of {', '.join(_METHODS)}.")
    href = asked.href.removeprefix(PREFIX)
    linking = _RELATIONSHIP.fullmatch(href)
    if _WITHIN.fullmatch(linking["owner"] if linking else href) is None:
        raise wrong(
            f"{pointer}/href",
            "An operation names its resource by href: an organization, what is below one, or a"
            " relationship of that.",
        )
    if asked.op == "remove" and _CONNECTION.fullmatch(href):
        raise wrong(
            f"{pointer}/op",
            "The hooks of a connection are removed at its provider, so it is deleted by a request"
            " of its own and not with others.",
        )
    source = _members(asked.data, "attributes").get("source")
    linked = _members(asked.data, "relationships")
    connects = linking is not None and href.endswith("/vcs") and bool(asked.data)
    if connects or linked.get("vcs") or source not in (None, "", NO_SOURCE):
        raise wrong(
            f"{pointer}/data",
            "A repository is looked for at its provider, so it is connected by a request of its"
            " own and not with others.",
        )


def _path(asked: Operation, made: Mapping[str, str]) -> str:
    parts = asked.href.removeprefix(PREFIX).split("/")
    return PREFIX + "/".join(made.get(part, part) for part in parts)


def _renamed(asked: Operation, made: Mapping[str, str]) -> bytes:
    """Return the body of a request, with what the batch made under the ids it was given here."""
    data = asked.data
    if _RELATIONSHIP.fullmatch(asked.href):
        return json.dumps({"data": _identified(data, made)}).encode()
    if not isinstance(data, dict):
        return b"" if data is None else json.dumps({"data": data}).encode()
    linked = _members(data, "relationships")
    known = {
        relationship: {"data": _identified(each["data"], made)}
        for relationship, each in linked.items()
        if isinstance(each, dict) and each.get("data")
    }
    sent = {**data, "relationships": {**linked, **known}} if known else data
    return json.dumps({"data": sent}).encode()


def _identified(data: Any, made: Mapping[str, str]) -> Any:
    """Return identifiers, with the ids of what the batch made."""
    if isinstance(data, list):
        return [_identified(each, made) for each in data]
    name = _name(data)
    return {**data, "id": made[name]} if name in made else data


def _name(data: Any) -> str:
    """Return the id that a client gave, to speak of what is not there yet; empty for none."""
    if not isinstance(data, dict):
        return ""
    given = [data.get(name) for name in ("lid", "id")]
    return next((each for each in given if isinstance(each, str)), "")


def _members(value: Any, name: str) -> dict[str, Any]:
    """Return a member that is an object; anything else is for the route itself to refuse."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
