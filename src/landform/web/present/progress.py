"""What terraform says it is doing, from its JSON lines: each resource, and what went wrong.

The messages are those of `terraform apply -json` (its documentation, "Machine-Readable UI").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

_MOST_DIAGNOSTICS: Final = 200
_MOST_RESOURCES: Final = 20_000
_ENDS: Final = {"apply_complete": "done", "apply_errored": "failed"}


@dataclass
class Resource:
    """One resource that is, or was, being worked on; `state` is `working`, `done` or `failed`."""

    address: str
    action: str
    state: str
    since: str
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Diagnostic:
    """An error or a warning."""

    severity: str
    summary: str
    detail: str
    address: str
    place: str


@dataclass
class Progress:
    """What was heard so far; `take` goes on with the lines that come after."""

    resources: dict[str, Resource] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    read_bytes: int = 0
    _rest: bytes = b""

    @property
    def working(self) -> list[Resource]:
        """Return what is being worked on, longest first."""
        found = [each for each in self.resources.values() if each.state == "working"]
        return sorted(found, key=lambda each: each.since)

    @property
    def done_count(self) -> int:
        """Return how many resources are done."""
        return sum(each.state == "done" for each in self.resources.values())

    def take(self, content: bytes) -> None:
        """Read the next bytes of the log; the end of a line may come later."""
        self.read_bytes += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if b'"apply_' not in line and b'"diagnostic"' not in line:
            return
        try:
            message = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError:
            return  # output of a provisioner may look like anything
        kind = str(message.get("type"))
        if kind == "diagnostic" and len(self.diagnostics) < _MOST_DIAGNOSTICS:
            self.diagnostics.append(_diagnostic(message))
        elif kind.startswith("apply_"):
            self._hook(kind, message)

    def _hook(self, kind: str, message: Mapping[str, Any]) -> None:
        hook = message.get("hook")
        resource = hook.get("resource") if isinstance(hook, dict) else None
        address = str(resource.get("addr") or "") if isinstance(resource, dict) else ""
        if not isinstance(hook, dict) or not address or len(self.resources) > _MOST_RESOURCES:
            return
        # A resource that is replaced is worked on twice: destroyed, then created.
        key = f"{address} {hook.get('action')}"
        one = self.resources.get(key)
        if one is None:
            since = str(message.get("@timestamp") or "")
            one = Resource(address, str(hook.get("action") or ""), "working", _utc(since))
            self.resources[key] = one
        one.state = _ENDS.get(kind, one.state)
        elapsed = hook.get("elapsed_seconds")
        if isinstance(elapsed, int | float):
            one.elapsed_s = float(elapsed)


def _utc(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).isoformat()
    except ValueError:
        return ""


def _diagnostic(message: Mapping[str, Any]) -> Diagnostic:
    found = message.get("diagnostic")
    said = found if isinstance(found, dict) else {}
    where = said.get("range")
    place = ""
    if isinstance(where, dict) and isinstance(where.get("start"), dict):
        place = f"{where.get('filename')}:{where['start'].get('line')}"
    return Diagnostic(
        severity="warning" if said.get("severity") == "warning" else "error",
        summary=str(said.get("summary") or ""),
        detail=str(said.get("detail") or ""),
        address=str(said.get("address") or ""),
        place=place,
    )
