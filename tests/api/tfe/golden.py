"""Documents as they are to be sent, checked in; ids and times stand in them by number.

Set LANDFORM_GOLDEN=write to write them anew, and read the difference before it is committed.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

DIRECTORY: Final = Path(__file__).with_name("golden")
_ID: Final = re.compile(r"\b[a-z]{2,6}-[A-Za-z0-9]{16}\b")
_MADE: Final = re.compile(r"\b(org|user|workspace|team)-\d+\b")
_EVENT: Final = re.compile(r"\bre-\d+\b")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)")
_SIGNED: Final = re.compile(r"(/_signed/[a-z-]+/[^/]+)/[0-9a-f]+/[\w=-]+")
_BASE: Final = "http://landform.test"


def settled(document: Any) -> Any:
    """Return the document with all that differs from one run of a test to the next put right."""
    names: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        kind = match[0].partition("-")[0]
        known = sum(1 for each in names.values() if each.startswith(f"{kind}-"))
        return names.setdefault(match[0], f"{kind}-{known + 1}")

    text = json.dumps(document)
    text = _SIGNED.sub(r"\1/EXPIRES/MAC", text.replace(_BASE, ""))
    text = _TIME.sub("2026-01-01T00:00:00Z", text)
    text = _EVENT.sub("re-N", text)
    text = _ID.sub(number, text)
    return json.loads(_MADE.sub(r"the-\1", text))


def compare(name: str, document: Any) -> list[str]:
    """Return how the document differs from the one that is checked in, in words."""
    path = DIRECTORY / f"{name}.json"
    found = settled(document)
    if os.environ.get("LANDFORM_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    expected = json.loads(path.read_text()) if path.exists() else None
    return list(_differences(expected, found, name))


def _differences(expected: Any, found: Any, where: str) -> Any:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            yield from _differences(
                expected.get(key, "absent"), found.get(key, "absent"), f"{where}.{key}"
            )
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif expected != found:
        yield f"{where} is {found!r}, not {expected!r}"
