"""The relationships of every resource, at addresses of their own: read, and changed where they can.

Facts: jsonapi.org "Updating Relationships"; terrakube_backend.md §1.1. To change one is to change
the resource that has it, so it is asked of that resource's own route, which knows who may and what
can be. What belongs to something from the beginning stays there, and what is made below something
is made and deleted by itself: that is 403, as JSON:API has it.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from landform.api.jsonapi import MEDIA_TYPE, DocumentedRoute
from landform.api.terrakube.asking import Answer, ask
from landform.api.terrakube.dialect import PREFIX, TERRAKUBE
from landform.edge.brief import authenticated_briefly
from landform.edge.deps import ACTOR, SESSION, read_body
from landform.kit.errors import ForbiddenError, MalformedError, NotFoundError

router = APIRouter(
    prefix=PREFIX, route_class=DocumentedRoute, dependencies=[Depends(authenticated_briefly)]
)

_OF_ORGANIZATION: Final = "/organization/{organization_id}"
_OF_PROJECT: Final = _OF_ORGANIZATION + "/project/{project_id}"
_OF_WORKSPACE: Final = _OF_ORGANIZATION + "/workspace/{workspace_id}"
_OF_JOB: Final = _OF_ORGANIZATION + "/job/{job_id}"
_OF_WEBHOOK: Final = _OF_WORKSPACE + "/webhook/{webhook_id}"
_OWNERS: Final[Mapping[str, str]] = {
    _OF_PROJECT: "project",
    _OF_PROJECT + "/projectAccess/{access_id}": "project_access",
    _OF_ORGANIZATION + "/team/{team_id}": "team",
    _OF_ORGANIZATION + "/globalvar/{variable_id}": "globalvar",
    _OF_ORGANIZATION + "/tag/{tag_name}": "tag",
    _OF_ORGANIZATION + "/ssh/{ssh_id}": "ssh",
    _OF_JOB: "job",
    _OF_JOB + "/step/{step_id}": "step",
    _OF_WORKSPACE: "workspace",
    _OF_WORKSPACE + "/variable/{variable_id}": "variable",
    _OF_WORKSPACE + "/access/{access_id}": "access",
    _OF_WORKSPACE + "/workspaceTag/{tag_name}": "workspacetag",
    _OF_WORKSPACE + "/schedule/{schedule_id}": "schedule",
    _OF_WORKSPACE + "/history/{history_id}": "history",
    _OF_WEBHOOK: "webhook",
    _OF_WEBHOOK + "/events/{event_id}": "webhook_event",
    "/workspace/{workspace_id}/schedule/{schedule_id}": "schedule",
    "/webhook/{webhook_id}": "webhook",
    "/webhook_event/{event_id}": "webhook_event",
}
_WRITABLE: Final = frozenset({("workspace", "project"), ("workspace", "vcs")})
_BODY_BYTES: Final = 64 * 1024
_REFUSED_FROM: Final = 400
_BEHIND: Final = re.compile(r"/relationships/[^/]*$")

Handler = Callable[[Request], Awaitable[Response]]


def _reading(kind: str) -> Handler:
    async def read(request: Request) -> Response:
        """Answer with what the relationship links to, and nothing more of it."""
        name = _name(request, kind)
        found = await _owner(request)
        if found.status >= _REFUSED_FROM:
            return _passed_on(found)
        linkage = _linkage(found, name)
        if linkage is None:  # of those that are loaded only where somebody asks for them
            found = await _owner(request, query=f"include={name}")
            linkage = _linkage(found, name)
        if found.status >= _REFUSED_FROM or linkage is None:
            raise NotFoundError(f"{kind} has no relationship {name} that can be read.")
        return JSONResponse(linkage, media_type=MEDIA_TYPE)

    return read


def _writing(kind: str) -> Handler:
    async def write(request: Request) -> Response:
        """Change what the relationship links to, where that can be."""
        name = _name(request, kind)
        raw = bytes(await read_body(request, limit_bytes=_BODY_BYTES))
        found = await _owner(request)
        if found.status >= _REFUSED_FROM:
            return _passed_on(found)
        if (kind, name) not in _WRITABLE:
            raise ForbiddenError(_why_not(kind, name))
        if request.method != "PATCH":
            raise ForbiddenError(f"{name} of a {kind} is one or none: it is set by a PATCH.")
        sent = {"relationships": {name: {"data": _data(raw)}}}
        owner = found.document["data"]
        body = json.dumps({"data": {"type": kind, "id": owner["id"], **sent}}).encode()
        return _passed_on(await _ask(request, "PATCH", body))

    return write


def _why_not(kind: str, name: str) -> str:
    link = TERRAKUBE.shapes[kind].links[name]
    if link.many:
        return f"Each {name} of a {kind} is made and deleted at an address of its own."
    if name == "webhook" and kind == "workspace":
        return "The webhook of a workspace is made and deleted at an address of its own."
    return f"A {kind} stays in the {name} it was made in."


def _name(request: Request, kind: str) -> str:
    name: str = request.path_params["relationship"]
    if name not in TERRAKUBE.shapes[kind].links:
        raise NotFoundError(f"A {kind} has no relationship {name[:80]}.")
    return name


def _data(raw: bytes) -> Any:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise MalformedError("The body is not JSON.") from None
    if not isinstance(document, dict) or "data" not in document:
        raise MalformedError('The body is of the form {"data": {"type": …, "id": …}} or null.')
    return document["data"]


def _linkage(found: Answer, name: str) -> dict[str, Any] | None:
    if found.status >= _REFUSED_FROM:
        return None
    linked = found.document["data"].get("relationships", {}).get(name, {})
    return {"data": linked["data"]} if "data" in linked else None


async def _owner(request: Request, query: str = "") -> Answer:
    return await _ask(request, "GET", query=query)


async def _ask(request: Request, method: str, body: bytes = b"", *, query: str = "") -> Answer:
    """Ask for the resource that has the relationship, in the batch that this may be part of."""
    path = _BEHIND.sub("", request.scope["path"])
    batch = {name: request.scope[name] for name in (SESSION, ACTOR) if name in request.scope}
    return await ask(request, request.app, method, path, body, query=query, keeping=batch)


def _passed_on(answer: Answer) -> Response:
    media_type = answer.media_type if answer.body else None
    return Response(answer.body, answer.status, media_type=media_type)


def _register(path: str, kind: str) -> None:
    address = path + "/relationships/{relationship}"
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", address)
    ]
    extra = {"parameters": parameters}
    router.add_api_route(address, _reading(kind), methods=["GET"], openapi_extra=extra, tags=[kind])
    for method in ("PATCH", "POST", "DELETE"):
        router.add_api_route(
            address,
            _writing(kind),
            methods=[method],
            status_code=204,
            openapi_extra=extra,
            tags=[kind],
        )


for each, of_kind in _OWNERS.items():
    _register(each, of_kind)
