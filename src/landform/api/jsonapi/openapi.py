"""The OpenAPI document, as it follows from the declarations.

`DocumentedRoute` tells what a route takes and gives, which it knows from the route's
dependencies; `install_openapi` adds the schemas of a dialect, once all of it is declared.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from fastapi import FastAPI
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response

from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.errors import MEDIA_TYPE
from landform.api.jsonapi.inputs import ActionInput, AnyInput
from landform.api.jsonapi.reading import ListQueryReader, QueryReader
from landform.api.jsonapi.schemas import ERRORS, components, ref

Json: TypeAlias = dict[str, Any]

_NO_CONTENT: Final = 204


class DocumentedRoute(APIRoute):
    """A route whose `Depends(BOOKS.query)` or `Depends(CREATE_BOOK)` is all its documentation.

    Use as `APIRouter(route_class=DocumentedRoute)`. The answer is documented as what the
    resource of the query shows; a route without a query answers with no JSON:API document.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # FastAPI would say of a handler that builds its own answer that it answers JSON.
        if isinstance(options.get("response_class"), DefaultPlaceholder):
            options["response_class"] = Response
        super().__init__(path, endpoint, **options)
        self.responses = {
            **self.responses,
            "default": {"description": "What went wrong.", "content": _content(ref(ERRORS))},
        }
        extra: Json = {**(self.openapi_extra or {})}
        for call in _calls(self.dependant):
            if isinstance(call, QueryReader):
                self.tags = self.tags or [call.shape.type]
                extra["parameters"] = [*extra.get("parameters", []), *_parameters(call)]
                self._gives(call)
            elif isinstance(call, AnyInput):
                extra["requestBody"] = {
                    "required": not isinstance(call, ActionInput),
                    "content": _content(ref(f"{call.dialect_name}.{call.name}.body")),
                }
        self.openapi_extra = extra

    def _gives(self, reader: QueryReader) -> None:
        status = self.status_code or 200
        if status != _NO_CONTENT:
            form = "list" if isinstance(reader, ListQueryReader) else "document"
            content = _content(ref(f"{reader.dialect_name}.{reader.shape.type}.{form}"))
            given = {"description": self.response_description, "content": content}
            self.responses = {status: given, **self.responses}


def install_openapi(app: FastAPI, *dialects: Dialect[Any]) -> None:
    """Make the OpenAPI document of `app` whole: add the schemas of all resources and inputs."""
    bare = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            document = bare()
            parts = document.setdefault("components", {})
            for kind, named in components(dialects).items():
                parts.setdefault(kind, {}).update(named)
        return app.openapi_schema or bare()

    # FastAPI's documented way to extend the document is to replace the method.
    setattr(app, "openapi", openapi)  # noqa: B010


def _calls(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _content(schema: Mapping[str, Any]) -> Json:
    return {MEDIA_TYPE: {"schema": schema}}


def _parameters(reader: QueryReader) -> Iterator[Json]:
    name = f"{reader.dialect_name}.{reader.shape.type}"
    yield {"$ref": f"#/components/parameters/{name}.include"}
    yield _parameter(
        f"fields[{reader.shape.type}]", {"type": "string"}, "Show these members only: `a,b`."
    )
    if not isinstance(reader, ListQueryReader):
        return
    whole = {"type": "integer", "minimum": 1}
    yield _parameter("page[number]", {**whole, "default": 1}, "The page, counted from 1.")
    yield _parameter("page[size]", {**whole, "default": reader.page_size}, "Rows of a page.")
    if reader.sorts:
        keys = ", ".join(f"`{key}`" for key in reader.sort_keys)
        yield _parameter("sort", {"type": "string"}, f"Order by {keys}; `-` in front turns it.")
    for each in reader.filters:
        words = "In groups that are numbered from 0." if "[]" in each else ""
        yield _parameter(each.replace("[]", "[0]"), {"type": "string"}, words)


def _parameter(name: str, schema: Mapping[str, Any], description: str = "") -> Json:
    parameter: Json = {"name": name, "in": "query", "required": False, "schema": dict(schema)}
    return {**parameter, "description": description} if description else parameter
