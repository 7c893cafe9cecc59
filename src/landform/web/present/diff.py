"""What changes inside a resource, attribute by attribute. Pure.

The input is a `change` of `show -json`: before, after, after_unknown, the two marks of what is
sensitive, and replace_paths (Terraform's documentation, "JSON Output Format").
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import ndiff
from typing import Any, Final

_MOST: Final = 400  # rows of one resource
_LONGEST: Final = 4000  # characters of one value
_MULTILINE: Final = 400  # lines of a text that are compared line by line
_MISSING: Final = object()
SENSITIVE: Final = "(sensitive)"
UNKNOWN: Final = "(known after apply)"


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One row of a diff.

    Attributes:
        kind: `create`, `update`, `delete` or `same`.
        lines: of a text of several lines: (sign, line).
        forces: a change of it is why the resource is replaced.
    """

    path: str
    kind: str
    before: str = ""
    after: str = ""
    lines: Sequence[tuple[str, str]] = ()
    forces: bool = False


def attributes_of(change: Mapping[str, Any]) -> tuple[list[Attribute], int]:
    """Return the rows of a change, and how many more there would be."""
    forcing = {
        _joined(path) for path in change.get("replace_paths") or [] if isinstance(path, list)
    }
    sides = _Sides(
        before=change.get("before"),
        after=change.get("after"),
        unknown=change.get("after_unknown") or False,
        hidden_before=change.get("before_sensitive") or False,
        hidden_after=change.get("after_sensitive") or False,
    )
    rows: list[Attribute] = []
    more = 0
    for row in _rows((), sides, forcing):
        if len(rows) < _MOST:
            rows.append(row)
        else:
            more += 1
    return rows, more


@dataclass(frozen=True, kw_only=True)
class _Sides:
    before: Any
    after: Any
    unknown: Any
    hidden_before: Any
    hidden_after: Any

    def at(self, key: Any) -> "_Sides":
        return _Sides(
            before=_at(self.before, key),
            after=_at(self.after, key),
            unknown=_mark(self.unknown, key),
            hidden_before=_mark(self.hidden_before, key),
            hidden_after=_mark(self.hidden_after, key),
        )

    def names(self) -> list[Any]:
        found: dict[Any, None] = {}
        for value in (self.before, self.after, self.unknown):
            if isinstance(value, dict):
                found.update(dict.fromkeys(sorted(value)))
            elif isinstance(value, list):
                found.update(dict.fromkeys(range(len(value))))
        return list(found)

    @property
    def is_hidden(self) -> bool:
        return self.hidden_before is True or self.hidden_after is True

    @property
    def is_nested(self) -> bool:
        if self.is_hidden or self.unknown is True:
            return False
        kinds = {type(value) for value in (self.before, self.after) if not _absent(value)}
        return len(kinds) == 1 and kinds <= {dict, list} and bool(self.names())


def _rows(path: tuple[Any, ...], sides: _Sides, forcing: set[str]) -> Iterator[Attribute]:
    if not path and _absent(sides.before) and _absent(sides.after):
        return
    sides = _decoded(sides)
    if sides.is_nested:
        for key in sides.names():
            yield from _rows((*path, key), sides.at(key), forcing)
        return
    row = _row(path, sides, forces=_joined(path) in forcing)
    if row is not None:
        yield row


def _row(path: tuple[Any, ...], sides: _Sides, *, forces: bool) -> Attribute | None:
    before, after = sides.before, sides.after
    is_unknown = sides.unknown is True
    if _absent(before) and _absent(after) and not is_unknown:
        return None
    if not is_unknown and before == after:
        kind = "same"
    elif _absent(before):
        kind = "create"
    else:
        kind = "delete" if _absent(after) and not is_unknown else "update"
    name = _joined(path)
    texts = isinstance(before, str) and isinstance(after, str) and "\n" in before + after
    if kind == "update" and texts and not sides.is_hidden:
        return Attribute(path=name, kind=kind, lines=_compared(before, after), forces=forces)
    shown_after = UNKNOWN if is_unknown else _value(after)
    return Attribute(
        path=name,
        kind=kind,
        before="" if _absent(before) else SENSITIVE if sides.is_hidden else _value(before),
        after=SENSITIVE if sides.is_hidden and not is_unknown else shown_after,
        forces=forces,
    )


def _decoded(sides: _Sides) -> _Sides:
    """Compare texts that are JSON objects, such as policies, by what they mean."""
    if sides.is_hidden or sides.unknown is True:
        return sides
    given = [value for value in (sides.before, sides.after) if not _absent(value)]
    meant = [_meaning(value) for value in given]
    if not given or any(value is _MISSING for value in meant):
        return sides
    decode = dict(zip(map(id, given), meant, strict=True))
    return _Sides(
        before=decode.get(id(sides.before), sides.before),
        after=decode.get(id(sides.after), sides.after),
        unknown=sides.unknown,
        hidden_before=False,
        hidden_after=False,
    )


def _meaning(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return _MISSING
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return _MISSING
    return found if isinstance(found, dict | list) and found else _MISSING


def _compared(before: str, after: str) -> list[tuple[str, str]]:
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > _MULTILINE:
        return [("-", f"({len(old)} lines)"), ("+", f"({len(new)} lines)")]
    return [(line[0], line[2:]) for line in ndiff(old, new) if line[0] in " +-"]


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    quoted = json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text
    if isinstance(value, str) and "\n" in value:
        quoted = text
    return quoted if len(quoted) <= _LONGEST else f"{quoted[:_LONGEST]}… ({len(quoted)} characters)"


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return None


def _mark(mark: Any, key: Any) -> Any:
    return mark if isinstance(mark, bool) else _at(mark, key) or False


def _absent(value: Any) -> bool:
    return value is None


def _joined(path: Sequence[Any]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text
