"""Plain JSON values as typed structures, with every fault found and pointed to."""

import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from landform.api.jsonapi.errors import DocumentError, Fault

S = TypeVar("S", bound=msgspec.Struct)

_MESSAGE: Final = re.compile(r"(?P<text>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]")
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`")


def read_struct(model: type[S], value: Any, pointer: str) -> S:
    """Return `value`, an object of plain JSON, as a `model`; what the model lacks is ignored.

    Args:
        pointer: where `value` is in its document.

    Raises:
        DocumentError: it is not one; there is a fault for each field that is wrong.
    """
    try:
        return msgspec.convert(value, model)
    except msgspec.ValidationError as failure:
        faults = list(_field_faults(model, value, pointer)) or [
            _fault(str(failure), pointer, pointer)
        ]
        raise DocumentError(faults) from None


def _field_faults(model: type[msgspec.Struct], value: Any, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        return
    for each in msgspec.structs.fields(model):
        if each.encode_name in value:
            try:
                msgspec.convert(value[each.encode_name], each.type)
            except msgspec.ValidationError as failure:
                at = f"{pointer}/{_escaped(each.encode_name)}"
                yield _fault(str(failure), at, pointer, _choices(each.type))
        elif each.required:
            yield _fault(f"Object missing required field `{each.encode_name}`", pointer, pointer)


def _fault(message: str, pointer: str, root: str, choices: str = "") -> Fault:
    """Turn msgspec's message, which ends with a path below `pointer`, into a fault."""
    match = _MESSAGE.fullmatch(message)
    text, path = (match["text"], match["path"] or "") if match else (message, "")
    for step in _STEP.finditer(path):
        pointer += f"/{step['index'] or _escaped(step['name'])}"
    if missing := _MISSING.fullmatch(text):
        pointer += f"/{_escaped(missing['name'])}"
        text = "this is required"
    elif text.startswith("Invalid enum value") and choices:
        text = f"{text}; it is one of {choices}"
    name = pointer.removeprefix(root).strip("/") or "attributes"
    words = text[0].lower() + text[1:].replace("`", "")
    return Fault(detail=f"{name}: {words}.", source={"pointer": pointer})


def _choices(kind: Any) -> str:
    described = msgspec.inspect.type_info(kind)
    union = isinstance(described, msgspec.inspect.UnionType)
    values: list[Any] = []
    for part in getattr(described, "types", ()) if union else (described,):
        if isinstance(part, msgspec.inspect.LiteralType):
            values += part.values
        elif isinstance(part, msgspec.inspect.EnumType):
            values += [each.value for each in part.cls]
    return ", ".join(str(value) for value in values)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
