"""Takes the values of sensitive variables out of whatever leaves the machine."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from landform.contract import Variable

REPLACEMENT: Final = "(sensitive value)"

SHORTEST: Final = 3
"""Values with fewer characters stay: taking every `1` out of a log would hide nothing but it."""

_HARMLESS: Final = frozenset({"true", "false", "null"})
_SHORTEST_LINE: Final = 8
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_STRUCTURE: Final = frozenset(
    {
        *("type", "@level", "@module", "@timestamp", "message_code", "ui", "terraform", "tofu"),
        *("action", "actions", "reason", "severity", "operation", "id_key", "mode"),
        *("resource_type", "implied_provider", "provider_name", "provisioner", "action_reason"),
    }
)
_NESTED: Final = frozenset(
    {
        *("hook", "change", "changes", "resource", "previous_resource", "diagnostic"),
        *("resource_changes", "resource_drift"),
    }
)
_NAMED: Final = frozenset({"outputs", "output_changes"})


class Redactor:
    """Knows the secrets of one run in every form in which they come out again."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        forms: set[str] = set()
        for variable in variables:
            if variable.sensitive:
                for value in _values(variable):
                    forms |= _forms(value)
        self._forms = sorted(forms, key=len, reverse=True)
        self._encoded = [form.encode(errors="surrogatepass") for form in self._forms]
        self._longest = max((len(form) for form in self._encoded), default=0)

    def line(self, line: bytes) -> bytes:
        """Return `line`, text of any kind, without secrets."""
        if self.touches(line):
            replacement = REPLACEMENT.encode()
            for form in self._encoded:
                line = line.replace(form, replacement)
        return line

    def head(self, line: bytes) -> bytes:
        """Return `line`, whose end was cut off, without secrets and without the start of one."""
        return self.line(line)[: -self._longest or None]

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, REPLACEMENT)
        return text

    def in_json(self, raw: bytes, value: Any) -> tuple[bytes, Any]:
        """Return a message or plan, as bytes and as what they mean, without secrets in it.

        The bytes come back as they are when no secret is in them. What gives a message its form,
        such as its type, stays even when it happens to be equal to a secret.
        """
        if not self.touches(raw):
            return raw, value
        value = self._walk(value, formal=True)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), value

    def document(self, value: Any) -> Any:
        """Return a plan, read from JSON, without secrets in it; its form stays."""
        return self._walk(value, formal=True)

    def _walk(self, value: Any, *, formal: bool) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._walk(item, formal=formal) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._member(key, item, formal) for key, item in value.items()}
        return value

    def _member(self, key: str, item: Any, formal: bool) -> Any:
        if formal and key in _STRUCTURE and isinstance(item, str | list):
            return item
        if formal and key in _NAMED and isinstance(item, dict):
            return {name: self._walk(entry, formal=True) for name, entry in item.items()}
        return self._walk(item, formal=formal and key in _NESTED)

    def touches(self, raw: bytes) -> bool:
        """Tell whether a secret is anywhere in `raw`."""
        return any(form in raw for form in self._encoded)


def _values(variable: Variable) -> list[str]:
    # Of an HCL value also the strings that it is made of: they come out without the rest.
    if not variable.hcl:
        return [variable.value]
    inner = (match.group(1) for match in _STRING.finditer(variable.value))
    return [variable.value, *(_unescaped(text) for text in inner)]


def _forms(value: str) -> set[str]:
    """Every way in which `value` may be written: as it is, by line, escaped for JSON and HCL."""
    plain = {value, value.strip()}
    if "\n" in value:
        plain |= {
            line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST_LINE
        }
    plain = {text for text in plain if len(text) >= SHORTEST and text not in _HARMLESS}
    forms = set(plain)
    for text in plain:
        for ascii_only in (True, False):
            escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            # Go writes <, > and & as escapes; a quoted command in a message is escaped twice.
            html = re.sub(r"[<>&]", lambda match: f"\\u{ord(match.group()):04x}", escaped)
            twice = json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
            forms |= {escaped, html, twice, escaped.replace("${", "$${").replace("%{", "%%{")}
    return forms


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
