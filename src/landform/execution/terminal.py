"""What a run may make a terminal do: show text and colours, and nothing else.

A log is read by other people than whoever wrote the configuration. Control sequences could write
to their clipboard (OSC 52), hide a link behind other words (OSC 8), or write over what was said
before; all but colours (SGR) are taken out, here, once, for every reader there will be.
"""

import json
import re
from typing import Any, Final

# Anything but printable ASCII and tab, in bytes; in JSON, escapes of controls as well.
_SUSPICIOUS: Final = re.compile(rb"[^\x20-\x7e\t]")
_ESCAPED: Final = re.compile(rb"\\[bfru]")

_SGR: Final = r"\x1b\[[0-9;:]*m"
_STRING: Final = r"(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
_SEQUENCE: Final = r"(?:\x1b\[|\x9b)[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]?"
_OTHER: Final = r"\x1b[\x20-\x2f]*[\x30-\x7e]?"
_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
_UNWANTED: Final = re.compile(f"({_SGR})|{_STRING}|{_SEQUENCE}|{_OTHER}|{_CONTROL}")
_RETURN: Final = re.compile(r"\r+\n?")


def harmless(line: bytes) -> bytes:
    """Return a line of any bytes as UTF-8 that moves no cursor; a lone return begins a new line."""
    if not _SUSPICIOUS.search(line):
        return line
    return cleaned(line.decode(errors="replace").rstrip("\r")).encode()


def harmless_json(line: bytes, value: Any) -> tuple[bytes, Any]:
    """Return a JSON line, as bytes and as what it means, with all its strings harmless."""
    if not (_SUSPICIOUS.search(line) or _ESCAPED.search(line)):
        return line, value
    clean = _walk(value)
    if clean == value and not _SUSPICIOUS.search(line):
        return line, value
    return json.dumps(clean, ensure_ascii=False, separators=(",", ":")).encode(
        errors="replace"
    ), clean


def cleaned(text: str) -> str:
    """Return `text` as a log shows it."""
    if "\r" in text:
        text = _RETURN.sub("\n", text)
    return _UNWANTED.sub(lambda match: match[1] or "", text)


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, list):
        return [_walk(item) for item in value]
    if isinstance(value, dict):
        return {cleaned(key): _walk(item) for key, item in value.items()}
    return value
