"""Takes the values of sensitive variables out of whatever leaves the machine."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from landform.contract import Variable
from landform.execution import terminal

REPLACEMENT: Final = "(sensitive value)"

SHORTEST: Final = 3
"""Values with fewer characters stay: taking every `1` out of a log would hide nothing but it."""

_HARMLESS: Final = frozenset({"true", "false", "null"})
_SHORTEST_LINE: Final = 8
_SHORTEST_BASE64: Final = 10
_UNESCAPED_IN_URLS: Final = (
    "",  # a value of a query (terraform's urlencode)
    "/",
    "$&+:=@",  # a segment of a path, as Go writes it
    "$&+,;=",  # a password before the host, as Go writes it
    "!*'()",  # a component, as JavaScript writes it
    "!*'();,/?:@&=+$#",  # a whole address, as JavaScript writes it
)
_ESCAPED_BYTE: Final = re.compile(r"%[0-9A-F]{2}")
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
        self.learn(variables)

    def learn(self, variables: Iterable[Variable]) -> None:
        """Take these for the run's secrets from now on, in place of those known before."""
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
    """Ways in which `value` may be written: as it is, by line, for JSON, HCL, URLs, in base64."""
    plain = {value, value.strip()}
    # A log has lost its control sequences before it is looked through.
    plain |= {terminal.cleaned(text) for text in plain}
    for text in list(plain):
        if "\n" in text:
            lines = (line.strip() for line in text.splitlines())
            plain |= {line for line in lines if len(line) >= _SHORTEST_LINE}
    plain = {text for text in plain if len(text) >= SHORTEST and text not in _HARMLESS}
    forms: set[str] = set()
    in_urls = {written for text in plain for written in _in_urls(text)}
    for text in plain | in_urls:
        for ascii_only in (True, False):
            escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            # Go writes <, > and & as escapes; a quoted command in a message is escaped twice.
            html = re.sub(r"[<>&]", lambda match: f"\\u{ord(match.group()):04x}", escaped)
            twice = json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
            forms |= {escaped, html, twice, escaped.replace("${", "$${").replace("%{", "%%{")}
    for text in plain:
        forms |= {text, *_in_base64(text)}
    return forms


def _in_urls(text: str) -> Iterator[str]:
    """Yield `text` as it stands in URLs, where what is escaped hangs on the part and the writer."""
    raw = text.encode(errors="replace")
    for unescaped in _UNESCAPED_IN_URLS:
        for written in (quote(raw, safe=unescaped), quote_plus(raw, safe=unescaped)):
            yield written
            yield _ESCAPED_BYTE.sub(lambda match: match[0].lower(), written)


def _in_base64(text: str) -> Iterator[str]:
    """Yield what of `text` in base64 does not depend on what stands before and after it."""
    raw = text.encode(errors="replace")
    for before, dependent in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        core = encoded[dependent : (before + len(raw)) * 8 // 6]
        if len(core) >= _SHORTEST_BASE64:
            yield from {core, core.replace("+", "-").replace("/", "_")}


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
