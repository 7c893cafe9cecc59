"""JSON Schemas of what a dialect shows and takes, for the OpenAPI document.

Names of components start with the dialect's, so that two dialects may both have `runs`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET

from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.included import includable
from landform.api.jsonapi.inputs import ActionInput, AnyInput, ListInput
from landform.api.jsonapi.shape import Link, Shape

Json: TypeAlias = dict[str, Any]

ERRORS: Final = "jsonapi.errors"

_TEXT: Final[Json] = {"type": "string"}
_LINKS: Final[Json] = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}


def ref(name: str) -> Json:
    """Return a reference to the schema called `name`."""
    return {"$ref": f"#/components/schemas/{name}"}


def components(dialects: Iterable[Dialect[Any]]) -> dict[str, Json]:
    """Return the `schemas` and `parameters` that the routes of `dialects` refer to."""
    schemas: Json = {ERRORS: _errors()}
    parameters: Json = {}
    for dialect in dialects:
        shapes, inputs = list(dialect.shapes.values()), list(dialect.inputs.values())
        refs, below = msgspec.json.schema_components(
            [*(_attributes_model(shape) for shape in shapes), *(each.model for each in inputs)],
            ref_template=f"#/components/schemas/{dialect.name}.{{name}}",
        )
        schemas |= {f"{dialect.name}.{name}": schema for name, schema in below.items()}
        for shape, attributes in zip(shapes, refs, strict=False):
            schemas |= _of_shape(f"{dialect.name}.{shape.type}", shape, attributes)
            parameters[f"{dialect.name}.{shape.type}.include"] = _include(shape, dialect)
        for each, attributes in zip(inputs, refs[len(shapes) :], strict=True):
            schemas[f"{dialect.name}.{each.name}.body"] = _body(each, attributes)
    return {"schemas": schemas, "parameters": parameters}


def _attributes_model(shape: Shape) -> type[msgspec.Struct]:
    """Return a structure with the attributes of `shape`, for msgspec to write the schema of."""
    names = {f"f{index}": each.name for index, each in enumerate(shape.attributes)}
    fields: list[Any] = [
        (name, each.kind, UNSET) if each.optional else (name, each.kind)
        for name, each in zip(names, shape.attributes, strict=True)
    ]
    return msgspec.defstruct(f"{shape.type}.attributes", fields, rename=names, kw_only=True)


def _of_shape(name: str, shape: Shape, attributes: Json) -> Json:
    properties: Json = {"id": _TEXT, "type": _const(shape.type), "attributes": attributes}
    if shape.links:
        links = {link.name: _relationship(link) for link in shape.links.values()}
        properties["relationships"] = _object(links)
    if shape.url:
        properties["links"] = _LINKS
    resource = _object(properties, required=("id", "type", "attributes"))
    if shape.doc:
        resource["description"] = shape.doc
    beside = {
        "included": {"type": "array", "items": {"type": "object"}},
        "meta": {"type": "object"},
    }
    many = {"data": {"type": "array", "items": ref(name)}, "links": _LINKS, **beside}
    one = {"data": ref(name), **beside}
    return {
        name: resource,
        f"{name}.document": _object(one, required=("data",)),
        f"{name}.list": _object(many, required=("data", "links", "meta")),
    }


def _relationship(link: Link) -> Json:
    properties: Json = {"data": _linkage(link.types, many=link.many)}
    if link.related:
        properties["links"] = _LINKS
    return _object(properties)


def _linkage(kinds: tuple[str, ...], *, many: bool) -> Json:
    one = _object({"id": _TEXT, "type": _const(*kinds)}, required=("id", "type"))
    return {"type": "array", "items": one} if many else {"anyOf": [one, {"type": "null"}]}


def _include(shape: Shape, dialect: Dialect[Any]) -> Json:
    names = includable(shape, dialect.shapes)
    offered = ", ".join(f"`{name}`" for name in names) or "nothing"
    return {
        "name": "include",
        "in": "query",
        "required": False,
        "schema": _TEXT,
        "description": f"Show these related resources whole, `a,b.c`: {offered}.",
    }


def _body(taken: AnyInput[Any], attributes: Json) -> Json:
    if isinstance(taken, ActionInput):
        wrapped = _object({"attributes": attributes})
        return {"anyOf": [attributes, _object({"data": wrapped}, required=("data",))]}
    properties: Json = {"type": _const(taken.type), "id": _TEXT, "attributes": attributes}
    links = {
        taken.wire(name): _object({"data": _sent(kinds, many=name in taken.many)})
        for name, kinds in (taken.one | taken.many).items()
    }
    if links:
        properties["relationships"] = _object(links)
    resource = _object(properties)
    several = isinstance(taken, ListInput)
    data = {"type": "array", "items": resource} if several else resource
    return _object({"data": data}, required=("data",))


def _sent(kinds: str | tuple[str, ...], *, many: bool) -> Json:
    """Return the schema of a linkage in a body: by id, or described by its attributes."""
    allowed = (kinds,) if isinstance(kinds, str) else kinds
    one = _object({"id": _TEXT, "type": _const(*allowed), "attributes": {"type": "object"}})
    return {"type": "array", "items": one} if many else {"anyOf": [one, {"type": "null"}]}


def _errors() -> Json:
    source = _object(dict.fromkeys(("pointer", "parameter", "header"), _TEXT))
    entry = _object(
        {"status": _TEXT, "title": _TEXT, "detail": _TEXT, "source": source},
        required=("status", "title", "detail"),
    )
    return _object({"errors": {"type": "array", "items": entry}}, required=("errors",))


def _object(properties: Mapping[str, Any], required: Iterable[str] = ()) -> Json:
    schema: Json = {"type": "object", "properties": dict(properties)}
    names = list(required)
    return {**schema, "required": names} if names else schema


def _const(*values: str) -> Json:
    return {"type": "string", "enum": list(values)}
