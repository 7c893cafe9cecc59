"""What changes inside a resource, attribute by attribute. Pure.

The input is a `change` of `show -json`: before, after, after_unknown, the two marks of what is
sensitive, and replace_paths (Terraform's documentation, "JSON Output Format").
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from landform.web.present.pairing import compared, pairs

_MOST: Final = 400  # changed rows of one resource, and as many that stay
_LONGEST: Final = 4000  # characters of one value
_LINES: Final = 2000  # of a text that is compared line by line
_MISSING: Final = object()
_PLAIN: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
SENSITIVE: Final = "(sensitive)"
UNKNOWN: Final = "(known after apply)"
Path = tuple[Any, ...]


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


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What changes inside a resource and what stays, and how many of both are not shown."""

    changed: Sequence[Attribute]
    same: Sequence[Attribute]
    changed_count: int
    same_count: int

    @property
    def more(self) -> int:
        """Return how many changes are not shown."""
        return self.changed_count - len(self.changed)


def rows_of(change: Mapping[str, Any]) -> Rows:
    """Return the rows of a change."""
    forcing = {
        _general(path) for path in change.get("replace_paths") or [] if isinstance(path, list)
    }
    sides = _Sides(
        before=change.get("before"),
        after=change.get("after"),
        unknown=change.get("after_unknown") or False,
        hidden_before=change.get("before_sensitive") or False,
        hidden_after=change.get("after_sensitive") or False,
    )
    found: dict[bool, list[Attribute]] = {True: [], False: []}
    counts = {True: 0, False: 0}
    for row in _rows((), sides, forcing):
        is_same = row.kind == "same"
        counts[is_same] += 1
        if counts[is_same] <= _MOST:
            found[is_same].append(row)
    return Rows(
        changed=found[False], same=found[True], changed_count=counts[False], same_count=counts[True]
    )


@dataclass(frozen=True, kw_only=True)
class _Sides:
    before: Any
    after: Any
    unknown: Any
    hidden_before: Any
    hidden_after: Any

    def at(self, old: Any, new: Any) -> "_Sides":
        """Return what is at the key `old` before and at the key `new` after."""
        return _Sides(
            before=_at(self.before, old),
            after=_at(self.after, new),
            unknown=_mark(self.unknown, new),
            hidden_before=_mark(self.hidden_before, old),
            hidden_after=_mark(self.hidden_after, new),
        )

    def inside(self) -> list[tuple[Any, Any]]:
        """Return the keys of everything inside, before and after."""
        if isinstance(self.before, list) and isinstance(self.after, list):
            return list(pairs(self.before, self.after))
        found: set[Any] = set()
        for value in (self.before, self.after, self.unknown):
            if isinstance(value, dict):
                found.update(value)
            elif isinstance(value, list):
                found.update(range(len(value)))
        return [(key, key) for key in sorted(found)]

    @property
    def _holds_something(self) -> bool:
        given = (self.before, self.after, self.unknown)
        return any(value for value in given if isinstance(value, dict | list))

    @property
    def is_hidden(self) -> bool:
        return self.hidden_before is True or self.hidden_after is True

    @property
    def is_nested(self) -> bool:
        if self.is_hidden or self.unknown is True:
            return False
        kinds = {type(value) for value in (self.before, self.after) if not _absent(value)}
        return len(kinds) == 1 and kinds <= {dict, list} and self._holds_something


def _rows(path: Path, sides: _Sides, forcing: set[Path]) -> Iterator[Attribute]:
    if not path and _absent(sides.before) and _absent(sides.after):
        return
    sides = _decoded(sides)
    if sides.is_nested:
        for old, new in sides.inside():
            step = old if new is None else new
            yield from _rows((*path, step), sides.at(old, new), forcing)
        return
    general = _general(path)
    is_forcing = any(general[:at] in forcing for at in range(1, len(general) + 1))
    row = _row(path, sides, forces=is_forcing)
    if row is not None:
        yield row


def _row(path: Path, sides: _Sides, *, forces: bool) -> Attribute | None:
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
        return Attribute(path=name, kind=kind, lines=_lines(before, after), forces=forces)
    shown_after = UNKNOWN if is_unknown else shown(after)
    return Attribute(
        path=name,
        kind=kind,
        before="" if _absent(before) else SENSITIVE if sides.is_hidden else shown(before),
        after=SENSITIVE if sides.is_hidden and not is_unknown else shown_after,
        forces=forces and kind != "same",
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


def _lines(before: str, after: str) -> list[tuple[str, str]]:
    counts = before.count("\n"), after.count("\n")
    if sum(counts) > _LINES:
        return [("-", f"({counts[0]} lines)"), ("+", f"({counts[1]} lines)")]
    return compared(before, after)


def shown(value: Any) -> str:
    """Return a value as a page shows it, cut where it is very long."""
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


def _general(path: Sequence[Any]) -> Path:
    """Return a path without the places in lists: those of a set say nothing, others may move."""
    return tuple(step for step in path if isinstance(step, str))


def _joined(path: Sequence[Any]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(str(step)):
            text += f".{step}" if text else str(step)
        else:
            text += f"[{json.dumps(str(step), ensure_ascii=False)}]"
    return text
