"""What terraform says of an apply, from its JSON lines: resources, outputs, what went wrong.

The messages are those of `terraform apply -json` (its documentation, "Machine-Readable UI").
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import msgspec

from landform.web.present.diff import SENSITIVE, shown

_MOST_DIAGNOSTICS: Final = 200
_MOST_RESOURCES: Final = 20_000
_MOST_OUTPUTS: Final = 200
_KINDS: Final = (b'"apply_', b'"diagnostic"', b'"outputs"')
_ENDS: Final = {"apply_complete": "done", "apply_errored": "failed"}


# The collector of garbage has no need to walk over thousands of them, again and again.
class Resource(msgspec.Struct, gc=False):
    """One resource that is, or was, being worked on.

    Attributes:
        state: `working`, `done`, `failed`, or `open`: it was begun, and nobody heard of its end.
        elapsed_s: whole seconds as terraform says them; of what is done, more exactly.
    """

    address: str
    action: str
    state: str
    since: str
    elapsed_s: float = 0


@dataclass(frozen=True)
class Output:
    """What an apply says of an output at its end; the value as JSON."""

    name: str
    value: str


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
    outputs: Sequence[Output] = ()
    read_bytes: int = 0
    _rest: bytes = b""

    @property
    def done_count(self) -> int:
        """Return how many resources are done."""
        return sum(each.state == "done" for each in self.resources.values())

    def counts(self) -> Mapping[str, int]:
        """Return how often each action was done."""
        return Counter(each.action for each in self.resources.values() if each.state == "done")

    def settled(self, *, is_over: bool, went_well: bool) -> "Progress":
        """Return it without resources at work, if the phase is over: some ends are not told.

        Those of data sources that cannot be read are not, nor those in the part of a huge log that
        was not read.
        """
        if not is_over:
            return self
        end = "done" if went_well else "open"
        resources = {
            key: msgspec.structs.replace(each, state=end) if each.state == "working" else each
            for key, each in self.resources.items()
        }
        return replace(self, resources=resources)

    def skip(self, size_bytes: int) -> None:
        """Go on after `size_bytes` that are not read."""
        self.read_bytes += size_bytes
        self._rest = b""

    def take(self, content: bytes) -> None:
        """Read the next bytes of the log; the end of a line may come later."""
        self.read_bytes += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if not any(kind in line for kind in _KINDS):
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
        elif kind == "outputs":
            self.outputs = _outputs(message.get("outputs"))

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
            one.elapsed_s = int(elapsed)
        if kind in _ENDS:
            one.elapsed_s = (
                _between(one.since, _utc(str(message.get("@timestamp")))) or one.elapsed_s
            )


def _utc(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).isoformat()
    except ValueError:
        return ""


def _between(since: str, until: str) -> float | None:
    if not since or not until:
        return None
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()


def _outputs(given: object) -> list[Output]:
    if not isinstance(given, dict):
        return []
    found = []
    for name, each in sorted(given.items())[:_MOST_OUTPUTS]:
        # A plan's outputs have an action and no value yet.
        if not isinstance(each, dict) or "action" in each:
            continue
        hidden = each.get("sensitive") is not False
        found.append(Output(str(name), SENSITIVE if hidden else shown(each.get("value"))))
    return found


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
