"""What two states differ in, object by object. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from landform.web.present.plan import Change

_MOST: Final = 300  # objects of which the attributes are shown
# A state does nothing to the world, so that these are not a plan's.
STATE_WORDS: Final[Mapping[str, str]] = {
    "create": "only in the second",
    "update": "other values",
    "delete": "only in the first",
}


def differences(old: bytes, new: bytes) -> tuple[list[Change], int]:
    """Return what differs from `old` to `new`, by address, and how much more there is.

    Raises:
        msgspec.DecodeError: one of them is no JSON object.
    """
    before, after = dict(_objects(old)), dict(_objects(new))
    found = []
    for number, address in enumerate(sorted(before.keys() | after.keys())):
        left, right = before.get(address), after.get(address)
        if left == right:
            continue
        found.append(_change(number, address, left, right))
    return found[:_MOST], max(0, len(found) - _MOST)


def _change(
    number: int, address: str, left: tuple[Any, Any] | None, right: tuple[Any, Any] | None
) -> Change:
    action = "create" if left is None else "delete" if right is None else "update"
    change = {
        "before": left[0] if left else None,
        "after": right[0] if right else None,
        "before_sensitive": left[1] if left else False,
        "after_sensitive": right[1] if right else False,
    }
    return Change(
        number=number,
        address=address,
        module="",
        kind="state",
        action=action,
        notes=(),
        raw=msgspec.Raw(msgspec.json.encode(change)),
    )


def _objects(raw: bytes) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield address and (attributes, marks of what is sensitive) of every object and output."""
    state = msgspec.json.decode(raw, type=dict[str, Any])
    for resource in state.get("resources") or []:
        module = f"{resource['module']}." if resource.get("module") else ""
        data = "data." if resource.get("mode") == "data" else ""
        for instance in resource.get("instances") or []:
            key = instance.get("index_key")
            index = "" if key is None else f"[{msgspec.json.encode(key).decode()}]"
            deposed = f" (deposed {instance['deposed']})" if instance.get("deposed") else ""
            address = f"{module}{data}{resource.get('type')}.{resource.get('name')}{index}{deposed}"
            attributes = instance.get("attributes") or {}
            yield address, (attributes, _marks(instance.get("sensitive_attributes") or []))
    for name, output in (state.get("outputs") or {}).items():
        hidden = {"value": True} if output.get("sensitive") else False
        yield f"output.{name}", ({"value": output.get("value")}, hidden)


def _marks(paths: list[Any]) -> Mapping[str, Any] | bool:
    """Return which attributes are sensitive.

    A state names them by paths of steps (`[{"type": "get_attr", "value": "password"}]`, measured);
    what lies deeper hides the whole attribute.
    """
    marks: dict[str, Any] = {}
    for path in paths:
        first = path[0] if isinstance(path, list) and path else None
        if isinstance(first, dict) and isinstance(first.get("value"), str):
            marks[first["value"]] = True
    return marks or False
