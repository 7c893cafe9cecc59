"""Which objects a state holds, called as terraform's messages call them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


def addresses(state: bytes) -> set[str]:
    """Return the addresses of the objects in `state` (format 4); none when it cannot be read."""
    try:
        document = msgspec.json.decode(state, type=dict[str, Any])
    except msgspec.MsgspecError:
        return set()
    return {
        address
        for resource in document.get("resources") or []
        for address in _of_resource(resource)
    }


def _of_resource(resource: Mapping[str, Any]) -> Iterator[str]:
    data = "data." if resource.get("mode") == "data" else ""
    name = f"{data}{resource.get('type')}.{resource.get('name')}"
    if module := resource.get("module"):
        name = f"{module}.{name}"
    for instance in resource.get("instances") or []:
        if "deposed" not in instance:
            yield name + _index(instance.get("index_key"))


def _index(key: Any) -> str:
    if isinstance(key, str):
        escaped = json.dumps(key, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
        return f"[{escaped}]"
    return "" if key is None else f"[{key}]"
