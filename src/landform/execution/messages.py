"""Terraform's JSON messages, as a person reads them.

The form of a message is that of the tool's documented machine-readable output (`ui` 1.2). What
cannot be read is passed on as it came: it is a log.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from landform.kit.clock import now, rfc3339

_NOT_IN_PLAN: Final = frozenset({"planned_change", "resource_drift", "change_summary", "outputs"})
_NEVER: Final = frozenset({"refresh_complete", "provision_complete"})
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
MALFORMED: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What a message raises whose parts are not what they are in the tool's own."""

_INDENT: Final = "  "
_DEEPEST: Final = 100


def parse(line: bytes) -> dict[str, Any] | None:
    """Return the message that `line` is, or None when it is ordinary text.

    What a run starts can write to the tool's output, so a line may be anything.
    """
    if not line.startswith(b"{"):
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "@message" not in message or not _is_shallow(message):
        return None
    return message


def _is_shallow(value: Any) -> bool:
    """Tell whether what walks over `value` comes to its end."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


def as_text(message: Mapping[str, Any], *, planning: bool) -> str:
    """Return what the text log says for `message`, without a last newline; empty for nothing.

    Args:
        planning: leave out what `show` of the plan file says better, at the end.
    """
    kind = message.get("type")
    if kind in _NEVER or (planning and kind in _NOT_IN_PLAN) or kind == "planned_change":
        return ""
    text = str(message["@message"])
    if kind == "diagnostic" and isinstance(message.get("diagnostic"), dict):
        return _diagnostic(message["diagnostic"], text)
    if kind == "change_summary":
        return f"\n{text}"
    if kind == "outputs":
        return _outputs(message.get("outputs") or {})
    return text


def line(text: str) -> bytes:
    """Return `text` as a message of the platform's own."""
    message = {
        "@level": "info",
        "@message": text,
        "@module": "landform.ui",
        "@timestamp": rfc3339(now()),
        "type": "log",
    }
    return json.dumps(message, separators=(",", ":")).encode()


def where(diagnostic: Mapping[str, Any]) -> str:
    """Return the file and line that `diagnostic` is about, such as `main.tf line 3`, or ``."""
    place = diagnostic.get("range")
    if not isinstance(place, Mapping):
        return ""
    start = place.get("start")
    line = start.get("line") if isinstance(start, Mapping) else None
    return f"{place.get('filename', '')} line {line}" if line else str(place.get("filename", ""))


def _diagnostic(diagnostic: Mapping[str, Any], otherwise: str) -> str:
    summary = str(diagnostic.get("summary") or otherwise)
    severity = str(diagnostic.get("severity", "error")).capitalize()
    lines = ["", f"{severity}: {summary}"]
    place = where(diagnostic)
    address = diagnostic.get("address")
    if address:
        lines += ["", f"{_INDENT}with {address}"]
    if place:
        lines += [] if address else [""]
        lines += [f"{_INDENT}on {place}{_context(diagnostic)}:", *_snippet(diagnostic)]
    if detail := str(diagnostic.get("detail") or "").rstrip():
        lines += ["", detail]
    return "\n".join([*lines, ""])


def _context(diagnostic: Mapping[str, Any]) -> str:
    context = (diagnostic.get("snippet") or {}).get("context")
    return f", in {context}" if context else ""


def _snippet(diagnostic: Mapping[str, Any]) -> Iterator[str]:
    snippet = diagnostic.get("snippet") or {}
    first = snippet.get("start_line") or 0
    for number, code in enumerate(str(snippet.get("code") or "").splitlines(), first):
        yield f"{_INDENT}{number:>4}: {code}"
    for value in snippet.get("values") or []:
        yield f"{_INDENT}      {value.get('traversal', '')} {value.get('statement', '')}"


def _outputs(outputs: Mapping[str, Any]) -> str:
    if not outputs:
        return ""
    lines = ["", "Outputs:", ""]
    for name, output in sorted(outputs.items()):
        if output.get("sensitive"):
            lines.append(f"{name} = <sensitive>")
        elif "value" in output:
            lines.append(f"{name} = {_hcl(output['value'], 0)}")
    return "\n".join(lines)


def _hcl(value: Any, depth: int) -> str:
    """Write a value read from JSON as one would in a configuration."""
    inner, outer = _INDENT * (depth + 1), _INDENT * depth
    if isinstance(value, dict) and value:
        rows = [f"{inner}{_key(key)} = {_hcl(item, depth + 1)}" for key, item in value.items()]
        return "\n".join(["{", *rows, f"{outer}}}"])
    if isinstance(value, list) and value:
        rows = [f"{inner}{_hcl(item, depth + 1)}," for item in value]
        return "\n".join(["[", *rows, f"{outer}]"])
    if isinstance(value, str) and "\n" in value:
        rows = [f"{inner}{line}" for line in value.removesuffix("\n").split("\n")]
        return "\n".join(["<<-EOT", *rows, f"{outer}EOT"])
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
