"""What a plan says, from `show -json`: the redacted form that clients render, counts, changes.

The redacted document is TFE's `json-output-redacted` (reference: go-tfe `Plans.ReadJSONOutput`
and the CLI's renderer): parts of `show -json`, with the provider schemas that a renderer needs.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from landform.contract import Counts

_KEPT: Final = (
    *("resource_changes", "resource_drift", "relevant_attributes", "output_changes"),
    "checks",
)
_IDLE: Final = ({"no-op"}, {"read"})

# A figure comes back with the digits it came with; a float would round it.
_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Schemas(msgspec.Struct):
    """`providers schema -json`, of which only as much is read as is asked for."""

    format_version: str = "1.0"
    provider_schemas: dict[str, dict[str, msgspec.Raw]] = {}


@dataclass(frozen=True, slots=True)
class PlanOutput:
    """What the platform wants to know of a plan."""

    redacted: dict[str, Any]
    counts: Counts
    has_changes: bool
    providers: frozenset[str]


def read_plan(shown: bytes) -> PlanOutput:
    """Read `shown`, the output of `show -json` of a plan file.

    Raises:
        ValueError: it is not that.
    """
    plan = _decode(shown)
    resources = _list(plan, "resource_changes")
    redacted: dict[str, Any] = {"plan_format_version": plan.get("format_version", "")}
    hide = _Hide()
    for name in _KEPT:
        redacted[name] = plan.get(name, {} if name == "output_changes" else [])
    for name in ("resource_changes", "resource_drift"):
        redacted[name] = [
            {**entry, "change": hide.change(entry.get("change") or {})}
            for entry in _list(plan, name)
        ]
    redacted["output_changes"] = {
        name: hide.change(change) for name, change in (plan.get("output_changes") or {}).items()
    }
    return PlanOutput(
        redacted=redacted,
        counts=_count(resources, drift=_list(plan, "resource_drift")),
        has_changes=_has_changes(plan, resources),
        providers=frozenset(
            str(entry.get("provider_name"))
            for name in ("resource_changes", "resource_drift")
            for entry in _list(plan, name)
        ),
    )


def read_schemas(data: bytes) -> Schemas:
    """Read the output of `providers schema -json`.

    Raises:
        ValueError: it is not that.
    """
    return msgspec.json.decode(data, type=Schemas)


def with_schemas(plan: PlanOutput, schemas: Schemas) -> bytes:
    """Return the document that clients render: the redacted plan and the schemas it needs."""
    used: dict[str, set[tuple[str, str]]] = {}
    for name in ("resource_changes", "resource_drift"):
        for entry in plan.redacted[name]:
            section = "data_source_schemas" if entry.get("mode") == "data" else "resource_schemas"
            used.setdefault(str(entry.get("provider_name")), set()).add(
                (section, str(entry.get("type")))
            )
    needed: dict[str, Any] = {
        provider: _needed(schemas.provider_schemas[provider], types)
        for provider, types in used.items()
        if provider in schemas.provider_schemas
    }
    return _encode(
        {
            **plan.redacted,
            "provider_format_version": schemas.format_version,
            "provider_schemas": needed,
        }
    )


def _needed(provider: Mapping[str, msgspec.Raw], types: Iterable[tuple[str, str]]) -> Any:
    # Of a large provider, all schemas would be tens of megabytes for every plan.
    sections: dict[str, dict[str, msgspec.Raw]] = {}
    for section, kind in types:
        if section in provider:
            all_of_it = msgspec.json.decode(provider[section], type=dict[str, msgspec.Raw])
            if kind in all_of_it:
                sections.setdefault(section, {})[kind] = all_of_it[kind]
    return sections


def _list(plan: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return plan.get(name) or []


def _count(resources: Iterable[Mapping[str, Any]], *, drift: Iterable[Mapping[str, Any]]) -> Counts:
    additions = changes = destructions = imports = 0
    for entry in resources:
        change = entry.get("change") or {}
        actions = change.get("actions") or []
        if entry.get("mode") != "data":
            additions += "create" in actions
            changes += "update" in actions
            destructions += "delete" in actions
        imports += bool(change.get("importing"))
    return Counts(
        additions=additions,
        changes=changes,
        destructions=destructions,
        imports=imports,
        drifted=sum(_has_drifted(entry) for entry in drift),
    )


def _has_drifted(entry: Mapping[str, Any]) -> bool:
    """Tell a real change from a resource that only has another address now."""
    actions = (entry.get("change") or {}).get("actions") or []
    return entry.get("mode") != "data" and ("update" in actions or "delete" in actions)


def _has_changes(plan: Mapping[str, Any], resources: Iterable[Mapping[str, Any]]) -> bool:
    if isinstance(plan.get("applyable"), bool):  # since 1.8; knows of refresh-only plans too
        return bool(plan["applyable"])
    outputs = (plan.get("output_changes") or {}).values()
    return any(
        set((entry.get("change") or {}).get("actions") or ["no-op"]) not in _IDLE
        or entry.get("previous_address") not in {None, entry.get("address")}
        or (entry.get("change") or {}).get("importing")
        for entry in resources
    ) or any(set(change.get("actions") or ["no-op"]) != {"no-op"} for change in outputs)


class _Hide:
    """Takes out what a change marks as sensitive, leaving whether it changes.

    A renderer shows no value there but tells a change from none by comparing both sides, so equal
    secrets become equal stand-ins, of the same type; the key that decides which is thrown away.
    """

    def __init__(self) -> None:
        self._key = os.urandom(16)

    def change(self, change: Mapping[str, Any]) -> dict[str, Any]:
        before, after = self._pair(
            change.get("before"),
            change.get("after"),
            change.get("before_sensitive") or False,
            change.get("after_sensitive") or False,
        )
        kept = dict(change)
        for name, value in (("before", before), ("after", after)):
            if name in kept:
                kept[name] = value
        return kept

    def _pair(self, before: Any, after: Any, marks_b: Any, marks_a: Any) -> tuple[Any, Any]:
        if marks_b is True or marks_a is True:
            return self._hidden(before, after)
        if not marks_b and not marks_a:
            return before, after
        keys: list[Any] = []
        for value in (before, after):
            if isinstance(value, dict):
                keys += value
            elif isinstance(value, list):
                keys += range(len(value))
        kept_b, kept_a = _shell(before), _shell(after)
        for key in dict.fromkeys(keys):
            pair = self._pair(
                _at(before, key), _at(after, key), _at(marks_b, key), _at(marks_a, key)
            )
            _put(kept_b, before, key, pair[0])
            _put(kept_a, after, key, pair[1])
        return kept_b, kept_a

    def _hidden(self, before: Any, after: Any) -> tuple[Any, Any]:
        if not isinstance(before, dict | list) and not isinstance(after, dict | list):
            return self._stand_in(before), self._stand_in(after)
        # Neither keys nor length are shown, so a change is shown as something coming or going.
        empty_b, empty_a = self._stand_in(before), self._stand_in(after)
        if before == after or before is None or after is None:
            return empty_b, empty_a
        return None, empty_a

    def _stand_in(self, value: Any) -> Any:
        if value is None or isinstance(value, dict | list):
            return _empty(value)
        digest = hashlib.blake2b(_encode(value), key=self._key, digest_size=6).digest()
        if isinstance(value, bool):
            return value ^ bool(self._key[0] & 1)
        if isinstance(value, int | float | Decimal):
            return int.from_bytes(digest, "big")
        return f"(sensitive {digest.hex()})"


def _empty(value: Any) -> Any:
    return None if value is None else type(value)()


def _shell(value: Any) -> Any:
    if isinstance(value, dict):
        return {}
    return [None] * len(value) if isinstance(value, list) else value


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return None


def _put(shell: Any, original: Any, key: Any, value: Any) -> None:
    there = key in original if isinstance(original, dict) else False
    if there or (isinstance(original, list) and isinstance(key, int) and key < len(original)):
        shell[key] = value
