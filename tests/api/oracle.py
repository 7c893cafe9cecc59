"""Checks answers against HashiCorp's OpenAPI description of the TFE API, where there is a copy.

    oracle = find_oracle()          # None in a clone without the description: skip
    assert oracle.faults("GET", "/api/v2/runs/run-1", answer.json()) == []

The description is of version 3.0 and incomplete: a route it lacks is not judged, nor a resource
whose type it names without its attributes, and an attribute it lacks is told apart from one of the
wrong type.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

Json: TypeAlias = Mapping[str, Any]

OURS: Final = frozenset({"approval-rules", "federated-credentials", "organization-invitations"})
"""Types of resources that TFE does not have."""

_DEFAULT: Final = Path(__file__).parents[3] / "shared/reference/tfe_openapi.json"
_PYTHON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


@cache
def find_oracle() -> "Oracle | None":
    """Return the oracle on `$LANDFORM_TFE_OPENAPI` or on the copy beside the checkout, if any."""
    path = Path(os.environ.get("LANDFORM_TFE_OPENAPI") or _DEFAULT)
    return Oracle(json.loads(path.read_text())) if path.is_file() else None


@dataclass(frozen=True)
class Oracle:
    """What the description says of resources and routes."""

    description: Json

    def faults(self, method: str, path: str, document: Json) -> list[str]:
        """Return what in the answer to a request is not as described, in words."""
        data = document.get("data")
        primary = data if isinstance(data, list) else [data] if data else []
        expected = self._expected_types(method, path)
        found = [
            f"{method} {path} gives {resource['type']}, not {sorted(expected)}"
            for resource in primary
            if expected and resource["type"] not in expected
        ]
        for resource in (*primary, *document.get("included", [])):
            found += self._of_resource(resource)
        return found

    def unknown_attributes(self, document: Json) -> set[str]:
        """Return the attributes in an answer that the description does not know, as `type.name`."""
        data = document.get("data") or []
        unknown = set()
        for resource in (
            *(data if isinstance(data, list) else [data]),
            *document.get("included", []),
        ):
            if (schema := self._types().get(resource["type"])) is not None:
                known = self._properties(schema["attributes"])
                names = resource.get("attributes", {}).keys() - known.keys()
                unknown |= {f"{resource['type']}.{name}" for name in names}
        return unknown

    def _of_resource(self, resource: Json) -> Iterator[str]:
        kind = resource["type"]
        schema = self._types().get(kind)
        if schema is None:
            if kind not in self._named_types() | OURS:
                yield f"{kind} is no resource type"
            return
        known = self._properties(schema["attributes"])
        for name, value in resource.get("attributes", {}).items():
            if name in known:
                yield from self._of_value(known[name], value, f"{kind}.{name}")
        known = self._properties(schema.get("relationships", {}))
        for name, value in resource.get("relationships", {}).items():
            allowed = self._identified_types(known.get(name, {}))
            data = value.get("data")
            for each in data if isinstance(data, list) else [data] if data else []:
                if allowed and each["type"] not in allowed:
                    yield f"{kind}.{name} links {each['type']}, not {sorted(allowed)}"

    def _of_value(self, schema: Json, value: Any, where: str) -> Iterator[str]:
        schema = self._resolved(schema)
        if value is None:
            if schema and not schema.get("nullable"):
                yield f"{where} is null"
            return
        for part in schema.get("allOf", ()):
            yield from self._of_value(part, value, where)
        choices = schema.get("oneOf") or schema.get("anyOf") or ()
        if choices and all([*self._of_value(choice, value, where)] for choice in choices):
            yield f"{where} is {value!r}, none of what it may be"
        if not _is_a(schema.get("type"), value):
            yield f"{where} is {value!r}, not of type {schema['type']}"
        elif value not in schema.get("enum", (value,)):
            yield f"{where} is {value!r}, not one of {schema['enum']}"
        else:
            yield from self._of_parts(schema, value, where)

    def _of_parts(self, schema: Json, value: Any, where: str) -> Iterator[str]:
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield from self._of_value(schema.get("items", {}), each, f"{where}[{index}]")
        elif isinstance(value, dict):
            known = self._properties(schema)
            for name in value.keys() & known.keys():
                yield from self._of_value(known[name], value[name], f"{where}.{name}")

    def _expected_types(self, method: str, path: str) -> set[str]:
        """Return the types that the route may answer with; empty when it is not described."""
        path = path.partition("?")[0].removeprefix("/api/v2")
        for template, operations in self.description["paths"].items():
            pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method.lower() in operations:
                responses = operations[method.lower()]["responses"]
                good = (each for status, each in responses.items() if status.startswith("2"))
                content: Json = next(good, dict[str, Any]()).get("content", {})
                for each in content.values():
                    return self._identified_types(each.get("schema", {}))
        return set()

    def _identified_types(self, schema: Json) -> set[str]:
        """Return the types of the resources or identifiers in the `data` of a document."""
        data = self._resolved(self._properties(schema).get("data", {}))
        data = self._resolved(data.get("items", data))
        parts = [data, *data.get("oneOf", ()), *data.get("anyOf", ())]
        kinds: list[Json] = [self._properties(part).get("type", {}) for part in parts]
        return {kind for each in kinds for kind in self._resolved(each).get("enum", ())}

    def _types(self) -> Mapping[str, Json]:
        """Return the properties of each resource's schema, by type."""
        found: dict[str, Json] = {}
        for schema in self.description["components"]["schemas"].values():
            properties = self._properties(schema)
            if "attributes" in properties:
                for kind in self._resolved(properties.get("type", {})).get("enum", ()):
                    found.setdefault(kind, properties)
        return found

    def _named_types(self) -> set[str]:
        """Return the types that the description names, also those of which it says no more."""
        schemas = self.description["components"]["schemas"].values()
        kinds = (self._properties(schema).get("type", {}) for schema in schemas)
        return {kind for each in kinds for kind in self._resolved(each).get("enum", ())}

    def _properties(self, schema: Json) -> dict[str, Any]:
        schema = self._resolved(schema)
        properties: dict[str, Any] = {}
        for part in schema.get("allOf", ()):
            properties |= self._properties(part)
        return properties | dict(schema.get("properties", {}))

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = self.description["components"]["schemas"][name]
        return schema


def _is_a(kind: str | None, value: Any) -> bool:
    if isinstance(value, bool):
        return kind in (None, "boolean")
    return kind is None or isinstance(value, _PYTHON_TYPES[kind])
