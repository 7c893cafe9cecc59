"""What the tool's messages add up to: errors with their remedies, counts, objects made."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from landform.contract import Counts, Created
from landform.execution import messages

_DETAIL: Final = 400
_HARMLESS: Final = frozenset({"read", "noop"})
_LONGEST: Final = 4000  # characters of an address or an id
_MOST_OBJECTS: Final = 200_000
_MOST: Final = 2**31 - 1
_ERROR_LINE: Final = re.compile(r"\W*Error: (?P<summary>.+)")

# Looked for in an error's summary and detail, in this order.
_REMEDIES: Final[Sequence[tuple[re.Pattern[str], str]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"No value for required variable",
            "Set it as a variable of the workspace or of a variable set, or give it a default.",
        ),
        (
            r"Unsupported (Terraform|OpenTofu) Core version",
            "Let the workspace use a version that required_version allows, or change the latter.",
        ),
        (
            r"Saved plan is stale",
            "The state moved since the plan; start a new run.",
        ),
        (
            (
                r"query available provider packages|install provider|Invalid provider registry host"
                r"|Incompatible provider version|Required plugins are not installed"
            ),
            (
                "Check the provider's source and version, and that this worker reaches its registry"
                " or has it in a mirror."
            ),
        ),
        (
            (
                r"(download|read) module|Module not (found|installed)|Unreadable module"
                r"|module registry"
            ),
            "Check the module's source and version, and that this worker reaches it.",
        ),
        (
            r"(loading the remote state|Failed to read organization)",
            (
                "If it is a workspace of this platform, it must be of the same organization and"
                " share its state with this one: see its settings."
            ),
        ),
        (
            r"Inconsistent dependency lock file|does not match configured version constraint",
            "Run init -upgrade and commit .terraform.lock.hcl.",
        ),
        (
            r"(Resource instance cannot be destroyed|Invalid target|Invalid (resource )?address)",
            "Change the options of the run, or the configuration.",
        ),
        (
            r"Invalid value for (input )?variable",
            "Change the variable's value so that it meets what the configuration asks for.",
        ),
    )
)
_IN_FILE: Final = "Correct the configuration there and start a new run."


class Findings:
    """Listens to the messages of a phase."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.made: dict[str, Created] = {}
        """Objects that were made, or failed to be, by address, until a state held them."""
        self.touched = False
        """Whether any object was begun to be made, changed or destroyed."""
        self._begun: dict[str, Created] = {}
        self._error: Mapping[str, Any] | None = None
        self._errors = 0
        self._said = ""

    def note(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Listen to `found`, in the order in which they came.

        What has not the form that the tool gives it was said by something else in the run.
        """
        for message in found:
            with suppress(*messages.MALFORMED):
                self._note(message)

    def _note(self, message: Mapping[str, Any]) -> None:
        kind = message.get("type")
        if kind == "diagnostic":
            self._note_diagnostic(message)
        elif kind == "change_summary":
            self._note_summary(message.get("changes") or {})
        elif kind in {"apply_start", "apply_complete", "apply_errored"}:
            self._note_apply(str(kind), message.get("hook") or {})

    def note_text(self, lines: Iterable[bytes]) -> None:
        """Listen to what was not a message: the error of a tool that could not even begin."""
        for line in lines:
            if not self._said and (match := _ERROR_LINE.match(line.decode(errors="replace"))):
                self._said = match["summary"].strip()

    def error(self, otherwise: str) -> str:
        """Return the first error with what to do about it, or `otherwise` if none was heard."""
        if self._error is None:
            return _with_remedy(self._said, self._said, "") if self._said else otherwise
        summary = str(self._error.get("summary") or otherwise).rstrip(".")
        detail = " ".join(str(self._error.get("detail") or "").split())
        place = messages.where(self._error)
        text = f"{summary} ({place})" if place else summary
        if detail:
            text += f": {_shortened(detail)}"
        if self._errors > 1:
            text += f" (and {self._errors - 1} more in the log)"
        return _with_remedy(text, f"{summary} {detail}", _IN_FILE if place else "")

    def forget(self, addresses: Container[str]) -> None:
        """Note that a state which holds `addresses` is safe."""
        self.made = {name: made for name, made in self.made.items() if name not in addresses}

    def unaccounted(self) -> tuple[Created, ...]:
        """Return what may exist without being in a state, if nothing more is heard."""
        return (*self.made.values(), *self._begun.values())

    def _note_diagnostic(self, message: Mapping[str, Any]) -> None:
        diagnostic = message.get("diagnostic")
        if isinstance(diagnostic, Mapping) and diagnostic.get("severity") == "error":
            self._error = self._error or diagnostic
            self._errors += 1

    def _note_summary(self, changes: Mapping[str, Any]) -> None:
        add, change, remove, imported = (
            min(max(int(changes.get(name) or 0), 0), _MOST)
            for name in ("add", "change", "remove", "import")
        )
        self.counts = Counts(additions=add, changes=change, destructions=remove, imports=imported)

    def _note_apply(self, kind: str, hook: Mapping[str, Any]) -> None:
        address = str((hook.get("resource") or {}).get("addr") or "")[:_LONGEST]
        self.touched = self.touched or hook.get("action") not in _HARMLESS
        known = address in self._begun or address in self.made
        full = not known and len(self._begun) + len(self.made) >= _MOST_OBJECTS
        if not address or full or hook.get("action") != "create":
            return
        if kind == "apply_start":
            self._begun[address] = Created(address=address)
            return
        self._begun.pop(address, None)
        # One that failed may exist all the same, and nobody else will say so.
        self.made[address] = Created(
            address=address, id_value=str(hook.get("id_value") or "")[:_LONGEST]
        )


def _shortened(detail: str) -> str:
    return detail if len(detail) <= _DETAIL else detail[:_DETAIL].rsplit(" ", 1)[0] + " …"


def _with_remedy(text: str, searched: str, otherwise: str) -> str:
    text = text if text.endswith((".", "!", "?", ")", "…")) else f"{text}."
    remedy = next((remedy for pattern, remedy in _REMEDIES if pattern.search(searched)), otherwise)
    return f"{text} {remedy}".strip()
