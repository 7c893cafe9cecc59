"""A plan as a page shows it, read from the redacted artefact. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from landform.web.present.checks import Check, checks_of
from landform.web.present.diff import Attribute, attributes_of

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


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource of a plan.

    Attributes:
        number: its place in the plan; names it in addresses.
        notes: what else is to say: why, whence it moves, what is imported.
    """

    number: int
    address: str
    module: str
    kind: str
    action: str
    notes: Sequence[str]
    raw: Mapping[str, Any]

    @property
    def attributes(self) -> tuple[list[Attribute], int]:
        """Return what changes inside, and how many rows more there would be."""
        return attributes_of(self.raw)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a plan would do.

    Attributes:
        drift: what was found changed outside of terraform.
        outputs: changes of outputs; `address` is the name.
        checks: conditions, check blocks and validations.
    """

    changes: Sequence[Change]
    drift: Sequence[Change]
    outputs: Sequence[Change]
    checks: Sequence[Check]
    size_bytes: int

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many resources there are of each action that there is."""
        counted = Counter(change.action for change in self.changes)
        return {action: counted[action] for action in ACTIONS if counted[action]}

    def destroyed(self) -> list[str]:
        """Return the addresses of what would be destroyed, replaced ones included."""
        return [each.address for each in self.changes if each.action in ("delete", "replace")]


def read(document: bytes) -> Plan:
    """Read the redacted artefact of a plan.

    Raises:
        ValueError: it is not one.
    """
    plan = msgspec.json.decode(document, type=dict[str, Any])
    changes = [
        _change(entry, number) for number, entry in enumerate(_list(plan, "resource_changes"))
    ]
    # What a plan leaves alone is noise, unless it moves or is imported.
    shown = [each for each in changes if each.action != "no-op"]
    drift = [_change(entry, number) for number, entry in enumerate(_list(plan, "resource_drift"))]
    outputs = [
        _output(name, change, number)
        for number, (name, change) in enumerate(sorted((plan.get("output_changes") or {}).items()))
    ]
    return Plan(
        changes=shown,
        drift=drift,
        outputs=[each for each in outputs if each.action != "no-op"],
        checks=checks_of(plan),
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
    return [Group(module, modules[module]) for module in sorted(modules)]


def narrowed(changes: Sequence[Change], *, action: str, text: str) -> list[Change]:
    """Return the changes of that action whose address contains the text; in order of address."""
    wanted = text.lower()
    found = [
        change
        for change in changes
        if (not action or change.action == action) and wanted in change.address.lower()
    ]
    return sorted(found, key=lambda change: (change.module, change.address))


def _list(plan: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return plan.get(name) or []


def _change(entry: Mapping[str, Any], number: int) -> Change:
    change = entry.get("change") or {}
    address, previous = str(entry.get("address") or ""), entry.get("previous_address")
    notes = []
    reason = _REASONS.get(str(entry.get("action_reason") or ""))
    if reason:
        notes.append(f"because {reason}")
    if previous and previous != address:
        notes.append(f"moved from {previous}")
    importing = change.get("importing") or {}
    if importing:
        notes.append(f"imported by id {importing.get('id') or '(unknown)'}")
    return Change(
        number=number,
        address=address,
        module=str(entry.get("module_address") or ""),
        kind=str(entry.get("type") or ""),
        action=_action(change, is_moved=bool(previous and previous != address)),
        notes=notes,
        raw=change,
    )


def _action(change: Mapping[str, Any], *, is_moved: bool) -> str:
    actions = [str(each) for each in change.get("actions") or ["no-op"]]
    if len(actions) > 1:
        return "replace"
    if actions[0] == "no-op":
        return "import" if change.get("importing") else "move" if is_moved else "no-op"
    return actions[0] if actions[0] in SIGNS else "update"


def _output(name: str, change: Mapping[str, Any], number: int) -> Change:
    return Change(
        number=number,
        address=name,
        module="",
        kind="output",
        action=_action(change, is_moved=False),
        notes=(),
        raw=_inside(name, change),
    )


def _inside(name: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output's change as that of an object with one attribute."""
    raw = dict(change)
    for side in ("before", "after"):
        if side in raw and (raw[side] is not None or side == "after"):
            raw[side] = {name: raw[side]}
    for mark in ("after_unknown", "before_sensitive", "after_sensitive"):
        if not isinstance(raw.get(mark), bool | None):
            raw[mark] = {name: raw[mark]}
    return raw
