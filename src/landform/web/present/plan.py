"""A plan as a page shows it, read from the redacted artefact. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from landform.web.present.checks import Check, checks_of
from landform.web.present.diff import Rows, rows_of

SIGNS: Final[Mapping[str, str]] = {
    "create": "+",
    "update": "~",
    "replace": "±",
    "delete": "\N{MINUS SIGN}",
    "read": "≤",
    "import": "↓",
    "move": "→",
    "forget": "\N{MULTIPLICATION SIGN}",
    "no-op": "=",
}
# By what a reader should look at first.
ACTIONS: Final = ("delete", "replace", "update", "create", "import", "move", "forget", "read")
WORDS: Final[Mapping[str, str]] = {
    "create": "create",
    "update": "change in place",
    "replace": "replace",
    "delete": "destroy",
    "read": "read",
    "import": "import",
    "move": "move",
    "forget": "forget",
    "no-op": "leave as it is",
}
_STEPS: Final[Mapping[str, int]] = {"replace": 2, "import": 0, "move": 0, "forget": 0}
# terraform's `action_reason` (its documentation, "JSON Output Format"), in words.
_REASONS: Final[Mapping[str, str]] = {
    "replace_because_cannot_update": "an attribute that changes cannot be changed in place",
    "replace_because_tainted": "it is tainted: its last creation did not finish",
    "replace_by_request": "you asked for its replacement",
    "replace_by_triggers": "something it is to be replaced with changes",
    "delete_because_no_resource_config": "it is no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "count or for_each came or went",
    "delete_because_count_index": "its index is beyond count",
    "delete_because_each_key": "its key is no longer in for_each",
    "delete_because_no_move_target": "it was to move to where nothing is configured",
    "read_because_config_unknown": "its arguments are known only after apply",
    "read_because_dependency_pending": "it depends on something that changes",
    "read_because_check_nested": "it is part of a check",
}


# A large plan is kept as the bytes it was read from. As objects it takes five times the memory,
# and each full collection of garbage is a pause of tenths of a second for all requests.
class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One resource of a plan.

    Attributes:
        number: its place in the plan; names it in addresses.
        notes: what else is to say: why, whence it moves, what is imported.
        raw: the `change` of `show -json`.
        is_deposed: it is about what a replacement that did not finish has left.
    """

    number: int
    address: str
    module: str
    kind: str
    action: str
    notes: tuple[str, ...]
    raw: msgspec.Raw
    is_deposed: bool = False

    @property
    def rows(self) -> Rows:
        """Return what changes inside, attribute by attribute."""
        return rows_of(_object(self.raw))

    def holds(self, text: str) -> bool:
        """Tell whether the address or a value has `text`, which is in lower case."""
        if text in self.address.lower():
            return True
        sides = msgspec.json.decode(self.raw, type=_Sides)
        return text in b",".join((sides.before, sides.after)).decode().lower()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a plan would do.

    Attributes:
        changes: of resources, in the order of modules and addresses.
        drift: what was found changed outside of terraform.
        outputs: changes of outputs; `address` is the name.
        checks: conditions, check blocks and validations.
    """

    changes: Sequence[Change]
    drift: Sequence[Change]
    outputs: Sequence[Change]
    checks: Sequence[Check]
    size_bytes: int

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Return how many resources there are of each action that there is."""
        counted = Counter(change.action for change in self.changes)
        return {action: counted[action] for action in ACTIONS if counted[action]}

    @cached_property
    def steps(self) -> int:
        """Return how much an apply has to do; what is replaced is destroyed and created."""
        return sum(_STEPS.get(change.action, 1) for change in self.changes)

    @cached_property
    def destroyed(self) -> Sequence[str]:
        """Return the addresses of what would be destroyed, replaced ones included."""
        return [
            f"{each.address} (an object that was left over)" if each.is_deposed else each.address
            for each in self.changes
            if each.action in ("delete", "replace")
        ]


def read(document: bytes) -> Plan:
    """Read the redacted artefact of a plan.

    Raises:
        ValueError: it is not one.
    """
    plan = msgspec.json.decode(document, type=_Document)
    changes = [_change(entry, number) for number, entry in enumerate(plan.resource_changes or ())]
    # What a plan leaves alone is noise, unless it moves or is imported.
    shown = sorted((each for each in changes if each.action != "no-op"), key=_place)
    drift = [_change(entry, number) for number, entry in enumerate(plan.resource_drift or ())]
    outputs = [
        _output(name, change, number)
        for number, (name, change) in enumerate(sorted((plan.output_changes or {}).items()))
    ]
    return Plan(
        changes=shown,
        drift=drift,
        outputs=[each for each in outputs if each.action != "no-op"],
        checks=checks_of(plan.checks or ()),
        size_bytes=len(document),
    )


@dataclass(frozen=True)
class Group:
    """The changes of one module, the root module first."""

    module: str
    changes: Sequence[Change]


def grouped(changes: Sequence[Change]) -> list[Group]:
    """Return the changes by module, each module's by address."""
    modules: dict[str, list[Change]] = {}
    for change in changes:
        modules.setdefault(change.module, []).append(change)
    return [Group(module, modules[module]) for module in sorted(modules, key=_natural)]


def narrowed(changes: Sequence[Change], *, action: str, text: str) -> list[Change]:
    """Return the changes of that action that hold the text."""
    wanted = text.strip().lower()
    return [
        change
        for change in changes
        if (not action or change.action == action) and (not wanted or change.holds(wanted))
    ]


def _place(change: Change) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    return _natural(change.module), _natural(change.address)


def _natural(address: str) -> list[tuple[int, str]]:
    """Return what orders addresses as people do: `a[2]` before `a[10]`."""
    parts = re.split(r"(\d{1,18})", address)
    return [(int(part), "") if at % 2 else (0, part) for at, part in enumerate(parts)]


class _Entry(msgspec.Struct, gc=False):
    address: str | None = None
    previous_address: str | None = None
    module_address: str | None = None
    type: str | None = None
    action_reason: str | None = None
    deposed: str | None = None
    change: msgspec.Raw = msgspec.Raw(b"null")


class _Document(msgspec.Struct):
    resource_changes: list[_Entry] | None = None
    resource_drift: list[_Entry] | None = None
    output_changes: dict[str, msgspec.Raw] | None = None
    checks: list[dict[str, Any]] | None = None


class _Deed(msgspec.Struct):
    actions: list[str] | None = None
    importing: Any = None


class _Sides(msgspec.Struct):
    before: msgspec.Raw = msgspec.Raw(b"null")
    after: msgspec.Raw = msgspec.Raw(b"null")


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    return msgspec.json.decode(raw, type=dict[str, Any] | None) or {}


def _deed(raw: msgspec.Raw) -> _Deed:
    return msgspec.json.decode(raw, type=_Deed | None) or _Deed()


def _change(entry: _Entry, number: int) -> Change:
    deed, address = _deed(entry.change), entry.address or ""
    previous = entry.previous_address if entry.previous_address != address else None
    return Change(
        number=number,
        address=address,
        module=entry.module_address or "",
        kind=entry.type or "",
        action=_action(deed, is_moved=bool(previous)),
        notes=tuple(_notes(entry, deed, previous)),
        raw=entry.change,
        is_deposed=bool(entry.deposed),
    )


def _notes(entry: _Entry, deed: _Deed, previous: str | None) -> Iterator[str]:
    reason = _REASONS.get(entry.action_reason or "")
    if reason:
        yield f"because {reason}"
    if deed.actions == ["create", "delete"]:
        yield "the new one is created before the old one is destroyed"
    elif deed.actions == ["forget"]:
        yield "what exists of it stays, and terraform no longer knows of it"
    if entry.deposed:
        yield f"object {entry.deposed}, which a replacement that did not finish has left"
    if previous:
        yield f"moved from {previous}"
    if isinstance(deed.importing, dict):
        known = deed.importing.get("id") or deed.importing.get("identity")
        yield f"imported by {_identity(known)}"


def _identity(known: object) -> str:
    if isinstance(known, dict):
        return ", ".join(f"{name} {value}" for name, value in known.items())
    return f"id {known or '(known after apply)'}"


def _action(deed: _Deed, *, is_moved: bool) -> str:
    actions = deed.actions or ["no-op"]
    if len(actions) > 1:
        return "replace"
    if actions[0] == "no-op":
        return "import" if deed.importing else "move" if is_moved else "no-op"
    return actions[0] if actions[0] in SIGNS else "update"


def _output(name: str, raw: msgspec.Raw, number: int) -> Change:
    inside = _inside(name, _object(raw))
    return Change(
        number=number,
        address=name,
        module="",
        kind="output",
        action=_action(_deed(raw), is_moved=False),
        notes=(),
        raw=msgspec.Raw(msgspec.json.encode(inside)),
    )


def _inside(name: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output's change as that of an object with one attribute."""
    raw = dict(change)
    for side in ("before", "after"):
        if side in raw and (raw[side] is not None or side == "after"):
            raw[side] = {name: raw[side]}
    for mark in ("after_unknown", "before_sensitive", "after_sensitive"):
        if mark in raw:
            raw[mark] = {name: raw[mark]}
    if raw.get("after_unknown") == {name: True}:
        raw["after"] = {name: None}
    return raw
